/**
 * Names and shapes that people and programs use from outside: workflow types, ids, inputs, results, messages. Each
 * workflow takes one small flat JSON object. Nothing here can do I/O.
 */

import type { PrunedLocks, PruneSummary } from '../activities/types.ts';
import type { WalProgress } from './wal-contract.ts';
import type { LateServer } from './restore-late-contract.ts';
import type { WholePlan, WholeResult } from './whole-contract.ts';

export type * from './audit-contract.ts';
export type * from './changes-contract.ts';
export type * from './checklist-contract.ts';
export type * from './drill-contract.ts';
export type * from './clean-point-contract.ts';
export type * from './failover-contract.ts';
export type * from './handover-contract.ts';
export type * from './housekeeping-contract.ts';
export type * from './missing-contract.ts';
export type * from './monitor-contract.ts';
export type * from './readiness-contract.ts';
export type * from './restart-contract.ts';
export type * from './restore-contract.ts';
export type * from './rows-contract.ts';
export type * from './scheduled-contract.ts';
export type * from './site-watch-contract.ts';
export type * from './standby-contract.ts';
export type * from './verify-contract.ts';
export type * from './wal-contract.ts';
export type * from './whole-contract.ts';

export interface BackupInput {
  readonly system: string;
  readonly plan: string;
  readonly tag?: string;
  /** How long to wait for another operation on the system before giving up. Default 6 h. */
  readonly waitSeconds?: number;
}

export interface BackupResult {
  readonly outcome: 'done' | 'skipped';
  readonly why?: string;
  readonly backup?: string;
  readonly manifestKey?: string;
  /** Of several: where it was captured; the others get copies. */
  readonly store?: string;
  readonly pointAt?: string;
  readonly readBytes?: number;
  readonly storedBytes?: number;
  readonly chunksNew?: number;
  readonly chunksReused?: number;
  readonly downtimeMs?: number;
  readonly verified?: { readonly level: string; readonly ok: boolean };
  readonly warnings?: readonly string[];
}

export interface VerifyInput {
  readonly system: string;
  /** `latest` (default) or a backup id. */
  readonly backup?: string;
  readonly plan?: string;
  readonly level?: 'presence' | 'content';
  readonly store?: string;
}

export interface VerifyResult {
  readonly backup: string;
  readonly level: string;
  readonly ok: boolean;
  readonly objectsChecked: number;
  readonly bytesChecked: number;
  readonly bad: readonly { readonly key: string; readonly code: string; readonly what: string }[];
  readonly moreBad: number;
}

export interface PruneInput {
  readonly system: string;
  readonly store: string;
  /** Says what would be done, and ends. */
  readonly dryRun?: boolean;
  /** Goes on without asking when more than half of a plan's backups would go. */
  readonly yes?: boolean;
  /** Nothing younger is deleted, by the store's clock. Default 24 hours. */
  readonly minimumAgeSeconds?: number;
  /** Between the removal of backups and that of what only they needed. Default 1 hour. */
  readonly graceSeconds?: number;
}

export interface PruneResult {
  /** `gave-way`: captures were open; the backups are gone, and the next prune deletes what only they needed. */
  readonly outcome: 'planned' | 'nothing' | 'swept' | 'gave-way' | 'rejected' | 'expired';
  readonly plan: PruneSummary;
  readonly why?: string;
  readonly removedBackups?: number;
  /** Kept by a lock of the store; tried again by a later prune. */
  readonly lockedBackups?: number;
  readonly deletedObjects?: number;
  readonly deletedBytes?: number;
  readonly lockedObjects?: number;
  /** Pieces of write-ahead logs that no base backup needs any more. */
  readonly walObjects?: number;
  readonly walBytes?: number;
  /** Keys of epochs that nothing uses, and old objects that were put aside. */
  readonly leftovers?: number;
  /** Captures dead for long that were settled by a tombstone. */
  readonly settled?: number;
  /** In a store that locks: what stays, and how much of it was locked for longer, until when. */
  readonly locks?: PrunedLocks;
}

export interface CopyInput {
  readonly system: string;
  /** The store that is brought up to what the others hold. */
  readonly target: string;
  /** The id of one backup; it alone is copied, whatever the target's retention says. */
  readonly backup?: string;
  /** Only from this store. */
  readonly source?: string;
  /** What the run before this one has done; people leave it out. */
  readonly carried?: string;
}

