/** Shapes of the search for the newest backup that is known to be clean. */
import type { BackupVerdict } from '../policy/clean-point.ts';

export type { BackupVerdict, CleanCheck } from '../policy/clean-point.ts';

/** What is left out is as the system file's `cleanPoint` has it. */
export interface CleanPointInput {
  readonly system: string;
  /** Comma-separated names. */
  readonly components?: string;
  readonly plan?: string;
  readonly store?: string;
  /** How many are looked at, from the newest on. */
  readonly backups?: number;
  /** Only backups before this time, RFC 3339. */
  readonly before?: string;
  /**
   * For a shell, asked of a copy at `$HOLDFAST_SCRATCH`: 0 is clean, 1 is not, anything else is no answer. It stands in
   * the history: no secrets. Refused when it was not typed on the host (`holdfast clean-point --check`), like `query`.
   */
  readonly command?: string;
  /** `<component>: <SQL>`; the one value is true, or not zero, in a clean database. */
  readonly query?: string;
  /** Compares what files look like with earlier backups. */
  readonly entropy?: boolean;
  /** Compares how much changed with the backups before. */
  readonly changes?: boolean;
  /** Looks only where the boundary must be, if what has come once has stayed since. */
  readonly bisect?: boolean;
  /** After so long no further backup is begun. */
  readonly limitSeconds?: number;
}

export interface CleanPointResult {
  readonly outcome: 'found' | 'none';
  /** The newest clean one. */
  readonly backup?: string;
  readonly store?: string;
  readonly pointAt?: string;
  readonly components: readonly string[];
  /** Newest first. */
  readonly verdicts: readonly BackupVerdict[];
  /** In which something was found, also of those that are older. */
  readonly notClean: readonly string[];
  readonly undecided: readonly string[];
  /** With why: frozen, not trusted, past the time limit, not needed by halving. */
  readonly notLooked: readonly { readonly backup: string; readonly pointAt: string; readonly why: string }[];
  readonly warnings: readonly string[];
  /** The report in the stores. */
  readonly report?: string;
  readonly reportFile?: string;
  /** What to type next. */
  readonly restore?: string;
  /** A directory on the host with the names of what was found. */
  readonly evidence: string;
  readonly host: string;
  readonly durationMs: number;
}
