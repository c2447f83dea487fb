/**
 * Months in the life of a system: its plans run when they are due, stores and components fail and heal, monitoring looks
 * every five minutes, sometimes it is blind, people acknowledge. All of it follows from one seed.
 */
import { nextRuns, specOf } from '../../../src/policy/due-times.ts';
import type { Finding } from '../../../src/policy/findings.ts';
import type { System } from '../../../src/system/types.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** How often monitoring looks; troubles begin halfway between two looks, so that no two things happen at once. */
export const LOOK_EVERY = 5 * MINUTE;
const BEGINS_AT = LOOK_EVERY / 2;
/** A run may be late by so much before anybody is told. */
const PATIENCE = 30 * MINUTE;
/** The engine goes on trying a run for so long. */
const RUN_TRIES = 4 * HOUR;

/** A small generator of numbers from 0 to 1 (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** One look of monitoring that found something else than the look before, and the people who act right after it. */
export interface Look {
  readonly atMs: number;
  readonly findings: readonly Finding[];
  /** Ids of incidents that somebody acknowledges then. */
  readonly acknowledged: readonly string[];
}

export interface Life {
  readonly looks: readonly Look[];
  readonly runs: number;
  readonly failedRuns: number;
}

export interface LifeOptions {
  readonly seed: number;
  readonly startMs: number;
  readonly days: number;
  /** How many outages there are in a month. */
  readonly outagesAMonth: number;
}

export function live(system: System, options: LifeOptions): Life {
  const { seed, startMs, days } = options;
  const chance = random(seed);
  const whole: Span = { fromMs: startMs, toMs: startMs + days * DAY };
  const count = Math.max(3, Math.round((options.outagesAMonth * days) / 30));
  const outages = new Map<string, readonly Span[]>();
  const kinds = ['store/primary', 'store/secondary', 'component/ledger', 'size/weekly', 'disk/connector-1'];
  for (const kind of kinds) outages.set(kind, spans(chance, whole, Math.ceil(count / kinds.length)));
  const blind = spans(chance, whole, Math.max(1, Math.round(count / 6)));
  const { newest, runs, failedRuns } = backups(system, whole, outages);
  const looks: Look[] = [];
  let before = '';
  for (let atMs = startMs; atMs < whole.toMs; atMs += LOOK_EVERY) {
    if (isIn(blind, atMs)) continue;
    const findings = [...troubles(system.name, outages, atMs), ...stale(system, newest, atMs)];
    const now = findings.map(({ check, subject, severity }) => `${check}/${subject} ${severity}`).join();
    // Nobody is on it at the moment in which it is found.
    const known = now === before ? findings : [];
    const acknowledged = known.filter(() => chance() < 0.01).map(({ check, subject }) => `${check}/${subject}`);
    if (now === before && acknowledged.length === 0) continue;
    before = now;
    looks.push({ atMs, findings, acknowledged });
  }
  // At the end all is well, and monitoring sees it.
  looks.push({ atMs: whole.toMs, findings: [], acknowledged: [] });
  return { looks, runs, failedRuns };
}

/** Some long, most short, some that come and go. */
function spans(chance: () => number, whole: Span, count: number): Span[] {
  const found: Span[] = [];
  for (let index = 0; index < count; index += 1) {
    const room = (whole.toMs - whole.fromMs) / count;
    const fromMs = onGrid(whole.fromMs + index * room + chance() * room * 0.5);
    const length = chance() < 0.3 ? 5 + chance() * 40 : chance() < 0.7 ? 30 + chance() * 300 : 300 + chance() * 500;
    const toMs = Math.min(onGrid(fromMs + length * MINUTE), onGrid(whole.fromMs + (index + 0.95) * room));
    if (chance() < 0.3) found.push(...flapping(chance, { fromMs, toMs }));
    else found.push({ fromMs, toMs });
  }
  return found.filter((span) => span.toMs > span.fromMs);
}

function flapping(chance: () => number, { fromMs, toMs }: Span): Span[] {
  const found: Span[] = [];
  for (let at = fromMs; at < toMs;) {
    const end = Math.min(onGrid(at + (10 + chance() * 60) * MINUTE), toMs);
    found.push({ fromMs: at, toMs: end });
    at = onGrid(end + (5 + chance() * 20) * MINUTE);
  }
  return found;
}

function onGrid(ms: number): number {
  return Math.floor(ms / LOOK_EVERY) * LOOK_EVERY + BEGINS_AT;
}

function isIn(found: readonly Span[], atMs: number): Span | undefined {
  return found.find(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
}

type Newest = ReadonlyMap<string, readonly number[]>;

/** A run that finds its store or its ledger away is tried until it is back, for hours. */
function backups(
  system: System,
  whole: Span,
  outages: ReadonlyMap<string, readonly Span[]>,
): { newest: Newest; runs: number; failedRuns: number } {
  const newest = new Map<string, number[]>();
  let runs = 0;
  let failedRuns = 0;
  for (const { name, schedule, components } of system.plans) {
    if (schedule === undefined) continue;
    const made: number[] = [whole.fromMs];
    for (const dueMs of nextRuns(specOf(schedule), whole.fromMs, whole.toMs)) {
      runs += 1;
      const needs = ['store/primary', ...components.map((component) => `component/${component}`)];
      const away = needs.map((need) => isIn(outages.get(need) ?? [], dueMs)).filter((span) => span !== undefined);
      const doneMs = Math.max(dueMs, ...away.map(({ toMs }) => toMs));
      if (doneMs - dueMs > RUN_TRIES) failedRuns += 1;
      else made.push(doneMs);
    }
    newest.set(
      name,
      made.toSorted((a, b) => a - b),
    );
  }
  return { newest, runs, failedRuns };
}

function troubles(system: string, outages: ReadonlyMap<string, readonly Span[]>, atMs: number): Finding[] {
  return [...outages].flatMap(([id, found]): Finding[] => {
    const span = isIn(found, atMs);
    if (span === undefined) return [];
    const [check, subject] = id.split('/') as [Finding['check'], string];
    // A disk is a warning first, and critical when it goes on.
    const isMild = check === 'size' || (check === 'disk' && atMs - span.fromMs < HOUR);
    return [finding(system, check, subject, isMild ? 'warning' : 'critical', span.fromMs)];
  });
}

function stale(system: System, newest: Newest, atMs: number): Finding[] {
  return system.plans.flatMap(({ name, rpoSeconds }): Finding[] => {
    const made = newest.get(name);
    if (rpoSeconds === undefined || made === undefined) return [];
    const last = made.findLast((one) => one <= atMs) ?? made[0] ?? 0;
    const sinceMs = onGrid(last + rpoSeconds * SECOND + PATIENCE);
    return atMs < sinceMs ? [] : [finding(system.name, 'freshness', name, 'critical', sinceMs)];
  });
}

function finding(
  system: string,
  check: Finding['check'],
  subject: string,
  severity: Finding['severity'],
  sinceMs: number,
): Finding {
  const since = new Date(sinceMs).toISOString();
  return { system, check, subject, severity, what: `${check} of ${subject} since ${since}`, hint: 'look', since };
}