export interface CopyResult {
  readonly target: string;
  readonly backups: number;
  readonly objects: number;
  readonly bytes: number;
  /** Objects that were damaged in the target and are whole now. */
  readonly replaced: number;
  readonly walPieces: number;
  readonly walBytes: number;
  /** What can't be copied, with why; at most 20, then only the count. */
  readonly refused: readonly { readonly what: string; readonly why: string }[];
  readonly refusedCount: number;
  readonly verified: readonly { readonly backup: string; readonly ok: boolean }[];
  readonly silent: readonly { readonly store: string; readonly why: string }[];
}

export interface PlanAction {
  readonly component: string;
  readonly action: 'stop' | 'restore' | 'swap' | 'start' | 'create';
  /** What is acted on: container names, volume, path. */
  readonly on: readonly string[];
}

/** What lies in an archive class and must be thawed before it can be read. */
export interface FrozenFacts {
  readonly objects: number;
  readonly bytes: number;
  readonly storageClass: string;
  readonly speed: 'bulk' | 'standard' | 'expedited';
  /** As the provider documents them; absent when the class has no such speed. */
  readonly hoursLeast?: number;
  readonly hoursMost?: number;
  /** By the table of prices, with its currency; absent without one. */
  readonly cost?: string;
}

export interface RestorePlan {
  /** SHA-256 over ids and actions, never over ages. */
  readonly digest: string;
  readonly backup: string;
  readonly manifestKey: string;
  readonly store: string;
  readonly pointAt: string;
  /** Where recovery of a database cluster ends, when that is not its backup. */
  readonly recoverTo?: string;
  readonly actions: readonly PlanAction[];
  readonly components: readonly {
    readonly name: string;
    readonly kind: string;
    readonly host: string;
    readonly sizeBytes: number;
    readonly liveExists: boolean;
    readonly liveChangedAt?: string;
  }[];
  readonly warnings: readonly string[];
  readonly keepAsideSeconds?: number;
  /** Databases whose server is not there yet, and comes back with its stack: they are restored when it is up. */
  readonly servers?: readonly LateServer[];
  /** Present when the backup must be thawed first. */
  readonly frozen?: FrozenFacts;
  /** How old the data would be, and what of the live state would be lost, in words. */
  readonly ageSeconds: number;
  /** Of a whole system; `backup` and its kin are those that most components come from, `pointAt` is the oldest. */
  readonly whole?: WholePlan;
}

export interface RestoreResult {
  readonly outcome: 'planned' | 'verified' | 'prepared' | 'restored' | 'rejected' | 'expired' | 'rolled-back';
  readonly plan: RestorePlan;
  readonly why?: string;
  readonly safetyBackup?: string;
  readonly checks: readonly {
    readonly component: string;
    readonly name: string;
    readonly ok: boolean;
    readonly detail: string;
  }[];
  readonly downtimeMs?: number;
  readonly durationMs?: number;
  readonly aside: readonly string[];
  /** What went less well than planned without stopping the restore, such as a safety backup that failed. */
  readonly warnings?: readonly string[];
  /** Of a whole system. */
  readonly whole?: WholeResult;
}

/** Update and signal `approve`; the digest is the one of the plan the person has seen. */
export interface Approval {
  readonly digest: string;
  readonly by: string;
}

export interface Rejection {
  readonly by: string;
  readonly why?: string;
}

/** Query `progress`. */
export interface Progress {
  readonly operation:
    | 'backup'
    | 'copy'
    | 'prune'
    | 'verify'
    | 'verifyStore'
    | 'restore'
    | 'restoreRows'
    | 'restoreMissing'
    | 'drill'
    | 'failover'
    | 'handover'
    | 'siteWatch'
    | 'cleanPoint'
    | 'receiveWal'
    | 'checklist'
    | 'followChanges'
    | 'housekeeping'
    | 'restart'
    | 'scheduled'
    | 'readiness'
    | 'standby'
    | 'monitor'
    | 'incident'
    | 'notify'
    | 'audit';
  readonly phase: string;
  readonly since: string;
  /** The approval that is waited for, if any. */
  readonly waitingFor?: string;
  readonly steps: readonly { readonly name: string; readonly state: 'done' | 'running' | 'waiting' | 'failed' }[];
}

