/** What is known of the sites of a system, for `holdfast site`. */
import type { Standing } from '../policy/failover/standing.ts';
import { failoverOf, withAuthority } from '../sites/authority.ts';
import { bootClockMs } from '../sites/boot-clock.ts';
import { stackHolds } from '../sites/holds.ts';
import { isHeld, readLease } from '../sites/site-files.ts';
import { siteStanding } from '../sites/standing.ts';
import type { System } from '../system/types.ts';
import { readGenerations } from '../vault/sites/generation.ts';

export interface SiteReport {
  readonly system: string;
  readonly site: string;
  readonly sites: readonly string[];
  readonly fencing: string;
  readonly authority: string;
  readonly standing: Standing;
  readonly generations: readonly {
    readonly n: number;
    readonly site: string;
    readonly at: string;
    readonly by?: string;
    readonly clearedAt?: string;
    readonly fencing?: string;
  }[];
  /** What the guard of this machine has said last; absent: nothing since the machine was started. */
  readonly guard?: {
    readonly pid: number;
    readonly stack: string;
    readonly told: string;
    readonly saidSecondsAgo: number;
    readonly generation: number;
    readonly heldForSeconds?: number;
  };
  readonly holds: readonly string[];
}

export async function siteReport(system: System): Promise<SiteReport> {
  const { sites, fencing, authority } = failoverOf(system);
  const standing = await siteStanding(system, { signal: new AbortController().signal });
  const generations = standing.kind === 'unreadable' ? [] : await withAuthority(system, readGenerations);
  const lease = await readLease(system.name);
  const nowMs = bootClockMs();
  return {
    ...{ system: system.name, site: system.site, sites, fencing, authority, standing },
    generations: generations.map(({ n, site, at, by, cleared }) => ({
      ...{ n, site, at },
      ...(by === undefined ? {} : { by }),
      ...(cleared === undefined ? {} : { clearedAt: cleared.at, fencing: cleared.fencing }),
    })),
    ...(lease === undefined
      ? {}
      : {
          guard: {
            ...{ pid: lease.pid, stack: lease.stack, told: lease.told, generation: lease.generation },
            saidSecondsAgo: Math.round((nowMs - lease.writtenAtMs) / 1000),
            ...(isHeld(lease) ? { heldForSeconds: Math.round((lease.heldUntilMs - nowMs) / 1000) } : {}),
          },
        }),
    holds: await stackHolds(system.name),
  };
}
