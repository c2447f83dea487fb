/** A drill, as people and programs meet it from outside. */

export interface DrillInput {
  readonly system: string;
  /** A drill of the system file, whose settings hold where this input says nothing. Default: `by-hand`. */
  readonly kind?: string;
  /** `latest`, or a backup id. Default: of each component the newest. */
  readonly backup?: string;
  readonly plan?: string;
  /** About so old: the backup whose age comes nearest. */
  readonly olderThanDays?: number;
  /** Comma-separated component names; default all. */
  readonly components?: string;
  readonly startStack?: boolean;
  readonly freshBackup?: boolean;
  /** `plan` prints what would be made, and ends. */
  readonly mode?: 'plan' | 'drill';
  /** Who has started it, for the report. Default: the schedule. */
  readonly by?: string;
}

/** One backup that a drill restores, or a part of it. */
export interface DrillSource {
  readonly backup: string;
  readonly plan: string;
  readonly store: string;
  readonly manifestKey: string;
  readonly pointAt: string;
  readonly ageSeconds: number;
  /** All of its components are restored: what comes of it is a proof. */
  readonly whole: boolean;
}

export interface DrillComponent {
  readonly name: string;
  readonly kind: string;
  readonly host: string;
  readonly sizeBytes: number;
  /** Of which of the sources. */
  readonly backup: string;
  /** What it becomes while the drill lasts. */
  readonly becomes: string;
}

/** How the Compose project is started in isolation. */
export interface DrillStackPlan {
  readonly component: string;
  readonly host: string;
  readonly project: string;
  /** The project's name while the drill lasts. */
  readonly scratchProject: string;
  readonly services: readonly string[];
  /** What of the project is made another way than it is live, and how. */
  readonly isolated: readonly string[];
  /** Why it can't be started in isolation; empty: it can. */
  readonly refused: readonly string[];
  /** Databases that are restored into an isolated service of the project, which is their server. */
  readonly servers?: readonly { readonly component: string; readonly service: string }[];
}

/** What would be lost if everything were lost now. */
export interface DrillLoss {
  readonly plan: string;
  /** Absent: there is no usable backup. */
  readonly ageSeconds?: number;
  /** The plan's `rpo`. */
  readonly objectiveSeconds?: number;
}

export interface DrillPlan {
  readonly kind: string;
  readonly sources: readonly DrillSource[];
  /** In the order in which they are restored. */
  readonly components: readonly DrillComponent[];
  readonly stack?: DrillStackPlan;
  readonly losses: readonly DrillLoss[];
  readonly warnings: readonly string[];
}

export interface DrillCheck {
  readonly component: string;
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface MeasuredComponent {
  readonly component: string;
  readonly seconds: number;
  readonly objectiveSeconds: number;
}

export interface DrillPhase {
  readonly name: string;
  readonly seconds: number;
}

/** How it compares with the drills of the same kind that passed before. */
export interface DrillComparison {
  readonly drills: number;
  readonly medianRtoSeconds: number;
  /** 0.5: took half as long again. */
  readonly change: number;
  /** Slower than the noise of drills explains. */
  readonly isRegression: boolean;
}

/** What a drill has come to: the record that is kept in the stores, signed. */
export interface DrillReport {
  readonly system: string;
  readonly kind: string;
  readonly drillId: string;
  readonly by: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** `failed`: an assertion did not hold. `broken`: it could not be told, such as without room on the disk. */
  readonly outcome: 'passed' | 'failed' | 'broken';
  readonly sources: readonly DrillSource[];
  readonly components: readonly Pick<DrillComponent, 'name' | 'kind' | 'host' | 'sizeBytes' | 'backup'>[];
  readonly checks: readonly DrillCheck[];
  readonly phases: readonly DrillPhase[];
  /** From the begin of the restore to the last check. */
  readonly rtoSeconds: number;
  readonly rtoObjectiveSeconds?: number;
  /** Of each component that was promised by itself or by its tier: its own restore and check. */
  readonly measured?: readonly MeasuredComponent[];
  readonly losses: readonly DrillLoss[];
  /** Absent: it was not asked for, or not in the backup. */
  readonly stack?: {
    readonly services: number;
    readonly isolated: readonly string[];
    /** Why it was not started. */
    readonly refused: readonly string[];
  };
  readonly comparison?: DrillComparison;
  readonly failure?: { readonly code: string; readonly message: string };
  readonly warnings: readonly string[];
}

export interface DrillResult {
  readonly outcome: 'planned' | DrillReport['outcome'];
  /** All assertions held; absent when nothing was restored. */
  readonly ok?: boolean;
  readonly why?: string;
  readonly plan?: DrillPlan;
  readonly report?: DrillReport;
  /** Its key in the stores. */
  readonly reportKey?: string;
  /** Backups that this drill has proved, or found bad. */
  readonly proofs?: readonly { readonly backup: string; readonly store: string; readonly ok: boolean }[];
}
