/** What the engine's schedules start, as people and programs meet it from outside. */

/** Fields beside these four are handed to the operation, which checks them. */
export interface ScheduledInput {
  /** The schedule's name, such as `backup/daily`. */
  readonly schedule: string;
  /** The workflow type, such as `backup`. */
  readonly operation: string;
  /** Under which it runs. */
  readonly workflowId: string;
  readonly system: string;
  readonly [field: string]: unknown;
}

export interface ScheduledResult {
  /** `skipped`, or what the operation calls its own outcome; `done` when it does not say. */
  readonly outcome: string;
  readonly why?: string;
  /** Of operations that judge something. */
  readonly ok?: boolean;
  readonly workflowId: string;
  /** Absent when it was skipped. */
  readonly runId?: string;
}
