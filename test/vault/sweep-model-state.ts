/** A state of the model: small integers only, so that millions of them fit. */
import type { SweepMarks } from '../../src/policy/sweep.ts';

export interface ModelOptions {
  readonly captures: number;
  readonly copies: number;
  readonly sweeps: number;
  readonly chunks: number;
  /** How often processes may die and be started again, in all. */
  readonly crashes: number;
  /** Leaves the settling step out: the check must then find a loss. */
  readonly broken?: 'no-settling' | 'no-second-listing' | 'cache-ignores-sweeps';
  readonly maxStates?: number;
}

/** Small integers only, so that a state is a short string. */
export type State = number[];

export const NONE = 0;
export const MANIFEST = 1;
export const TOMBSTONE = 2;
/** Steps of a writer (a capture or a copy). */
export const W = {
  look: 0,
  record: 1,
  lookAgain: 2,
  heed: 3,
  put: 4,
  commit: 5,
  committed: 6,
  superseded: 7,
  dead: 8,
  clear: 9,
} as const;
/** Steps of a sweep. */
export const S = {
  waiting: 0,
  end: 1,
  prune: 2,
  list: 3,
  condemn: 4,
  act: 5,
  relist: 6,
  remove: 7,
  done: 8,
  dead: 9,
} as const;

export const WRITER_FIELDS = 5; // step, recorded, at manifest's name, chunks relied on, chunk being put
export const SWEEP_FIELDS = 7; // step, marks, condemned, named, swept, chunk being removed, gave way
export const MARK = { condemned: 1, closing: 2, deleting: 4, done: 8 } as const;

export function at(state: State, index: number): number {
  return state[index] ?? 0;
}

export function changed(state: State, base: number, step: number, change?: (after: State) => void): State {
  const after = state.slice();
  after[base] = step;
  change?.(after);
  return after;
}

const known: SweepMarks[][] = [];

export function marksOf(sweep: number, bits: number): SweepMarks {
  const own = (known[sweep] ??= []);
  return (own[bits] ??= {
    name: String(sweep + 1),
    condemned: (bits & MARK.condemned) !== 0,
    closing: (bits & MARK.closing) !== 0,
    deleting: (bits & MARK.deleting) !== 0,
    done: (bits & MARK.done) !== 0,
  });
}
