/** What people and programs are told of: trouble, and operations that ended. One shape for every channel. Pure. */
import { findingId, type Finding, type Severity } from './findings.ts';
import { formatBytes, formatSeconds } from '../observe/format.ts';
import type { WhyTold } from './escalation.ts';

export interface Notice {
  /** The same for every attempt and every channel, so that a receiver can tell a repeat. Letters, digits, - and _. */
  readonly id: string;
  /** `incident.opened`, `backup.failed`, `test` … */
  readonly type: string;
  /** When it happened, RFC 3339. */
  readonly at: string;
  readonly system: string;
  readonly severity: Severity | 'info';
  /** One line. */
  readonly title: string;
  /** A few lines, the next step last. No secret. */
  readonly text: string;
  /** Small facts for programs. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

/** What a channel can ask for with `on`, beside what escalation sends it. */
export const CHANNEL_EVENTS = [
  'incident',
  'backup done',
  'backup failed',
  'backup skipped',
  'copy done',
  'copy failed',
  'prune done',
  'prune failed',
  'verify done',
  'verify failed',
  'restore done',
  'restore failed',
  'failover done',
  'failover failed',
  'drill announced',
  'drill done',
  'drill failed',
  'clean-point found',
  'clean-point none',
  'clean-point failed',
] as const;
export type ChannelEvent = (typeof CHANNEL_EVENTS)[number];

/** Longer texts are cut: a channel is no place for lists. */
const MOST_LINES = 20;
const LONGEST_LINE = 500;

export interface IncidentFacts {
  readonly finding: Finding;
  readonly openedAtMs: number;
  readonly sinceMs?: number | undefined;
  readonly level?: { readonly number: number; readonly name: string } | undefined;
}

export type IncidentNews = WhyTold | 'acknowledged' | 'healed';

const HEADS: Readonly<Record<IncidentNews, (level: string) => string>> = {
  opened: () => '',
  escalated: (level) => `escalated to ${level}: `,
  raised: () => 'got worse: ',
  unattended: () => 'acknowledged, and still there: ',
  reminder: () => 'still there: ',
  acknowledged: () => 'acknowledged: ',
  healed: () => 'healed: ',
};

/** One piece of news of an incident. `by` and `note` are those of an acknowledgement. */
export function incidentNotice(
  news: IncidentNews,
  { finding, openedAtMs, sinceMs, level }: IncidentFacts,
  about: { readonly id: string; readonly atMs: number; readonly by?: string; readonly note?: string },
): Notice {
  const { system, check, subject, severity, what, hint } = finding;
  const id = findingId(finding);
  const beganMs = Math.min(sinceMs ?? openedAtMs, openedAtMs);
  const lasted = formatSeconds(Math.max(0, Math.round((about.atMs - beganMs) / 1000)));
  const isOver = news === 'healed';
  const isOpen = !isOver && news !== 'acknowledged';
  const head = HEADS[news](level?.name ?? '');
  return {
    id: about.id,
    type: `incident.${news}`,
    at: rfc3339(about.atMs),
    system,
    severity: isOver ? 'info' : severity,
    title: line(`${system}: ${head}${check} of ${subject}`),
    text: lines([
      isOver ? `It was: ${what}` : what,
      isOver ? `It lasted ${lasted}.` : `Since ${rfc3339(beganMs)} (${lasted}).`,
      ...(about.by === undefined ? [] : [`By ${about.by}${about.note === undefined ? '' : `: ${about.note}`}`]),
      ...(isOver ? [] : [`What to do: ${hint}`]),
      ...(isOpen ? [`Say that you are on it: holdfast ack ${system} ${id}`] : []),
    ]),
    facts: {
      incident: id,
      check,
      subject,
      openedAt: rfc3339(openedAtMs),
      since: rfc3339(beganMs),
      ...(level === undefined ? {} : { level: level.number, levelName: level.name }),
      ...(about.by === undefined ? {} : { acknowledgedBy: about.by }),
    },
  };
}

/** An operation that ended, as its report says it. */
export interface Ended {
  readonly system: string;
  readonly kind: string;
  readonly id: string;
  /** Which plan, store or component, as the operation's name in the engine says it. */
  readonly subject?: string;
  readonly atMs: number;
  readonly durationSeconds?: number;
  readonly report: Readonly<Record<string, unknown>>;
}

/** Which operation a report is of, and the outcomes that count as done. What is not here is nobody's news. */
const OPERATIONS: Readonly<Record<string, { readonly name: string; readonly done: readonly string[] }>> = {
  backup: { name: 'backup', done: ['done'] },
  copy: { name: 'copy', done: [] },
  prune: { name: 'prune', done: ['swept', 'nothing', 'gave-way'] },
  verify: { name: 'verify', done: [] },
  verifyStore: { name: 'verify', done: [] },
  restore: { name: 'restore', done: ['restored', 'verified'] },
  rows: { name: 'restore', done: ['restored'] },
  missing: { name: 'restore', done: ['restored', 'undone'] },
  failover: { name: 'failover', done: ['done'] },
  // A site that stopped for another and does not start again; that it handed over is told by the other one.
  handover: { name: 'failover', done: [] },
  cleanPoint: { name: 'clean-point', done: [] },
  drill: { name: 'drill', done: ['passed'] },
};
const FAILED = ['failed', 'rolled-back', 'expired'];
/** Outcomes that are news under their own name. */
const NAMED = ['skipped', 'announced', 'found', 'none'];
/** What has to be done when an operation came to such an end. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  'clean-point none':
    'look further back with --backups, or judge by something else; read what was found in each backup',
};

/** Undefined for an end that nobody is told of: a plan that was printed, a restore that a person rejected. */
export function endOf({ kind, report }: Pick<Ended, 'kind' | 'report'>): ChannelEvent | undefined {
  const operation = OPERATIONS[kind];
  if (operation === undefined) return undefined;
  const { outcome, ok } = report;
  const event = (how: string): ChannelEvent | undefined =>
    CHANNEL_EVENTS.find((known) => known === `${operation.name} ${how}`);
  if (ok === false || (typeof outcome === 'string' && FAILED.includes(outcome))) return event('failed');
  if (typeof outcome === 'string' && NAMED.includes(outcome)) return event(outcome);
  const isDone = typeof outcome === 'string' ? operation.done.includes(outcome) : operation.done.length === 0;
  return isDone ? event('done') : undefined;
}

export function endNotice(ended: Ended, event: ChannelEvent): Notice {
  const { system, report, atMs, id, subject, durationSeconds } = ended;
  const [operation = '', how = ''] = event.split(' ');
  const failure = report['failure'] as { code?: unknown; message?: unknown; hint?: unknown } | undefined;
  const facts = { ...(subject === undefined ? {} : { subject }), ...factsOf(report, durationSeconds) };
  const nextStep = failure === undefined ? NEXT_STEPS[event] : String(failure.hint);
  const warnings = Array.isArray(report['warnings']) ? report['warnings'].map(String) : [];
  return {
    id: safeId(`${operation}-${id}-${how}`),
    type: `${operation}.${how}`,
    at: rfc3339(atMs),
    system,
    severity: how === 'failed' ? 'critical' : how === 'none' ? 'warning' : 'info',
    title: line(`${system}: ${operation}${subject === undefined ? '' : ` of ${subject}`} ${how}`),
    text: lines([
      ...(failure === undefined ? [] : [`${String(failure.message)} [${String(failure.code)}]`]),
      ...Object.entries(facts).map(([key, value]) => `${key}: ${shownFact(key, value)}`),
      ...LISTED.flatMap((key) => listedFact(key, report[key])),
      ...warnings.map((warning) => `warning: ${warning}`),
      ...(nextStep === undefined ? [] : [`What to do: ${nextStep}`]),
    ]),
    facts: { ...facts, ...(failure === undefined ? {} : { code: String(failure.code) }) },
  };
}

/** Backups that a search found something in, or could not judge. */
const LISTED = ['notClean', 'undecided'] as const;

function listedFact(key: string, ids: unknown): string[] {
  return Array.isArray(ids) && ids.length > 0 ? [`${key}: ${ids.map(String).join(', ')}`] : [];
}

/** Of a report, what is a plain value: numbers, names, times. */
function factsOf(report: Ended['report'], durationSeconds: number | undefined): Notice['facts'] {
  const plain = Object.entries(report).flatMap(([key, value]) => {
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return isPlain ? [[key, value] as const] : [];
  });
  return { ...Object.fromEntries(plain), ...(durationSeconds === undefined ? {} : { durationSeconds }) };
}

function shownFact(key: string, value: string | number | boolean): string {
  if (typeof value !== 'number') return String(value);
  if (/bytes$/i.test(key)) return formatBytes(value);
  return /seconds$/i.test(key) ? formatSeconds(value) : String(value);
}

/** To see that a channel works. */
export function testNotice(system: string, about: { id: string; atMs: number; by: string }): Notice {
  return {
    id: safeId(about.id),
    type: 'test',
    at: rfc3339(about.atMs),
    system,
    severity: 'info',
    title: line(`${system}: a test of this channel`),
    text: lines([`Sent by ${about.by} with \`holdfast notify test\`. Nothing is wrong.`]),
    facts: { by: about.by },
  };
}

/** As a message id may be: the parts of what is signed are joined by dots, so that there is none in it. */
export function safeId(text: string): string {
  return text.replaceAll(/[^\w-]/g, '_').slice(0, 200);
}

/** The last line says what to do: it stays. */
function lines(all: readonly string[]): string {
  const kept = all.length > MOST_LINES ? [...all.slice(0, MOST_LINES - 1), ...all.slice(-1)] : all;
  return kept.map(line).join('\n');
}

/** One line, whatever was in it. */
function line(text: string): string {
  const flat = text.replaceAll(/\s+/g, ' ').trim();
  return flat.length > LONGEST_LINE ? `${flat.slice(0, LONGEST_LINE - 1)}…` : flat;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