/** Heartbeat details of every long activity, shown by the terminal and the UI. */
export interface ActivityProgress {
  readonly phase: string;
  readonly bytesDone?: number;
  readonly bytesTotal?: number;
  readonly filesDone?: number;
  readonly wal?: WalProgress;
}

export const WORKFLOWS = {
  backup: 'backup',
  copy: 'copy',
  prune: 'prune',
  verify: 'verify',
  verifyStore: 'verifyStore',
  restore: 'restore',
  restoreRows: 'restoreRows',
  restoreMissing: 'restoreMissing',
  drill: 'drill',
  failover: 'failover',
  handover: 'handover',
  siteWatch: 'siteWatch',
  cleanPoint: 'cleanPoint',
  systemLock: 'systemLock',
  releaseFreeze: 'releaseFreeze',
  receiveWal: 'receiveWal',
  checklist: 'checklist',
  followChanges: 'followChanges',
  housekeeping: 'housekeeping',
  restart: 'restart',
  scheduled: 'scheduled',
  readiness: 'readiness',
  standby: 'standby',
  monitor: 'monitor',
  incident: 'incident',
  notify: 'notify',
  audit: 'audit',
} as const;

export const UPDATES = { approve: 'approve', reject: 'reject', acknowledge: 'acknowledge' } as const;
/** A worker need not be there for a signal: the same shapes under these names. */
export const SIGNALS = {
  approve: 'approveSignal',
  reject: 'rejectSignal',
  /** To a copy that runs: another backup was made. */
  moreToCopy: 'moreToCopy',
  pauseWal: 'pauseWal',
  resumeWal: 'resumeWal',
  /** The answer to `pauseWal`, sent to the workflow that asked. */
  walPaused: 'walPaused',
  lookAgain: 'lookAgain',
  acknowledge: 'acknowledgeSignal',
  found: 'found',
  /** To an incident: what somebody did about it. */
  note: 'note',
  healed: 'healed',
} as const;
export const QUERIES = { progress: 'progress', plan: 'plan', incident: 'incident', restart: 'restart' } as const;

export const workflowIds = {
  backup: (system: string, plan: string) => `${system}/backup/${plan}`,
  copy: (system: string, target: string) => `${system}/copy/${target}`,
  prune: (system: string, store: string) => `${system}/prune/${store}`,
  verify: (system: string, backup: string) => `${system}/verify/${backup}`,
  verifyStore: (system: string, store: string | undefined) => `${system}/verify-store/${store ?? 'all'}`,
  restore: (system: string) => `${system}/restore`,
  restoreRows: (system: string, component: string) => `${system}/rows/${component}`,
  cleanPoint: (system: string) => `${system}/clean-point`,
  restoreMissing: (system: string, component: string) => `${system}/missing/${component}`,
  drill: (system: string, kind: string) => `${system}/drill/${kind}`,
  failover: (system: string) => `${system}/failover`,
  handover: (system: string) => `${system}/handover`,
  siteWatch: (system: string) => `${system}/sites`,
  lock: (system: string, site: string) => `${system}/${site}/lock`,
  receiveWal: (system: string, component: string) => `${system}/wal/${component}`,
  checklist: (system: string, list: string) => `${system}/checklist/${list}`,
  followChanges: (system: string, plan: string) => `${system}/changes/${plan}`,
  housekeeping: (system: string, task: string) => `${system}/housekeeping/${task}`,
  readiness: (system: string) => `${system}/readiness`,
  rehearsal: (system: string) => `${system}/rehearsal`,
  standby: (system: string) => `${system}/standby`,
  prepare: (system: string) => `${system}/standby/prepare`,
  restart: (system: string) => `${system}/restart`,
  monitor: (system: string) => `${system}/monitor`,
  incident: (system: string, check: string, subject: string) => `${system}/incident/${check}/${subject}`,
  notify: (system: string, id: string, channel: string) => `${system}/notify/${id}/${channel}`,
  audit: (system: string, event: string) => `${system}/audit/${event}`,
  release: (system: string, freezeId: string) => `${system}/release/${freezeId}`,
};

export const SEARCH_ATTRIBUTES = {
  system: 'HoldfastSystem',
  operation: 'HoldfastOperation',
  phase: 'HoldfastPhase',
  needsOperator: 'HoldfastNeedsOperator',
} as const;
