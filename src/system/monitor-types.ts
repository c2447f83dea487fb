/** What is to be kept, and what is looked at, as a system file says it, after loading. */
import type { SecretRef } from './types.ts';

/** Of one plan. What is absent follows from its rpo or its schedule: see src/policy/limits.ts. */
export interface PlanLimits {
  /** The age of the newest usable backup. */
  readonly newestSeconds?: number;
  /** The age of the newest backup that was read back or restored. */
  readonly provedSeconds?: number;
  /** How long a backup may lack its copy in a store. */
  readonly copySeconds?: number;
  /** By store, instead of `copySeconds`. */
  readonly copyInSeconds: Readonly<Record<string, number>>;
  /** How far the stored log of a database may be behind. */
  readonly walGapSeconds?: number;
  /** By how much of the mean of the days before a backup's size may differ, such as 0.5. */
  readonly sizeChange: number;
}

export interface DiskLimit {
  readonly host: string;
  readonly path: string;
  /** Share in use, from 0 to 1. */
  readonly used: number;
  readonly freeBytes?: number;
}

export interface PingConfig {
  /** The address itself is a secret: whoever knows it can say that all is well. */
  readonly url: SecretRef;
  readonly everySeconds: number;
  /** Adds `/fail` to the address while something is wrong. */
  readonly tellFailure: boolean;
}

export interface MonitorConfig {
  readonly disks: readonly DiskLimit[];
  /** Of one store. */
  readonly totalBytes?: number;
  readonly clockSeconds: number;
  readonly ping?: PingConfig;
}
