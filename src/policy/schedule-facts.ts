/** A schedule as the engine has it, in the words of this program. */
import type { ScheduleSpec } from './due-times.ts';

export interface EngineSchedule {
  readonly id: string;
  /** Undefined where a person has given it times of a form that no system file has. */
  readonly spec: ScheduleSpec | undefined;
  readonly jitterSeconds: number;
  readonly catchUpSeconds: number;
  readonly overlap: string;
  readonly pauseOnFailure: boolean;
  readonly workflowType: string;
  /** The engine adds the time to it. */
  readonly workflowIdBase: string;
  readonly taskQueue: string;
  /** What the workflow gets. */
  readonly start: unknown;
  /** It ends after so many runs; absent: never. */
  readonly remaining?: number;
  readonly paused: boolean;
  /** Whoever paused or resumed it last may have said why. */
  readonly note?: string;
}

export interface ScheduledRun {
  /** When it was due, without the jitter; of a run that was triggered: when that was asked for. */
  readonly dueAtMs: number;
  readonly startedAtMs: number;
  readonly workflowId: string;
  readonly runId: string;
}

export interface DescribedSchedule extends EngineSchedule {
  readonly system: string;
  /** `backup/daily`. */
  readonly name: string;
  /** The next ones, by the engine, jitter included; also while it is paused. */
  readonly nextMs: readonly number[];
  /** Oldest first; at most the last ten. */
  readonly recent: readonly ScheduledRun[];
  /** Runs that have not ended. */
  readonly running: readonly { readonly workflowId: string; readonly runId: string }[];
  readonly createdAtMs: number;
  readonly updatedAtMs?: number;
  /** Counted since it was created. */
  readonly taken: number;
  /** Not made up for, because the engine was down for longer than the catch-up window. */
  readonly missed: number;
  /** Skipped because the run before had not ended. */
  readonly skipped: number;
}
