/** The schedules of a system as people see them: what is declared beside what the engine has. */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { connectEngine } from '../engine/connect.ts';
import { describeSchedules } from '../engine/schedules.ts';
import type { Colours } from '../observe/colours.ts';
import { formatSeconds } from '../observe/format.ts';
import { tell } from '../observe/told.ts';
import { isPausedByHand } from '../policy/schedule-diff.ts';
import type { DescribedSchedule, ScheduledRun } from '../policy/schedule-facts.ts';
import { declaredSchedules, type DeclaredSchedule } from '../policy/schedules.ts';
import type { System } from '../system/types.ts';
import type { ScheduledResult } from '../workflows/contract.ts';

export interface ScheduleState {
  readonly name: string;
  readonly what: string;
  /** The times as the file has them; of one that is declared no longer: that. */
  readonly written: string;
  /** False: the engine does not have it. */
  readonly applied: boolean;
  readonly paused?: { readonly byHand: boolean; readonly note: string };
  /** RFC 3339; absent when it never comes, or is paused. */
  readonly nextAt?: string;
  /** When the engine was given it. */
  readonly createdAt?: string;
  readonly running: boolean;
  readonly last?: LastRun;
  /** Since it was created: the run before went on. */
  readonly skipped: number;
  /** Since it was created: the engine was down for longer than the catch-up window. */
  readonly missed: number;
}

export interface LastRun {
  readonly dueAt: string;
  readonly workflowId: string;
  /** `failed`, `cancelled`, `terminated`, `runs`, or what the operation says of itself. */
  readonly outcome: string;
  readonly why?: string;
}

/** Declared ones first; with `outcomes` the end of each one's last run is asked for as well. */
export async function scheduleStates(
  client: Client,
  system: System,
  options: { readonly outcomes: boolean },
): Promise<ScheduleState[]> {
  const declared = declaredSchedules(system);
  const described = await describeSchedules(client, system.name, declared);
  const byId = new Map(described.map((one) => [one.id, one]));
  const ids = new Set(declared.map(({ id }) => id));
  const pairs = [
    ...declared.map((one) => ({ declared: one, described: byId.get(one.id) })),
    ...described.filter(({ id }) => !ids.has(id)).map((one) => ({ declared: undefined, described: one })),
  ];
  return Promise.all(pairs.map((pair) => stateOf(client, pair, options.outcomes)));
}

async function stateOf(
  client: Client,
  { declared, described }: { declared: DeclaredSchedule | undefined; described: DescribedSchedule | undefined },
  outcomes: boolean,
): Promise<ScheduleState> {
  const name = declared?.name ?? described?.name ?? '';
  const about = { name, what: declared?.what ?? '', written: declared?.written ?? 'declared no longer' };
  if (described === undefined) return { ...about, applied: false, running: false, skipped: 0, missed: 0 };
  const { nextMs, running, recent, skipped, missed } = described;
  const newest = recent.at(-1);
  const last = outcomes && newest !== undefined ? await lastRun(client, newest) : undefined;
  const [next] = nextMs;
  return {
    ...about,
    applied: true,
    createdAt: new Date(described.createdAtMs).toISOString(),
    ...(described.paused ? { paused: { byHand: isPausedByHand(described), note: described.note ?? '' } } : {}),
    ...(described.paused || next === undefined ? {} : { nextAt: new Date(next).toISOString() }),
    running: running.length > 0,
    ...(last === undefined ? {} : { last }),
    skipped,
    missed,
  };
}

/** Empty when the engine does not answer, which is told elsewhere. */
export async function schedulesOf(system: System): Promise<ScheduleState[]> {
  try {
    await using engine = await connectEngine();
    return await scheduleStates(engine.client, system, { outcomes: false });
  } catch (error) {
    if (tell(error).code === 'EngineUnreachable') return [];
    throw error;
  }
}

/** For the row of a plan. */
export function nextText(state: ScheduleState | undefined, nowMs: number): string {
  if (state === undefined) return '';
  if (!state.applied) return 'not applied';
  if (state.paused !== undefined) return 'paused';
  return state.nextAt === undefined ? 'never' : `in ${formatSeconds(secondsUntil(state.nextAt, nowMs))}`;
}

function secondsUntil(time: string, nowMs: number): number {
  return Math.max(0, Math.round((Date.parse(time) - nowMs) / 1000));
}

/** A line for each schedule that a person has paused. */
export function pauseText(system: string, { name, paused }: ScheduleState, colours: Colours): string[] {
  if (paused?.byHand !== true) return [];
  const note = paused.note === '' ? '' : ` (${paused.note})`;
  return [`${colours.yellow('paused')} ${name}${note} — holdfast schedule unpause ${system} ${name}`];
}

/** Undefined when the engine remembers it no longer. */
async function lastRun(client: Client, run: ScheduledRun): Promise<LastRun | undefined> {
  const about = { dueAt: new Date(run.dueAtMs).toISOString(), workflowId: run.workflowId };
  const handle = client.workflow.getHandle(run.workflowId, run.runId);
  try {
    const { status } = await handle.describe();
    if (status.name === 'RUNNING') return { ...about, outcome: 'runs' };
    if (status.name !== 'COMPLETED') return { ...about, outcome: 'failed', ...(await whyOf(handle.result())) };
    const { outcome, ok, why } = (await handle.result()) as ScheduledResult;
    return { ...about, outcome: ok === false ? 'found something bad' : outcome, ...(why === undefined ? {} : { why }) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

async function whyOf(result: Promise<unknown>): Promise<{ why?: string }> {
  try {
    await result;
    return {};
  } catch (error) {
    return { why: tell(error).message };
  }
}
