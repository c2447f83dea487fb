/** What the checklists are answered from: findings, reports of restores beside, and the system file. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { listFiles } from '../docker/durable-file.ts';
import type { ChecklistFacts, RestoreTest } from '../policy/checklists.ts';
import { reportsDirectory } from '../system/home.ts';
import type { System } from '../system/types.ts';
import { mapBounded } from '../vault/mutex.ts';
import type { RestoreResult } from '../workflows/contract.ts';
import { findingsOf } from './findings.ts';
import type { SystemNumbers } from './numbers.ts';
import { runningOperations } from './running.ts';

const MONTH_MS = 30 * 86_400_000;
const READS_AT_ONCE = 16;

/** Needs no engine; what it alone could tell is then unknown. */
export async function checklistFacts(system: System, nowMs: number): Promise<ChecklistFacts> {
  const [found, restoreTest] = await Promise.all([
    findingsOf(system, await runningOperations(), nowMs),
    newestRestoreTest(system.name),
  ]);
  const { base, classes } = system.escalation;
  const levels = [base, ...Object.values(classes)].flatMap((policy) => policy.levels);
  return {
    system: system.name,
    nowMs,
    findings: found.findings,
    unknown: found.unknown,
    ...(restoreTest === undefined ? {} : { restoreTest }),
    channels: [...new Set(levels.flatMap(({ channels }) => channels))],
    unscheduled: system.plans.filter((plan) => plan.schedule === undefined && !plan.onChange).map(({ name }) => name),
    storedBytes: storedBytes(found.facts, nowMs),
  };
}

function storedBytes({ plans }: SystemNumbers, nowMs: number): ChecklistFacts['storedBytes'] {
  const points = plans.flatMap(({ series }) => series);
  const between = (fromMs: number, toMs: number): number =>
    points
      .filter(({ pointAtMs }) => pointAtMs > fromMs && pointAtMs <= toMs)
      .reduce((sum, point) => sum + point.storedBytes, 0);
  return {
    lately: between(nowMs - MONTH_MS, nowMs),
    before: between(nowMs - 2 * MONTH_MS, nowMs - MONTH_MS),
  };
}

/** Of the reports on this machine: a restore that was made beside, checked and removed, or that went live. */
async function newestRestoreTest(system: string): Promise<RestoreTest | undefined> {
  const files = await listFiles(path.join(reportsDirectory(system), 'restore'), '.json');
  const tests = await mapBounded(files, READS_AT_ONCE, readTest);
  return tests
    .filter((one) => one !== undefined)
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
    .at(-1);
}

/** A file that was cut off says nothing. */
async function readTest(file: string): Promise<RestoreTest | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    const { outcome, plan, checks, durationMs } = JSON.parse(text) as Partial<RestoreResult>;
    if ((outcome !== 'verified' && outcome !== 'restored') || plan === undefined || checks === undefined)
      return undefined;
    return {
      at: new Date(mtimeMs).toISOString(),
      backup: plan.backup,
      ok: checks.every(({ ok }) => ok),
      checks: checks.length,
      ...(durationMs === undefined ? {} : { durationMs }),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
