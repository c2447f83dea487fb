/** What a lane's own rounds are given by the cycle. */
import type { StruckPoint, Stage } from './endure.ts';
import type { Operation, Point } from './points.ts';

export interface RoundTools {
  readonly backUp: (stage: Stage, point: Point | undefined) => Promise<StruckPoint | undefined>;
  readonly pointFor: (operation: Operation) => Point | undefined;
  /** From 0 to 1: what changes in this cycle. */
  readonly part: number;
}

/** What a round did to the points, and the digest that has to be found after it. */
export type Played = readonly [struck: (StruckPoint | undefined)[], wanted: string];
