/** The numbers behind the findings, for metrics and the page. Pure. */
import { sizeOf, storedBy, type BackupSeen } from '../policy/backup-seen.ts';
import { ageOf, planState, usable } from '../policy/judge-plans.ts';
import { clockOffsetMs, usedShare } from '../policy/judge-hosts.ts';
import type { DiskSeen, HostSeen } from '../policy/host-look.ts';
import type { RunSeen } from '../policy/judge-engine.ts';
import type { LogSeen } from '../policy/judge-log.ts';
import type { StoreSeen } from '../policy/judge-stores.ts';
import { limitsOf } from '../policy/limits.ts';
import type { FirstDue } from '../policy/first-backup.ts';
import type { Plan, System } from '../system/types.ts';

export interface BackupNumbers {
  readonly id: string;
  readonly pointAt: string;
  readonly finishedAt: string;
  readonly ageSeconds: number;
}

export interface SizePoint {
  readonly id: string;
  readonly pointAtMs: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly downtimeMs: number;
  readonly components: BackupSeen['components'];
}

export interface PlanNumbers {
  readonly plan: string;
  /** All that are there, usable or not. */
  readonly backups: number;
  readonly newest?: BackupNumbers;
  readonly newestProved?: BackupNumbers & { readonly provedAt: string };
  /** Of a plan that has just begun and has no backup: when its first one is due, and until when it is not missing. */
  readonly firstDue?: { readonly at: string; readonly until: string };
  readonly limits: {
    readonly newestSeconds?: number;
    readonly provedSeconds?: number;
    readonly walGapSeconds?: number;
    readonly sizeChange: number;
  };
  /** Usable ones of the last 90 days, oldest first; at most 1,000, then the newest. */
  readonly series: readonly SizePoint[];
  /** Of each store of the plan that could be read. */
  readonly copies: readonly {
    readonly store: string;
    readonly backups: number;
    readonly newest?: BackupNumbers;
    readonly limitSeconds?: number;
  }[];
}

export interface SystemNumbers {
  readonly plans: readonly PlanNumbers[];
  readonly stores: readonly (Omit<StoreSeen, 'unread'> & { readonly readable: boolean; readonly backups: number })[];
  readonly logs: readonly LogSeen[];
  readonly disks: readonly (DiskSeen & { readonly host: string; readonly usedShare: number })[];
  readonly clocks: readonly { readonly host: string; readonly offsetMs: number }[];
  readonly runs: readonly RunSeen[];
  readonly engineRunning: boolean;
}

export interface Gathered {
  readonly system: System;
  readonly backups: readonly BackupSeen[];
  readonly stores: readonly StoreSeen[];
  readonly logs: readonly LogSeen[];
  readonly hosts: readonly HostSeen[];
  readonly runs: readonly RunSeen[];
  readonly engineRunning: boolean;
  readonly nowMs: number;
  readonly firstDue: (plan: Plan) => FirstDue | undefined;
}

const SERIES_MS = 90 * 86_400_000;
const SERIES_MOST = 1000;

export function numbersOf(of: Gathered): SystemNumbers {
  const { system, backups, stores, logs, hosts, runs, engineRunning } = of;
  return {
    plans: system.plans.map((plan) => planNumbers(of, plan)),
    stores: stores.map(({ unread, ...seen }) => ({
      ...seen,
      readable: unread === undefined,
      backups: backups.filter((one) => one.stores.includes(seen.store)).length,
    })),
    logs,
    disks: hosts.flatMap(({ host, look }) =>
      (look?.disks ?? []).map((disk) => ({ host, ...disk, usedShare: usedShare(disk) })),
    ),
    clocks: hosts.flatMap((seen) => {
      const offsetMs = clockOffsetMs(seen);
      return offsetMs === undefined ? [] : [{ host: seen.host, offsetMs }];
    }),
    runs,
    engineRunning,
  };
}

function planNumbers({ backups, stores, nowMs, firstDue }: Gathered, plan: System['plans'][number]): PlanNumbers {
  const state = planState(backups, plan.name, nowMs);
  const own = usable(backups, plan.name, nowMs);
  const { copySeconds, newestSeconds, provedSeconds, walGapSeconds, sizeChange } = limitsOf(plan, nowMs);
  const limits = {
    ...(newestSeconds === undefined ? {} : { newestSeconds }),
    ...(provedSeconds === undefined ? {} : { provedSeconds }),
    ...(walGapSeconds === undefined ? {} : { walGapSeconds }),
    sizeChange,
  };
  const { newest, newestProved } = state;
  const first = firstDue(plan);
  const provedAtMs = Math.max(...(newestProved?.verdicts.flatMap((one) => one.provedAtMs ?? []) ?? []));
  return {
    plan: plan.name,
    backups: state.backups,
    ...(newest === undefined ? {} : { newest: told(newest, nowMs) }),
    ...(newestProved === undefined
      ? {}
      : { newestProved: { ...told(newestProved, nowMs), provedAt: new Date(provedAtMs).toISOString() } }),
    ...(first === undefined ? {} : { firstDue: toldDue(first) }),
    limits,
    series: own
      .filter(({ pointAtMs }) => nowMs - pointAtMs <= SERIES_MS)
      .slice(0, SERIES_MOST)
      .toReversed()
      .map(pointOf),
    copies: plan.stores
      .filter((name) => stores.some(({ store, unread }) => store === name && unread === undefined))
      .map((store) => {
        const there = own.filter((one) => one.stores.includes(store));
        const [first] = there;
        const limitSeconds = copySeconds(store);
        return {
          store,
          backups: there.length,
          ...(first === undefined ? {} : { newest: told(first, nowMs) }),
          ...(limitSeconds === undefined ? {} : { limitSeconds }),
        };
      }),
  };
}

export function toldDue({ dueAtMs, untilMs }: FirstDue): { at: string; until: string } {
  return { at: new Date(dueAtMs).toISOString(), until: new Date(untilMs).toISOString() };
}

function told(backup: BackupSeen, nowMs: number): BackupNumbers {
  const { id, pointAtMs, finishedAtMs } = backup;
  return {
    id,
    pointAt: new Date(pointAtMs).toISOString(),
    finishedAt: new Date(finishedAtMs).toISOString(),
    ageSeconds: ageOf(backup, nowMs),
  };
}

function pointOf(backup: BackupSeen): SizePoint {
  const { id, pointAtMs, startedAtMs, finishedAtMs, downtimeMs, components } = backup;
  return {
    id,
    pointAtMs,
    startedAtMs,
    finishedAtMs,
    sizeBytes: sizeOf(backup),
    storedBytes: storedBy(backup),
    downtimeMs,
    components,
  };
}
