/**
 * What workflows ask of the world. Workflows import these types only. Inputs and results are small JSON without
 * secrets. Every activity may run twice, or beside itself; each heartbeats ActivityProgress and honours cancellation.
 */
import type { Beside, CheckReport } from '../sources/kinds/component.ts';
import type { CleanPointActivities } from './clean-point-types.ts';
import type { MissingActivities } from './missing-types.ts';
import type { DrillActivities, DrillFactsActivities } from './drill-types.ts';
import type { AskingActivities, AuditActivities } from './audit-types.ts';
import type { DnsActivities } from './failover/dns-types.ts';
import type { FailoverActivities, FailoverFactsActivities } from './failover-types.ts';
import type { LookActivities, MonitorActivities } from './monitor-types.ts';
import type { ReadinessActivities } from './readiness-types.ts';
import type { RestartActivities } from './restart-types.ts';
import type { HandoverActivities, HandoverFactsActivities } from './handover-types.ts';
import type { SiteWatchFactsActivities } from './site-watch-types.ts';
import type { StandbyActivities } from './standby-types.ts';
import type { ChangeFacts, WalFacts } from './standing-types.ts';
import type { CopyFacts } from './store-types.ts';
import type { ValidationActivities } from './validation-types.ts';
import type { Objectives } from '../system/validation-types.ts';
import type { CaptureTicket, ComponentRecord, FreezeRecord, ProofBody } from '../vault/types.ts';
import type { RowsApplied } from '../sources/rows/rows-kind.ts';
import type { StoreVerdict } from '../workflows/contract.ts';
import type {
  ChecklistResult,
  HousekeepingOutcome,
  PlanRequest,
  RestorePlan,
  RowsMerged,
  RowsPlan,
} from '../workflows/contract.ts';

export type * from './drill-types.ts';
export type * from './failover-types.ts';
export type * from './monitor-types.ts';
export type * from './readiness-types.ts';
export type * from './restart-types.ts';
export type * from './failover/dns-types.ts';
export type * from './standby-types.ts';
export type * from './standing-types.ts';
export type * from './store-types.ts';
export type * from './validation-types.ts';

/** The facts of a system that a workflow decides by. */
export interface SystemFacts {
  readonly system: string;
  readonly site: string;
  readonly approvalLimitSeconds: number;
  readonly keepAsideSeconds: number;
  /** How long a host may be silent before an operation that freezes gives up on it. Default 600. */
  readonly hostSilentSeconds?: number;
  /** SHA-256 of the system file's text. */
  readonly fileSha256: string;
  readonly components: readonly {
    readonly name: string;
    readonly kind: string;
    readonly tier: string;
    readonly host: string;
    /** How the component itself asks to be quiesced; absent for kinds that never need it. */
    readonly quiesce?: CaptureGroup['quiesce'];
    /** Its write-ahead log is received continuously. */
    readonly log?: true;
  }[];
  /** How soon it has to be back; absent: nothing is promised. */
  readonly objectives?: Objectives;
  /** What must hold of the running system; absent: the file says nothing. */
  readonly checks?: readonly { readonly name: string; readonly host: string }[];
  /** What is compared with an outside truth; absent: nothing. */
  readonly reconcile?: readonly { readonly name: string; readonly host: string }[];
}

/** One group of components that are captured together on one host, inside one freeze when there is one. */
export interface CaptureGroup {
  readonly host: string;
  readonly components: readonly string[];
  readonly quiesce: { readonly mode: 'pause' | 'stop' | 'none'; readonly budgetSeconds: number };
}

export interface BackupFacts extends SystemFacts {
  readonly plan: string;
  readonly store: string;
  /** All stores of the plan, the one above first. The first that can be reached takes the capture, the others copies. */
  readonly stores?: readonly string[];
  readonly verify: 'presence' | 'content';
  readonly groups: readonly CaptureGroup[];
  /** The host that begins and commits the capture. */
  readonly commitHost: string;
  /** What is committed to a git repository afterwards, by host; absent: nothing is. */
  readonly git?: readonly ChangeFacts[];
}

