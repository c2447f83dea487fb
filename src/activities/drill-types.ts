/** What a drill asks of the world. */
import type { Beside, CheckReport } from '../sources/kinds/component.ts';
import type { DrillCheck, DrillInput, DrillPlan, DrillReport, DrillStackPlan } from '../workflows/drill-contract.ts';

/** What a drill is to do, of the system file and of who has started it. */
export interface DrillFacts {
  readonly system: string;
  readonly kind: string;
  /** Reads the catalogues and plans. */
  readonly planner: string;
  /** Holds the key that signs reports. */
  readonly keeper: string;
  readonly hostSilentSeconds?: number;
  readonly backup?: string;
  readonly plan?: string;
  readonly olderThanSeconds?: number;
  readonly components: readonly string[];
  /** Absent: where the backup holds a Compose project. */
  readonly startStack?: boolean;
  /** The Compose project that holds the services. */
  readonly stack?: string;
  /** Plans whose backup is made first. */
  readonly freshPlans: readonly string[];
  readonly tellBeforeSeconds: number;
  readonly rtoObjectiveSeconds?: number;
  /** By component, where one is promised. */
  readonly componentObjectives?: Readonly<Record<string, number>>;
}

/** Run on the orchestration queue. */
export interface DrillFactsActivities {
  describeDrill(input: DrillInput): Promise<DrillFacts>;
}

/** A Compose project in a backup, and what else of the system was restored. */
export interface StackInput {
  readonly system: string;
  readonly drillId: string;
  readonly store: string;
  readonly manifestKey: string;
  readonly component: string;
  /** Components that the drill has restored. */
  readonly restored: readonly string[];
  /** Of them those whose server is a service of the project, restored into it. Absent: all that can be. */
  readonly servers?: readonly string[];
}

export interface StackStarted {
  readonly services: number;
  readonly isolated: readonly string[];
  /** Why nothing was started. */
  readonly refused: readonly string[];
  readonly checks: readonly DrillCheck[];
  readonly warnings: readonly string[];
}

export interface AskedOfScratch {
  readonly checks: readonly DrillCheck[];
  /** Nothing that the drill has made stands for what they ask. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
}

/** Run on the queue of a host. */
export interface DrillActivities {
  /** Which backups are restored, and what is made for them. Changes nothing. */
  planDrill(input: DrillFacts & { readonly drillId: string }): Promise<DrillPlan>;
  /** Before anything is made here: whose drill it is, and what drills that are over have left is removed. */
  beginDrill(input: { system: string; drillId: string }): Promise<void>;
  /** Restores a component into a place of the drill's own; with `stack` into the isolated service that is its server. */
  restoreScratch(input: {
    system: string;
    drillId: string;
    store: string;
    manifestKey: string;
    component: string;
    stack?: StackInput;
  }): Promise<Beside>;
  checkScratch(input: { system: string; drillId: string; beside: Beside }): Promise<CheckReport>;
  planScratchStack(input: StackInput): Promise<DrillStackPlan>;
  /** Starts the project isolated; a service that does not become healthy is a check that failed. */
  startScratchStack(input: StackInput): Promise<StackStarted>;
  /** Asks what the system file has under `checks` for this host of what the drill has made. */
  askScratch(input: { system: string; drillId: string; restored: readonly string[] }): Promise<AskedOfScratch>;
  /** Removes everything that the drill has made on this host. */
  clearDrill(input: { system: string; drillId: string }): Promise<void>;
  /** Compares the report with earlier ones, keeps it, and writes the proofs. */
  keepDrill(input: { system: string; report: DrillReport }): Promise<{
    report: DrillReport;
    key: string;
    proofs: readonly { backup: string; store: string; ok: boolean }[];
  }>;
}
