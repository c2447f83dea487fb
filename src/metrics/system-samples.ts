/** What the stores and the engine say of one system, as samples; usable, proved and limits as src/policy means them. Pure. */
import { isGood, isProved, sizeOf, type BackupSeen } from '../policy/backup-seen.ts';
import { usable } from '../policy/judge-plans.ts';
import { limitsOf } from '../policy/limits.ts';
import { withReadings } from '../policy/proven-read.ts';
import { PARTS } from '../policy/read-back.ts';
import { seenOf } from '../status/seen.ts';
import type { KnownBackup } from '../status/catalogues.ts';
import type { PlanCopies, StoreBehind } from '../status/copy-status.ts';
import type { LogStatus } from '../status/log-status.ts';
import type { StoreReadBack } from '../status/read-back-status.ts';
import { isForPeople, type RunningOperation } from '../status/running.ts';
import type { System } from '../system/types.ts';
import type { Sample } from './definitions.ts';

/** Older than this, the newest backup of a plan is overdue that has neither a limit nor a schedule to go by. */
const USUAL_LIMIT_SECONDS = 24 * 3600;

type Labels = Readonly<Record<string, string>>;

/** What was read of the stores of a system. */
export interface StoreFacts {
  readonly backups: readonly KnownBackup[];
  /** Of a store that could not be read, what it held before is among the backups; otherwise absence says nothing. */
  readonly complete: boolean;
  readonly unread: readonly { readonly store: string }[];
  readonly readBacks: readonly StoreReadBack[];
  readonly behind: readonly StoreBehind[];
  readonly copies: readonly PlanCopies[];
}

export function storeSamples(system: System, facts: StoreFacts, nowMs: number): Sample[] {
  return [
    ...planSamples(system, facts, nowMs),
    ...system.stores.flatMap(({ name }) => oneStore(system.name, name, facts)),
    ...facts.copies.flatMap(({ plan, copies, ok }): Sample[] => {
      const labels = { system: system.name, plan };
      const kept: Sample[] = ok === undefined ? [] : [{ name: 'holdfast_copies_rule_kept', labels, value: Number(ok) }];
      return [{ name: 'holdfast_copies', labels, value: copies }, ...kept];
    }),
  ];
}

function planSamples(system: System, { backups, complete, readBacks }: StoreFacts, nowMs: number): Sample[] {
  const untrusted = backups.filter(({ entry }) => !entry.trust.ok).length;
  return [
    { name: 'holdfast_backups_untrusted', labels: { system: system.name }, value: untrusted },
    ...system.plans.flatMap((plan) => {
      const own = backups.filter((backup) => isOf(plan.name, backup));
      return onePlan(system, plan, own, { complete, nowMs, readBacks });
    }),
  ];
}

type Plan = System['plans'][number];

/** Safety backups, and those kept apart, are never counted as newest, fresh or proved. */
function isOf(plan: string, { entry: { body, trust, apart } }: KnownBackup): boolean {
  return trust.ok && body.plan === plan && body.purpose === 'backup' && apart === undefined;
}

