/** What people and programs ask of a restore. */
import type { PassedOver } from '../policy/fall-back.ts';
import type { WholePart } from './whole-contract.ts';

export interface RestoreInput {
  readonly system: string;
  /** `latest` (default), a backup id, or `before:<RFC 3339 time>`. */
  readonly backup?: string;
  readonly plan?: string;
  readonly store?: string;
  /** Comma-separated component names; default all in the backup. */
  readonly components?: string;
  /** Comma-separated paths inside one tree. */
  readonly paths?: string;
  /** Another place: a directory, or a volume name. Nothing live is touched then. */
  readonly target?: string;
  /** For a database cluster: `end`, `time:<RFC 3339>`, `lsn:<LSN>` or `name:<restore point>`. Default: the backup. */
  readonly recoverTo?: string;
  /** `plan` prints and ends; `verify` restores beside, checks, removes; `restore` (default) does all of it. */
  readonly mode?: 'plan' | 'verify' | 'restore';
  /** The digest of a plan approved beforehand. */
  readonly approve?: string;
  readonly approvedBy?: string;
  readonly skipSafetyBackup?: boolean;
  /** How fast a backup in an archive class is thawed. Default standard; needed where nobody approves the plan. */
  readonly thaw?: 'bulk' | 'standard' | 'expedited';
  /** All components, each from its newest usable backup (before `before:<time>`), validated by the system's own checks. */
  readonly whole?: boolean;
  /** With `whole`: fewer backups count more than what is lost. */
  readonly together?: boolean;
  /** With `whole`: how often a backup that is found bad in time gives way to an older one. Default 3; 0: never. */
  readonly fallBacks?: number;
  /** Of a failover: the generation that this site has raised, under which it may replace what lives here. */
  readonly takeover?: number;
  /**
   * With `whole`, at a site that is not the active one, where nothing of the system runs: into the live place, and nothing is
   * started. Nobody is asked. What a failover restores next is then there already.
   */
  readonly prepare?: boolean;
  /** Also a backup of a site that was fenced, which the history of the active one does not hold. */
  readonly apart?: boolean;
}

/** What a restore that runs adds to what people ask for. */
export interface PlanRequest extends RestoreInput {
  /** Of a whole system: the parts of an earlier plan, which are taken again. */
  readonly pinned?: readonly WholePart[];
  readonly fellBack?: FellBack;
}

/** How often older backups were taken already, and what was found bad. */
export interface FellBack {
  readonly times: number;
  readonly passedOver: readonly PassedOver[];
}