/** What became of a commit of text configuration. */
export interface CommittedConfiguration {
  readonly commit: string;
  /** It is the commit that was there before. */
  readonly unchanged: boolean;
  readonly files: number;
  /** Some of what was left out, with why. */
  readonly leftOut: readonly { readonly path: string; readonly why: string }[];
  readonly leftOutCount: number;
  /** Absent without a remote. */
  readonly pushed?: boolean;
  readonly pushTrouble?: string;
}

export interface CaptureResult {
  readonly components: readonly ComponentRecord[];
  readonly freezes: readonly FreezeRecord[];
}

/** What lives on one host at present, of the components that were asked for. */
export interface LiveThere {
  readonly host: string;
  readonly components: readonly {
    readonly name: string;
    readonly exists: boolean;
    readonly newestChangeMs?: number;
    readonly problems: readonly string[];
  }[];
  /** The containers that a restore of these components would stop and start there. */
  readonly stack: readonly string[];
}

/** Which rows of which component; `rowsId` names everything that is made for them. */
export interface RowsRequest {
  readonly system: string;
  readonly component: string;
  readonly rowsId: string;
  readonly table: string;
  readonly where?: string;
  /** What holds of a good row, where several backups are merged. */
  readonly valid?: string;
  readonly onChanged: 'keep' | 'restore';
  readonly database?: string;
}

/** A backup, restored into a separate database that can be inspected. */
export interface RowsBrought {
  readonly store: string;
  readonly backup: string;
  readonly manifestKey: string;
  readonly pointAt: string;
  /** In one spelling. */
  readonly recoverTo?: string;
  /** A file, or a database on the same server. */
  readonly copy: string;
  /** Of several backups: their ids, newest first, and what each gave. */
  readonly from?: string;
  readonly merged?: readonly RowsMerged[];
  readonly warnings: readonly string[];
}

/** Run on the orchestration queue. */
export interface OrchestrationActivities
  extends
    MonitorActivities,
    AskingActivities,
    DrillFactsActivities,
    FailoverFactsActivities,
    HandoverFactsActivities,
    SiteWatchFactsActivities {
  describeCopy(input: { system: string; target: string }): Promise<CopyFacts>;
  /** Starts the copies to these stores, or tells those that run that there is more. */
  startCopies(input: { system: string; targets: readonly string[] }): Promise<void>;
  describeBackup(input: { system: string; plan: string }): Promise<BackupFacts>;
  describeSystem(input: { system: string }): Promise<SystemFacts>;
  /** The stores of a system, or the one that is named, with the hosts that maintain them. */
  describeStores(input: {
    system: string;
    store?: string;
  }): Promise<readonly { readonly name: string; readonly host: string }[]>;
  /** Undefined when the system file has no such component, or no log is to be received of it. */
  describeWal(input: { system: string; component: string }): Promise<WalFacts | undefined>;
  /** The host of a housekeeping task. */
  describeHousekeeping(input: { system: string; task: string }): Promise<{ host: string; site: string }>;
  /** What is to be watched for a plan, by host; empty when it is not run on change. */
  describeChanges(input: { system: string; plan: string }): Promise<readonly ChangeFacts[]>;
  /** Undefined when the system file asks for no warm standby. */
  describeStandby(input: { system: string }): Promise<SystemFacts | undefined>;
  /** Whether a workflow of this id runs. */
  stillRuns(input: { workflowId: string }): Promise<boolean>;
  /** Who holds the system's lock, or undefined when nobody does any more. */
  lockHolder(input: { lockId: string }): Promise<{ operation: string; plan?: string; workflowId: string } | undefined>;
  /**
   * Writes what happened beside the system's state for people and programs, and has the channels told that ask for it. A
   * repeat does neither twice.
   */
  writeReport(input: { system: string; kind: string; id: string; report: Record<string, unknown> }): Promise<void>;
}

