/** Failovers from one site to the other and back again, each under a fault that the seed chooses. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Bed } from './bed.ts';
import { FAULTS, type Fault } from './faults.ts';
import { playRound, type Drawn, type Round } from './round.ts';

export interface ProofOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Only these. */
  readonly faults?: readonly string[] | undefined;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Broken {
  readonly seed: number;
  readonly fault: string;
  readonly why: string;
}

export interface ProofReport {
  readonly rounds: readonly Round[];
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
  return { fault, part: (mixed(seed) % 1000) / 1000 };
}

/** The finaliser of MurmurHash3 (32 bits): near seeds become far numbers. */
function mixed(seed: number): number {
  let h = seed >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export async function proveSites({ seed, rounds, faults, say, ...given }: ProofOptions): Promise<ProofReport> {
  const chosen = FAULTS.filter(({ name }) => faults?.includes(name) ?? true);
  const signal = given.signal ?? new AbortController().signal;
  const bed = await Bed.open();
  const held: Round[] = [];
  const broken: Broken[] = [];
  try {
    await bed.begin();
    bed.startClient();
    let [active, standby] = bed.sites;
    for (let at = seed; at < seed + rounds && !isOver(signal); at += 1) {
      const { fault } = drawn(at, chosen);
      const beganAt = Date.now();
      try {
        const round = await unlessEnded(playRound(bed, { active, standby }, drawn(at, chosen), signal), signal);
        held.push(round);
        say(`seed ${at}: ${toldOf(round)}, ${seconds(Date.now() - beganAt)}`);
        if (round.outcome === 'done') [active, standby] = [standby, active];
      } catch (error) {
        if (isOver(signal)) break;
        const why = error instanceof Error ? error.message : String(error);
        broken.push({ seed: at, fault: fault.name, why });
        say(`seed ${at}: ${fault.name} from ${active.name}: ${why}`);
        for (const line of await lastWords(bed)) say(line);
        break;
      }
    }
  } finally {
    await bed.close();
  }
  return { rounds: held, broken };
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
  return `${fault}: ${outcome}${rto}, ${lost} records lost as it was said${slept}`;
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