function onePlan(
  system: System,
  plan: Plan,
  own: readonly KnownBackup[],
  {
    complete,
    nowMs,
    readBacks,
  }: { readonly complete: boolean; readonly nowMs: number; readonly readBacks: StoreFacts['readBacks'] },
): Sample[] {
  const labels = { system: system.name, plan: plan.name };
  const seen = withReadings(own.map(seenOf), readBacks);
  const bySeen = new Map(seen.map((one, index) => [one, own[index]]));
  const good = usable(seen, plan.name, nowMs);
  const [newest] = good;
  const known = newest === undefined ? undefined : bySeen.get(newest);
  const proved = good.find(isProved);
  const { newestSeconds, provedSeconds } = limitsOf(plan, nowMs);
  const limitSeconds = newestSeconds ?? (isByAge(plan) ? USUAL_LIMIT_SECONDS : undefined);
  // A plan that promises nothing and never ran is no fault, and has no age.
  const promised = complete && newestSeconds !== undefined;
  const provedPromised = complete && provedSeconds !== undefined;
  const stores = system.stores.filter(({ name }) => plan.stores.includes(name));
  const usableBackups = good.flatMap((one) => bySeen.get(one) ?? []);
  return [
    ...stores.map(({ name: store }): Sample => {
      const value = own.filter((backup) => backup.stores.includes(store)).length;
      return { name: 'holdfast_backups', labels: { ...labels, store }, value };
    }),
    {
      name: 'holdfast_backups_failed_verification',
      labels,
      value: seen.filter((one) => !isGood(one)).length,
    },
    ...(limitSeconds === undefined || (newest === undefined && !promised)
      ? []
      : [{ name: 'holdfast_recovery_point_limit_seconds', labels, value: limitSeconds }]),
    ...(provedSeconds === undefined ? [] : [{ name: 'holdfast_proved_limit_seconds', labels, value: provedSeconds }]),
    ...moment('holdfast_recovery_point', labels, newest?.pointAtMs, promised),
    ...moment('holdfast_proved', labels, proved?.pointAtMs, provedPromised),
    ...moment('holdfast_restore_test', labels, restoreTestMs(own), false),
    ...lastSuccesses(labels, usableBackups, promised),
    ...(newest === undefined || known === undefined ? [] : newestBackup(labels, newest, known)),
  ];
}

/** What is captured when it changes may be old and up to date. */
function isByAge({ onChange, rpoSeconds }: Plan): boolean {
  return !onChange && rpoSeconds !== 0;
}

/** A time and its age. What is promised and not there is as old as time. */
function moment(prefix: string, labels: Labels, ms: number | undefined, promised: boolean): Sample[] {
  if (ms === undefined && !promised) return [];
  const seconds = (ms ?? 0) / 1000;
  return [
    { name: `${prefix}_timestamp_seconds`, labels, value: seconds },
    { name: `${prefix}_age_seconds`, labels, sinceSeconds: seconds },
  ];
}

function lastSuccesses(labels: Labels, usable: readonly KnownBackup[], promised: boolean): Sample[] {
  const success = (operation: string, ms: number | undefined, always: boolean): Sample[] => {
    if (ms === undefined && !always) return [];
    return [{ name: 'backup_last_success_timestamp', labels: { ...labels, operation }, value: (ms ?? 0) / 1000 }];
  };
  const finished = usable.map(({ entry }) => Date.parse(entry.body.finishedAt));
  const verdicts = usable.flatMap(({ entry }) => entry.proofs.filter(({ ok }) => ok));
  return [
    ...success('backup', latestMs(finished), promised),
    ...success('verify', latestMs(verdicts.map(({ at }) => Date.parse(at))), false),
  ];
}

function newestBackup(labels: Labels, newest: BackupSeen, { entry }: KnownBackup): Sample[] {
  const kinds = Map.groupBy(newest.components, ({ kind }) => kind);
  const tookMs = newest.finishedAtMs - newest.startedAtMs;
  return [
    ...[...kinds].map(([kind, components]): Sample => {
      return { name: 'backup_size_bytes', labels: { ...labels, backup_type: kind }, value: sizeOf({ components }) };
    }),
    { name: 'holdfast_backup_downtime_seconds', labels, value: newest.downtimeMs / 1000 },
    { name: 'holdfast_backup_capture_seconds', labels, value: Math.max(0, tookMs / 1000) },
    ...entry.body.components.flatMap(({ name: component, counts }): Sample[] => {
      const own = { ...labels, component };
      return [
        { name: 'holdfast_backup_read_bytes', labels: own, value: counts.readBytes },
        { name: 'holdfast_backup_stored_bytes', labels: own, value: counts.storedBytes },
        { name: 'holdfast_backup_chunks', labels: { ...own, state: 'new' }, value: counts.chunksNew },
        { name: 'holdfast_backup_chunks', labels: { ...own, state: 'reused' }, value: counts.chunksReused },
      ];
    }),
  ];
}

