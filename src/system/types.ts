/** A system as its file describes it, after loading: every default filled in, every secret still a reference. */
import type { CleanPointConfig } from './clean-point-types.ts';
import type { MonitorConfig, PlanLimits } from './monitor-types.ts';
import type { EscalationConfig } from '../policy/escalation.ts';
import type { ChannelConfig } from './notify-types.ts';
import type { GitConfig } from './git-schema.ts';
import type { DrillConfig } from './drill-schema.ts';
import type { FailoverConfig } from './failover-types.ts';
import type { HousekeepingTask } from './housekeeping-schema.ts';
import type { Maintenance, ScheduleConfig } from './schedule-types.ts';
import type { CopyRule, RetentionConfig, StoreConfig } from './store-types.ts';
import type { Objectives, Reconciliation, SystemCheck } from './validation-types.ts';
import type { SystemdSettings } from './systemd-schema.ts';
import type { DatabaseChecks, PostgresBaseSettings, PostgresDumpSettings } from './postgres-types.ts';

export type * from './failover-types.ts';
export type * from './monitor-types.ts';
export type * from './notify-types.ts';
export type { DrillConfig } from './drill-schema.ts';
export type { UnitScope } from './systemd-schema.ts';
export type { HousekeepingTask } from './housekeeping-schema.ts';
export type * from './postgres-types.ts';
export type * from './schedule-types.ts';
export type * from './store-types.ts';
export type * from './validation-types.ts';

export type Tier = 'critical' | 'important' | 'reference';

/** Where a secret is found on the host that needs it. The value never leaves the process that resolved it. */
export type SecretRef = { readonly env: string } | { readonly file: string } | { readonly command: readonly string[] };

export type QuiesceMode = 'pause' | 'stop' | 'none';

export interface Quiesce {
  readonly mode: QuiesceMode;
  /** The longest a container may stay paused or stopped for one capture. */
  readonly budgetSeconds: number;
}

/** How a captured or restored ledger is judged (RECOVERY-FACTS: an open port proves nothing). */
export type ComponentCheck =
  | { readonly kind: 'ledger'; readonly file: string; readonly image?: string }
  | { readonly kind: 'tigerbeetle'; readonly file: string; readonly binary?: string; readonly image?: string }
  | { readonly kind: 'command'; readonly command: readonly string[]; readonly timeoutSeconds: number };

interface ComponentBase {
  readonly name: string;
  readonly tier: Tier;
  /** The host whose worker does the work. */
  readonly host: string;
  /** Components restored and started before this one. */
  readonly after: readonly string[];
}

export interface VolumeComponent extends ComponentBase {
  readonly kind: 'volume';
  readonly volume: string;
  readonly quiesce: Quiesce;
  readonly exclude: readonly string[];
  readonly check?: ComponentCheck;
}

export interface FilesComponent extends ComponentBase {
  readonly kind: 'files';
  /** Absolute path of a directory or of one file. */
  readonly path: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Only files at least this old; 0 means all. */
  readonly minimumAgeSeconds: number;
}

export interface SqliteComponent extends ComponentBase {
  readonly kind: 'sqlite';
  readonly path: string;
  readonly requiredTables: readonly string[];
  /** What else must hold; absent: nothing. */
  readonly checks?: DatabaseChecks;
  /** Compose services or containers to stop while the file is swapped in by a restore. */
  readonly usedBy: readonly string[];
}

export interface ComposeComponent extends ComponentBase {
  readonly kind: 'compose';
  /** The Compose project name, as in the label com.docker.compose.project. */
  readonly project: string;
  readonly directory: string;
  readonly files: readonly string[];
  readonly healthTimeoutSeconds: number;
  readonly saveImages: boolean;
}

export type PostgresDumpComponent = ComponentBase & PostgresDumpSettings;
export type PostgresBaseComponent = ComponentBase & PostgresBaseSettings;
export type PostgresComponent = PostgresDumpComponent | PostgresBaseComponent;

export type SystemdComponent = ComponentBase & SystemdSettings;

export type Component =
  VolumeComponent | FilesComponent | SqliteComponent | ComposeComponent | PostgresComponent | SystemdComponent;

export interface Plan {
  readonly name: string;
  readonly components: readonly string[];
  /** Overrides the components' own quiesce: with `stop`, all of the plan is captured inside one stop. */
  readonly quiesce?: Quiesce;
  readonly schedule?: ScheduleConfig;
  readonly onChange: boolean;
  /** The first store takes the capture; the others are copies. */
  readonly stores: readonly string[];
  /** Absent: everything is kept. */
  readonly keep?: RetentionConfig;
  /** By store, instead of `keep`. */
  readonly keepIn: Readonly<Record<string, RetentionConfig>>;
  /** How the fresh backup is read back before the run ends. */
  readonly verify: 'presence' | 'content';
  readonly rpoSeconds?: number;
  /** Absent: what follows from the rest of the plan. */
  readonly limits?: PlanLimits;
  /** Its text configuration is also committed to a git repository. */
  readonly git?: GitConfig;
}

export interface KeysConfig {
  /** age recipients; at least two: operations and escrow. */
  readonly recipients: readonly string[];
  readonly chunkIdKey: SecretRef;
  /** An OpenSSH Ed25519 private key without passphrase. */
  readonly signer: SecretRef;
  /** Only on hosts that maintain stores; absent: `signer`. */
  readonly keeper?: SecretRef;
  /** Only on hosts that verify or restore: an age identity. */
  readonly identity?: SecretRef;
  /** `SHA256:…` fingerprint of the offline root's public key. */
  readonly rootFingerprint: string;
}

export interface ApprovalConfig {
  readonly limitSeconds: number;
  /** Who asked for a plan may not approve it. */
  readonly fourEyes: boolean;
}

export interface System {
  readonly name: string;
  readonly site: string;
  readonly hosts: readonly string[];
  readonly components: readonly Component[];
  readonly plans: readonly Plan[];
  readonly stores: readonly StoreConfig[];
  /** What runs by itself beside the plans. */
  readonly maintenance: Maintenance;
  /** What the copies of every plan must come to; absent: nothing is promised. */
  readonly rule?: CopyRule;
  /** Absent: what is always looked at. */
  readonly monitor?: MonitorConfig;
  /** What is removed from the system once a backup of it has been read back. */
  readonly housekeeping: readonly HousekeepingTask[];
  /** What must hold of the running system, after a restore and in a drill. */
  readonly checks: readonly SystemCheck[];
  /** The restored state against an outside truth. */
  readonly reconcile: readonly Reconciliation[];
  readonly objectives: Objectives;
  /** Restores that are rehearsed in isolation. */
  readonly drills: readonly DrillConfig[];
  /** The sites that may run it; absent: this one alone. */
  readonly failover?: FailoverConfig;
  /** How the newest clean backup is found. */
  readonly cleanPoint: CleanPointConfig;
  /** A file with a table of prices. */
  readonly prices?: string;
  readonly keys: KeysConfig;
  readonly approval: ApprovalConfig;
  /** Where messages go. */
  readonly notify: readonly ChannelConfig[];
  /** Who is told of trouble, and when. */
  readonly escalation: EscalationConfig;
  /** How long the replaced state is kept after a restore. */
  readonly keepAsideSeconds: number;
  /** The compose component that holds the services, when there is one: stopped and started around a restore. */
  readonly compose?: string;
  /** The text of the file, as loaded; every backup contains it, sealed. */
  readonly sourceText: string;
  readonly sourcePath: string;
}
