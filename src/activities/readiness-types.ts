/** What a site is asked about taking a system over: by each host what lies on it, by the first what concerns all. */
import type { HostReadiness, ReadinessFacts } from '../policy/failover/readiness.ts';

/** A part of the restore that a failover would make. */
export interface ReadyPart {
  readonly name: string;
  readonly store: string;
  readonly manifestKey: string;
  readonly sizeBytes: number;
}

export type SiteReadiness = Omit<ReadinessFacts, 'hosts' | 'newest' | 'newestElsewhere' | 'nowMs'> & {
  /** Stores that do not lie at the active site. */
  readonly storesElsewhere: readonly string[];
};

/** Run on the urgent queue. They change nothing. */
export interface ReadinessActivities {
  lookReadiness(input: { system: string; parts: readonly ReadyPart[] }): Promise<Omit<HostReadiness, 'silent'>>;
  /** `newest`: the backup whose system file is compared with the one here; absent: there is none. */
  gatherReadiness(input: {
    system: string;
    newest?: { readonly store: string; readonly manifestKey: string };
  }): Promise<SiteReadiness>;
}
