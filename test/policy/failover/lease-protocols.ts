/** What the model of the lease is asked, and what it answers. */
import type { Generation } from '../../../src/policy/failover/lease.ts';

/** Protocols with one thing left out: the model must find two active sites in each. */
export const BROKEN = [
  'generation read before the renewal is written',
  'no waiting',
  'no reading after the raise',
  'no allowance for clocks',
  'lease counted from the answer',
  'started before it is cleared',
  'a machine that sleeps keeps its stack',
  'a stop that is begun again has its whole time',
] as const;
export type Broken = (typeof BROKEN)[number];

export interface PlayOptions {
  readonly seed: number;
  readonly broken?: Broken;
}

export interface Played {
  /** The first moment at which both sites ran, with what had happened. */
  readonly violation: string | undefined;
  readonly takeovers: number;
  readonly stops: number;
  readonly starts: number;
  /** At the end, with everything mended: the sites whose stack runs. */
  readonly active: readonly string[];
  readonly newest: Generation | undefined;
}
