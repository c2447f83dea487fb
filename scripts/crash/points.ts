/** Where a crash strikes, decided by a seed alone. Pure. */

export type Operation =
  | 'backup'
  | 'restore'
  | 'receive'
  | 'rows'
  | 'copy'
  | 'prune'
  | 'heal'
  | 'storm'
  | 'missing'
  | 'undo'
  /** What a lane has done of its own, such as a drill; and the same once more. */
  | 'errand'
  | 'second errand';
/** `machine`: all workers and the engine at once. `… twice`: again while it starts. */
export type Victim =
  | 'host worker'
  | 'worker'
  | 'server'
  | 'store'
  | 'docker'
  | 'database'
  | 'connections'
  | 'machine'
  | 'host worker twice'
  | 'worker twice';
export type StoreFault = 'unavailable' | 'reset' | 'lose-answer' | 'cut' | 'hang';

/** What can be struck where an operation runs. */
export interface Targets {
  /** The store is reached through a proxy that can misbehave. */
  readonly store: boolean;
  /** The Docker daemon may be restarted. */
  readonly docker: boolean;
  /** A database server may be killed, and its connections cut. */
  readonly database?: boolean;
  /** Also all at once, and what is starting again after a blow. */
  readonly hard?: boolean;
  /** What even and odd seeds strike; a backup and a restore unless said otherwise. */
  readonly round?: readonly [Operation, Operation];
  /** Requests may hang until the client's patience ends, which takes minutes for a large object. */
  readonly hang: boolean;
}

export interface Point {
  readonly seed: number;
  readonly operation: Operation;
  readonly victim: Victim;
  /** Which of the operation's steps, as a part of their number: 0 the first, just under 1 the last. */
  readonly stepPart: number;
  /** How long after the step was scheduled, as a part of the time it took without a crash. */
  readonly delayPart: number;
  readonly fault: StoreFault;
  /** How many requests of the store the fault befalls. */
  readonly requests: number;
  /** When the second blow falls, as a part of the time in which a worker takes up its work. */
  readonly againPart: number;
}

const USUAL_ROUND = ['backup', 'restore'] as const;

/** Spreads neighbouring numbers over all of 32 bits (the finaliser of MurmurHash3). */
function scattered(seed: number): number {
  let mixed = seed >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Numbers in [0, 1) from a seed (mulberry32): the same on every machine, unrelated for neighbouring seeds. */
export function randomFrom(seed: number): () => number {
  let state = scattered(seed);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(choices: readonly (readonly [T, number])[], part: number): T {
  const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
  let left = part * total;
  for (const [choice, weight] of choices) {
    left -= weight;
    if (left < 0) return choice;
  }
  const last = choices.at(-1);
  if (last === undefined) throw new Error('nothing to choose from');
  return last[0];
}

/** Even seeds strike the first operation of a round, odd ones the second; the rest follows from the seed. */
export function pointOf(seed: number, targets: Targets): Point {
  const random = randomFrom(seed);
  const operation = (targets.round ?? USUAL_ROUND)[seed % 2 === 0 ? 0 : 1];
  const victim = pick<Victim>(
    [
      ['host worker', 6],
      ['worker', 2],
      ['server', 2],
      ['store', targets.store ? 8 : 0],
      ['docker', targets.docker ? 2 : 0],
      ['database', targets.database === true ? 5 : 0],
      ['connections', targets.database === true ? 3 : 0],
      ['machine', targets.hard === true ? 3 : 0],
      ['host worker twice', targets.hard === true ? 3 : 0],
      ['worker twice', targets.hard === true ? 1 : 0],
    ],
    random(),
  );
  const fault = pick<StoreFault>(
    [
      ['unavailable', 3],
      ['reset', 3],
      ['lose-answer', 3],
      ['cut', 3],
      ['hang', targets.hang ? 1 : 0],
    ],
    random(),
  );
  return {
    seed,
    operation,
    victim,
    stepPart: random(),
    delayPart: random() * 1.1,
    fault,
    requests: 1 + Math.floor(random() * 5),
    againPart: random(),
  };
}

/** The seeds of a run, in pairs that one cycle of backup and restore serves. */
export function cyclesOf(firstSeed: number, points: number): number[][] {
  const seeds = Array.from({ length: points }, (_, index) => firstSeed + index);
  const cycles = new Map<number, number[]>();
  for (const seed of seeds) {
    const cycle = Math.floor(seed / 2);
    cycles.set(cycle, [...(cycles.get(cycle) ?? []), seed]);
  }
  return [...cycles.values()];
}

/** A cycle always runs in the same place, so that a seed alone repeats it. */
export function laneOf(seeds: readonly number[], lanes: number): number {
  return Math.floor((seeds[0] ?? 0) / 2) % lanes;
}

/** Which of a lane's rounds a cycle is: one after the other. */
export function roundOf(seeds: readonly number[], lanes: number, rounds: number): number {
  return Math.floor((seeds[0] ?? 0) / 2 / lanes) % rounds;
}

/** `operation` is its name where the lane has its own. */
export function describePoint(
  point: Point,
  { lane, operation }: { lane: string; operation: string },
  step: string,
): string {
  const percent = (part: number): string => `${Math.round(part * 100)} %`;
  const again = point.victim.endsWith(' twice') ? `, again at ${percent(point.againPart)} of its start` : '';
  return `seed ${point.seed}: ${lane}, ${operation}, ${wordsOf(point)} in ${step} + ${percent(point.delayPart)}${again}`;
}

function wordsOf({ victim, fault, requests }: Point): string {
  if (victim === 'store') return `store ${fault} for ${requests} requests`;
  return `${victim} ${victim === 'connections' ? 'cut' : 'killed'}`;
}
