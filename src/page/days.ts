/** The last days of a plan, day by day: what was kept, what was proved, what failed. Pure. */
import { dataBytes, durationMs } from '../status/backup-amounts.ts';
import { bestVerdict, type KnownBackup } from '../status/catalogues.ts';
import { operationOf } from '../status/last-runs.ts';
import { WORKFLOWS, workflowIds } from '../workflows/contract.ts';
import type { EndedRun } from './facts.ts';

export const DAYS = 30;
export const DAY_MS = 86_400_000;

export interface Day {
  /** `2026-11-21`, in UTC. */
  readonly date: string;
  readonly kept: number;
  /** Of these, with a good verdict. */
  readonly proved: number;
  /** Kept, and its newest verdict is bad. */
  readonly bad: number;
  /** Runs that ended without a backup. */
  readonly failed: number;
}

export interface PlanDays {
  readonly plan: string;
  /** Oldest first, the last one is today. */
  readonly days: readonly Day[];
}

export function planDays(
  system: string,
  plan: string,
  backups: readonly KnownBackup[],
  ended: readonly EndedRun[],
  nowMs: number,
): PlanDays {
  const own = backups.filter(({ entry: { body } }) => body.plan === plan && body.purpose === 'backup');
  const operation = operationOf(system, workflowIds.backup(system, plan));
  const failed = ended.filter(
    ({ type, workflowId, outcome }) =>
      type === WORKFLOWS.backup && outcome !== 'completed' && operationOf(system, workflowId) === operation,
  );
  const byDay = Map.groupBy(own, ({ entry }) => dateOf(Date.parse(entry.body.startedAt)));
  const failedByDay = Map.groupBy(failed, ({ endedAt }) => dateOf(Date.parse(endedAt)));
  const days = Array.from({ length: DAYS }, (_, index): Day => {
    const date = dateOf(nowMs - (DAYS - 1 - index) * DAY_MS);
    const kept = byDay.get(date) ?? [];
    const verdicts = kept.map((backup) => bestVerdict(backup)?.ok);
    return {
      date,
      kept: kept.length,
      proved: verdicts.filter((ok) => ok === true).length,
      bad: verdicts.filter((ok) => ok === false).length,
      failed: (failedByDay.get(date) ?? []).length,
    };
  });
  return { plan, days };
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export interface Point {
  readonly atMs: number;
  readonly value: number;
  /** The backup it belongs to. */
  readonly backup: string;
}

export interface Trend {
  readonly plan: string;
  /** Bytes of the data as it was captured, of each backup; oldest first. */
  readonly sizes: readonly Point[];
  /** Milliseconds from the start of the capture to its commit. */
  readonly durations: readonly Point[];
}

/** Backups older than `DAYS` are left out, and the newest `most` are drawn. */
export function trendOf(plan: string, backups: readonly KnownBackup[], nowMs: number, most = 400): Trend {
  const own = backups
    .filter(({ entry: { body, trust } }) => body.plan === plan && body.purpose === 'backup' && trust.ok)
    .filter(({ entry }) => nowMs - Date.parse(entry.body.startedAt) < DAYS * DAY_MS)
    .slice(0, most)
    .toReversed();
  const points = (value: (backup: KnownBackup) => number): Point[] =>
    own.map((backup) => ({
      atMs: Date.parse(backup.entry.body.startedAt),
      value: value(backup),
      backup: backup.entry.body.id,
    }));
  return { plan, sizes: points(dataBytes), durations: points(durationMs) };
}