/** Run on the queue of the host that holds the component. */
export interface HostActivities extends CleanPointActivities, DrillActivities, MissingActivities, ValidationActivities {
  /**
   * The first of these stores that holds a vault and answers within seconds. `passedOver` says why others do not. Throws
   * StoreUnreachable while none answers.
   */
  chooseStore(input: { system: string; stores: readonly string[] }): Promise<{
    store: string;
    passedOver: readonly { store: string; why: string; unreachable: boolean }[];
  }>;
  beginCapture(input: {
    system: string;
    plan: string;
    store: string;
    captureId: string;
    startedAtMs: number;
  }): Promise<CaptureTicket>;
  /** Before any freeze: stores what is stable; results are thrown away. */
  hotPass(input: { system: string; store: string; ticket: CaptureTicket; group: CaptureGroup }): Promise<void>;
  /** Freezes when the group asks for it, captures, proves the freeze unbroken, releases, checks what was captured. */
  captureGroup(input: {
    system: string;
    store: string;
    ticket: CaptureTicket;
    group: CaptureGroup;
    freezeId: string;
    /** A `safety` capture is raw: what is there is stored, also when its own checks would refuse it. */
    purpose: 'backup' | 'safety';
  }): Promise<CaptureResult>;
  commitCapture(input: {
    system: string;
    store: string;
    ticket: CaptureTicket;
    purpose: 'backup' | 'safety';
    tag?: string;
    components: readonly ComponentRecord[];
    freezes: readonly FreezeRecord[];
  }): Promise<{ manifestKey: string; sha256: string; pointAt: string; warnings?: readonly string[] }>;
  /** Commits the text configuration of a plan to its git repository on this host. */
  commitConfiguration(input: {
    system: string;
    plan: string;
    backup: string;
    tag?: string;
    components: readonly string[];
  }): Promise<CommittedConfiguration>;
  abandonCapture(input: { system: string; store: string; ticket: CaptureTicket }): Promise<void>;
  verifyBackup(input: {
    system: string;
    store: string;
    manifestKey: string;
    level: 'presence' | 'content';
  }): Promise<ProofBody>;
  /** Looks at the parts of a whole store that are due, or at all. A repeat of the same run goes on where it stopped. */
  verifyStore(input: {
    system: string;
    store: string;
    level: 'presence' | 'content';
    all: boolean;
    heal: boolean;
    runId: string;
  }): Promise<StoreVerdict>;
  /** Removes the files of a housekeeping task that are old enough and that a store gives back. */
  housekeep(input: { system: string; task: string; dryRun: boolean; runId: string }): Promise<HousekeepingOutcome>;
  /** Goes through a checklist and keeps the report. */
  goThrough(input: { system: string; list: string }): Promise<ChecklistResult>;
  /** Finds a backup by `latest`, id or time. */
  findBackup(input: {
    system: string;
    store?: string;
    backup: string;
    plan?: string;
  }): Promise<{ store: string; manifestKey: string; backup: string }>;
  /** Looks at these components, which live on this host, and changes nothing. */
  lookAtLive(input: { system: string; components: readonly string[] }): Promise<LiveThere>;
  /**
   * `components` of the plan stand in the order of the restore: by tier and by what must be there before. What other
   * hosts have seen comes in `seen`; a component of another host that is not in it is a warning of the plan. Of a whole
   * system `pinned` are the parts of an earlier plan, which are taken again, and nothing that it `fellBack` from is taken.
   */
  planRestore(input: PlanRequest & { readonly seen?: readonly LiveThere[] }): Promise<RestorePlan>;
  /** Asks the store for readable copies of what is still frozen of these components, and counts what is not there yet. */
  thawBackup(input: {
    system: string;
    store: string;
    manifestKey: string;
    components: readonly string[];
    speed: 'bulk' | 'standard' | 'expedited';
  }): Promise<{ left: number; bytes: number }>;
  restoreBeside(input: {
    system: string;
    store: string;
    manifestKey: string;
    component: string;
    paths: readonly string[];
    target?: string;
    /** Where recovery of a database cluster ends; absent: the backup. */
    recoverTo?: string;
    /** It is only checked and removed again. */
    verify?: boolean;
    /** For the drill of this id. */
    drill?: string;
    restoreId: string;
  }): Promise<Beside>;
  checkBeside(input: { system: string; beside: Beside }): Promise<CheckReport>;
  swapIn(input: { system: string; beside: Beside }): Promise<void>;
  swapBack(input: { system: string; beside: Beside }): Promise<void>;
  commitRestore(input: { system: string; beside: Beside; keep: boolean }): Promise<{ aside?: string }>;
  discardBeside(input: { system: string; beside: Beside }): Promise<void>;
  /** Looks at the live components after the start: they are there and their own inspection finds no problem. */
  checkLive(input: { system: string; components: readonly string[] }): Promise<CheckReport>;
  /** Restores the component for inspection; a whole copy of the same backup that is there already is kept. */
  bringRows(
    input: RowsRequest & {
      backup?: string;
      plan?: string;
      store?: string;
      /** Several backups: ids with commas between, or how many from the newest on. */
      from?: string;
      backups?: number;
      /** Of a database cluster; absent: its backup. */
      recoverTo?: string;
      /** The copy is to stay when the run is over. */
      keep?: boolean;
    },
  ): Promise<RowsBrought>;
  /** Compares the copy with what is live and writes to neither. Numbers only: the keys stay in a file of the host. */
  previewRows(input: RowsRequest & { brought: RowsBrought }): Promise<RowsPlan>;
  /** One transaction; throws PlanChanged when the rows concerned are no longer those of the preview. */
  applyRows(input: RowsRequest & { affectedSha256: string }): Promise<RowsApplied>;
  /** Removes the copy, and without `keepFiles` the files about the rows. */
  discardRows(input: RowsRequest & { keepFiles: boolean }): Promise<void>;
}