function oneStore(system: string, store: string, facts: StoreFacts): Sample[] {
  const labels = { system, store };
  const readable = !facts.unread.some((one) => one.store === store);
  const first: Sample = { name: 'holdfast_store_readable', labels, value: Number(readable) };
  if (!readable) return [first];
  const behind = facts.behind.find((one) => one.store === store);
  const reading = facts.readBacks.find((one) => one.store === store);
  return [
    first,
    { name: 'holdfast_store_missing_backups', labels, value: behind?.backups ?? 0 },
    { name: 'holdfast_store_missing_bytes', labels, value: behind?.bytes ?? 0 },
    behind?.since === undefined
      ? { name: 'holdfast_store_copy_lag_seconds', labels, value: 0 }
      : { name: 'holdfast_store_copy_lag_seconds', labels, sinceSeconds: secondsOf(behind.since) },
    { name: 'holdfast_store_copy_late', labels, value: Number(behind?.late ?? false) },
    ...(reading === undefined || reading.unread !== undefined
      ? []
      : [
          { name: 'holdfast_store_bad_objects', labels, value: reading.errors },
          { name: 'holdfast_store_read_back_ratio', labels, value: reading.fraction },
          { name: 'holdfast_store_read_back_overdue_ratio', labels, value: reading.overdue / PARTS },
          { name: 'holdfast_store_read_back_timestamp_seconds', labels, value: secondsOf(reading.last) },
        ]),
  ];
}

/** Samples of the write-ahead logs of a system. */
export function logSamples(system: string, logs: readonly (LogStatus & { readonly behind: boolean })[]): Sample[] {
  return logs.flatMap((log) => oneLog(system, log));
}

function oneLog(system: string, log: LogStatus & { readonly behind: boolean }): Sample[] {
  const labels = { system, component: log.component };
  const { received, heldBackBytes, recoveryPointAt, behind } = log;
  return [
    { name: 'holdfast_wal_gaps', labels, value: log.gaps.length },
    { name: 'holdfast_wal_behind', labels, value: Number(behind) },
    { name: 'holdfast_wal_recovery_point_timestamp_seconds', labels, value: secondsOf(recoveryPointAt) },
    ...(recoveryPointAt === undefined
      ? []
      : [{ name: 'holdfast_wal_lag_seconds', labels, sinceSeconds: secondsOf(recoveryPointAt) }]),
    ...(received === undefined ? [] : [{ name: 'holdfast_wal_received', labels, value: Number(received) }]),
    ...(heldBackBytes === undefined ? [] : [{ name: 'holdfast_wal_held_back_bytes', labels, value: heldBackBytes }]),
  ];
}

/** Samples of what runs on a system. */
export function operationSamples(system: string, operations: readonly RunningOperation[]): Sample[] {
  const byType = Map.groupBy(operations, ({ type }) => type);
  const waiting = operations.filter(({ waitingFor }) => isForPeople(waitingFor));
  const troubled = operations.filter(({ trouble }) => trouble !== undefined);
  return [
    ...[...byType].map(([operation, own]): Sample => {
      return { name: 'holdfast_operations_running', labels: { system, operation }, value: own.length };
    }),
    { name: 'holdfast_operations_waiting', labels: { system }, value: waiting.length },
    { name: 'holdfast_operations_in_trouble', labels: { system }, value: troubled.length },
  ];
}

function secondsOf(at: string | undefined): number {
  return at === undefined ? 0 : Date.parse(at) / 1000;
}

function restoreTestMs(own: readonly KnownBackup[]): number | undefined {
  const restored = own.flatMap(({ entry }) => entry.proofs.filter(({ ok, level }) => ok && level === 'restored'));
  return latestMs(restored.map(({ at }) => Date.parse(at)));
}

function latestMs(times: readonly number[]): number | undefined {
  return times.length === 0 ? undefined : times.reduce((a, b) => Math.max(a, b));
}
