/** Housekeeping as people and programs meet it from outside. */
import type { KeptReason } from '../policy/housekeeping.ts';

export interface HousekeepingInput {
  readonly system: string;
  /** A name of the section `housekeeping`. */
  readonly task: string;
  /** Says what would go, and ends. */
  readonly dryRun?: boolean;
  /** How long to wait for another operation on the system before giving up. Default 6 h. */
  readonly waitSeconds?: number;
}

/** What became of one component's old files. */
export interface HousekeepingOutcome {
  readonly task: string;
  readonly component: string;
  readonly dryRun: boolean;
  /** What is counted: files, or entries of the component with all below them. */
  readonly units: 'files' | 'entries';
  /** All that the task looks at. */
  readonly found: number;
  /** With `dryRun`: what would go. */
  readonly removed: number;
  readonly removedBytes: number;
  /** What stays, by reason. */
  readonly kept: Readonly<Record<KeptReason, number>>;
  /** What was read back: empty when nothing was old enough. */
  readonly stores: readonly { readonly store: string; readonly backup: string }[];
  readonly failed: number;
  readonly firstFailure?: string;
  /** A file on the host with a line of JSON for each that was old enough. */
  readonly list: string;
}

export interface HousekeepingResult extends HousekeepingOutcome {
  readonly outcome: 'planned' | 'nothing' | 'done';
}