/** Run on the host's urgent queue: never behind a long capture. */
export interface UrgentActivities
  extends
    LookActivities,
    AuditActivities,
    RestartActivities,
    ReadinessActivities,
    StandbyActivities,
    FailoverActivities,
    HandoverActivities,
    DnsActivities {
  /** Releases a freeze, or every freeze of the system with no id. Nothing held: nothing done. */
  releaseFreeze(input: { system: string; freezeId?: string }): Promise<{ released: readonly string[] }>;
  /** Stops the containers that use these components or belong to the stack, and remembers which ran. */
  stopForRestore(input: {
    system: string;
    components: readonly string[];
    restoreId: string;
    /** A site that takes over: also what is down at present is to be up after the restore. */
    all?: boolean;
    /** Nothing is restored any more: the servers of dumps, which a restore needs up, belong to the rest. */
    filled?: boolean;
  }): Promise<{ stopped: readonly string[] }>;
  /**
   * Starts what is to be up after the restore: what was stopped for it, what had fallen over, what it made anew; with
   * `asBefore` only what ran before. In order, gated on health. Throws Unhealthy with the log's tail.
   */
  startAfterRestore(input: {
    system: string;
    restoreId: string;
    asBefore?: boolean;
    /** Restores before this one, which have made containers ahead of it. */
    alsoMadeBy?: readonly string[];
    /** A site that takes over: that somebody else holds the stack is a failure, not a reason to leave it down. */
    all?: boolean;
    /** Starts nothing: the system goes back to another site. */
    stayDown?: boolean;
  }): Promise<{ started: readonly string[] }>;
  /** Starts the containers that are the servers of these databases, with what they depend on, and waits until they answer. */
  startServers(input: { system: string; components: readonly string[] }): Promise<{ started: readonly string[] }>;
  /** Stops those of them that this restore made. */
  stopServers(input: { system: string; components: readonly string[]; restoreId: string }): Promise<void>;
  ping(input: { system: string }): Promise<{ host: string; version: string }>;
}
