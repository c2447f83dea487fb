/** What the page knows at a moment. It is looked up in the background and rendered from memory. */
import type { ToldError } from '../observe/told.ts';
import type { Finding, Unknown } from '../policy/findings.ts';
import type { KnownBackup } from '../status/catalogues.ts';
import type { KnownIncident } from '../status/incidents.ts';
import type { SystemNumbers } from '../status/numbers.ts';
import type { RunningOperation } from '../status/running.ts';
import type { ScheduleState } from '../status/schedule-state.ts';
import type { SystemStatus } from '../status/system-status.ts';
import type { System } from '../system/types.ts';
import type { ActivityProgress, DrillReport, IncidentState, Progress } from '../workflows/contract.ts';
import type { TemporalUi } from './links.ts';

export interface Knowledge {
  readonly engine: EngineFacts;
  /** By name. */
  readonly systems: readonly SystemFacts[];
  /** When the register of systems was read; undefined before the first time. */
  readonly lookedAtMs?: number;
  /** Why the register can't be read. */
  readonly failure?: ToldError;
}

export interface EngineFacts {
  /** Undefined: it was not looked at yet. */
  readonly running?: boolean;
  /** When it was looked at last, whatever the answer was. */
  readonly lookedAtMs?: number;
  /** When it last answered. */
  readonly answeredAtMs?: number;
  readonly why?: string;
  readonly address?: string;
  readonly ui?: TemporalUi;
  /** As they were when it last answered. */
  readonly operations: readonly OperationFacts[];
  readonly incidents: readonly IncidentFacts[];
  /** Those that are over, newest first. */
  readonly healed: readonly KnownIncident[];
  /** What has ended in the last days, newest first. */
  readonly ended: readonly EndedRun[];
}

export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

export interface OperationFacts extends RunningOperation, Run {
  readonly steps: Progress['steps'];
  /** The amounts that its steps tell at this moment. */
  readonly amounts: readonly ActivityProgress[];
  /** The plan that waits for approval, in the shape of its operation. */
  readonly plan?: unknown;
}

export interface IncidentFacts extends Run {
  readonly state: IncidentState;
}

export interface EndedRun extends Run {
  readonly type: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly outcome: 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed out';
  /** Why it failed, where that was looked up. */
  readonly why?: string;
}

export interface SystemFacts {
  readonly name: string;
  /** The system as its file has it; absent when that can't be read. */
  readonly system?: System;
  readonly failure?: ToldError;
  /** When its stores were looked at; undefined before the first time. */
  readonly lookedAtMs?: number;
  readonly status?: SystemStatus;
  /** Newest first. */
  readonly backups: readonly KnownBackup[];
  /** Critical first. */
  readonly findings: readonly Finding[];
  readonly numbers?: SystemNumbers;
  /** What could not be looked at. */
  readonly unknown: readonly Unknown[];
  /** Rehearsed restores, newest first. */
  readonly drills?: readonly DrillReport[];
  /** Undefined where the engine could not be asked. */
  readonly schedules?: readonly ScheduleState[];
}

export const NOTHING_KNOWN: Knowledge = {
  engine: { operations: [], incidents: [], healed: [], ended: [] },
  systems: [],
};

/** Looks at stores are minutes apart when nobody looks at the page; older than this something keeps them. */
const STORES_STALE_MS = 15 * 60_000;
const ENGINE_STALE_MS = 2 * 60_000;

export function isEngineStale({ lookedAtMs }: EngineFacts, nowMs: number): boolean {
  return lookedAtMs !== undefined && nowMs - lookedAtMs > ENGINE_STALE_MS;
}

/** Whether what keeps this knowledge up to date is at work. The first look may take as long as any other. */
export function healthOf(
  { engine, lookedAtMs }: Knowledge,
  startedAtMs: number,
  nowMs: number,
):
  | { readonly status: 'ok' }
  | { readonly status: 'starting' | 'stuck'; readonly since: string; readonly waitsFor: string } {
  const runningMs = nowMs - startedAtMs;
  const first = engine.lookedAtMs === undefined ? 'engine' : lookedAtMs === undefined ? 'stores' : undefined;
  if (first !== undefined) {
    const isStuck = runningMs > (first === 'engine' ? ENGINE_STALE_MS : STORES_STALE_MS);
    const since = new Date(startedAtMs).toISOString();
    return { status: isStuck ? 'stuck' : 'starting', since, waitsFor: first };
  }
  if (!isEngineStale(engine, nowMs)) return { status: 'ok' };
  return { status: 'stuck', since: new Date(engine.lookedAtMs ?? startedAtMs).toISOString(), waitsFor: 'engine' };
}

export function isSystemStale({ lookedAtMs }: SystemFacts, nowMs: number): boolean {
  return lookedAtMs !== undefined && nowMs - lookedAtMs > STORES_STALE_MS;
}

export function belongsTo(system: string, { workflowId }: Pick<Run, 'workflowId'>): boolean {
  return workflowId.startsWith(`${system}/`);
}
