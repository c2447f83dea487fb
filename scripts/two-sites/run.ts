/** Failovers from one site to the other and back again, each under a fault that the seed chooses; on several beds side by side. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Bed } from './bed.ts';
import type { Fault } from './fault.ts';
import { FAULTS, STEPS } from './faults.ts';
import { Phases, toldOfPhases } from './phases.ts';
import { playRound, readyAgain, type Drawn, type Round } from './round.ts';

export interface ProofOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Pairs of sites that are struck side by side. Default 1. */
  readonly beds?: number;
  /** Only these. */
  readonly faults?: readonly string[] | undefined;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Held extends Round {
  readonly seed: number;
}

export interface Broken {
  readonly seed: number;
  readonly fault: string;
  readonly why: string;
}

export interface ProofReport {
  readonly rounds: readonly Held[];
  /** A round that did not hold ends the run: what follows would stand on it. */
  readonly broken: readonly Broken[];
}

/** Pure: the fault of a seed, and when it strikes. All are struck once before one is struck again. */
export function drawn(seed: number, faults: readonly Fault[] = FAULTS): Drawn {
  const turn = Math.floor(seed / faults.length);
  const order = faults
    .map((fault, index) => ({ fault, key: mixed(turn * 1000 + index) }))
    .toSorted((one, other) => one.key - other.key);
  const fault = order[seed % faults.length]?.fault;
  if (fault === undefined) throw new Error('there is no fault to strike with');
  // Each fault goes through all steps, from one turn to the next.
  const { steps = STEPS } = fault;
  const step = steps[(turn + FAULTS.indexOf(fault) * 7) % steps.length] ?? '';
  return { fault, part: (mixed(seed) % 1000) / 1000, step };
}

/** The finaliser of MurmurHash3 (32 bits): near seeds become far numbers. */
function mixed(seed: number): number {
  let h = seed >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** What all beds of a run share: each takes the next seed when it is through with one. */
interface Run {
  readonly faults: readonly Fault[];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly held: Held[];
  readonly broken: Broken[];
  /** Undefined when there is none left, or one did not hold. */
  next(): number | undefined;
}

export async function proveSites({ seed, rounds, beds = 1, say, ...given }: ProofOptions): Promise<ProofReport> {
  const signal = given.signal ?? new AbortController().signal;
  let at = seed;
  const broken: Broken[] = [];
  const run: Run = {
    faults: FAULTS.filter(({ name }) => given.faults?.includes(name) ?? true),
    ...{ signal, say, held: [], broken },
    next: () => (isOver(signal) || broken.length > 0 || at >= seed + rounds ? undefined : at++),
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(beds, rounds) }, () => onOneBed(run)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return { rounds: run.held.toSorted((one, other) => one.seed - other.seed), broken };
}

async function onOneBed(run: Run): Promise<void> {
  const bed = await Bed.open();
  try {
    const began = (async () => {
      await bed.begin();
      bed.startClient();
      await readyAgain(bed, bed.sites[0], new Phases());
    })();
    await unlessEnded(began, run.signal).catch((error: unknown) => {
      if (!isOver(run.signal)) throw error;
    });
    let [active, standby] = bed.sites;
    for (let seed = run.next(); seed !== undefined; seed = run.next()) {
      const round = await oneRound(run, bed, seed, { active, standby });
      if (round === undefined) return;
      if (round.now !== active) [active, standby] = [standby, active];
    }
  } finally {
    await bed.close();
  }
}

/** Undefined when it did not hold, or was given up. */
async function oneRound(
  { faults, signal, say, held, broken }: Run,
  bed: Bed,
  seed: number,
  sites: Parameters<typeof playRound>[1],
): Promise<Round | undefined> {
  const one = drawn(seed, faults);
  const beganAt = Date.now();
  try {
    const round = await unlessEnded(playRound(bed, sites, one, signal), signal);
    held.push({ ...round, seed });
    say(`seed ${seed}: ${toldOf(round)}, ${seconds(Date.now() - beganAt)}\n    ${toldOfPhases(round.phases)}`);
    return round;
  } catch (error) {
    if (isOver(signal)) return undefined;
    const why = error instanceof Error ? error.message : String(error);
    broken.push({ seed, fault: one.fault.name, why });
    say(`seed ${seed}: ${one.fault.name} from ${sites.active.name}: ${why}`);
    for (const line of await lastWords(bed)) say(line);
    return undefined;
  }
}

/** Read anew: it may have come meanwhile. */
function isOver({ aborted }: AbortSignal): boolean {
  return aborted;
}

/** What goes on when a person ends it goes down with the machines. */
async function unlessEnded<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(new Error('ended'));
  signal.addEventListener('abort', end);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', end);
    work.catch(() => undefined);
  }
}

function toldOf({ fault, outcome, lost, result, afterSleepMs }: Round): string {
  const rto = result.rto === undefined ? '' : `, RTO ${result.rto.seconds} s, ${result.rto.ownSeconds} s of it its own`;
  const slept = afterSleepMs === 0 ? '' : `, both for ${Math.round(afterSleepMs)} ms after the sleep`;
  const down = result.planned === undefined ? '' : `, down for ${result.planned.downSeconds} s`;
  return `${fault}: ${outcome}${rto}${down}, ${lost} records lost as it was said${slept}`;
}

async function lastWords(bed: Bed): Promise<string[]> {
  const words: string[] = [];
  for (const site of bed.sites) {
    const up = await readFile(path.join(site.home, 'up.log'), 'utf8').catch(() => '');
    words.push(
      `--- ${site.name}, guard`,
      (await site.guardLog()).slice(-1500),
      `--- ${site.name}, up`,
      up.slice(-1500),
    );
  }
  return words;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
