/** What a person does to one schedule: pause, resume, run now, make up for. Throws BadInput when it is not applied. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ScheduleNotFoundError, type Client } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import { partsOfScheduleId } from '../policy/schedules.ts';
import type { DescribedSchedule } from '../policy/schedule-facts.ts';
import { describeSchedule } from './schedules.ts';

const LOOK_EVERY_MS = 150;
const STARTED_LIMIT_MS = 10_000;

export async function pauseSchedule(client: Client, id: string, note: string): Promise<void> {
  await applied(id, () => client.schedule.getHandle(id).pause(note));
}

export async function unpauseSchedule(client: Client, id: string, note: string): Promise<void> {
  await applied(id, () => client.schedule.getHandle(id).unpause(note));
}

export interface Triggered {
  /** `asked`: the engine has taken it and has not said within seconds what became of it. */
  readonly outcome: 'started' | 'skipped' | 'asked';
  /** Of the run that was started, or of the one that is still running. */
  readonly workflowId?: string;
}

/** One run, now, unless one has not ended: the engine's own default would start another beside it. */
export async function triggerSchedule(client: Client, id: string): Promise<Triggered> {
  const before = await known(client, id);
  await applied(id, () => client.schedule.getHandle(id).trigger('SKIP'));
  const until = Date.now() + STARTED_LIMIT_MS;
  while (Date.now() < until) {
    const now = await known(client, id);
    const newest = now.recent.at(-1);
    if (now.taken > before.taken)
      return { outcome: 'started', ...(newest === undefined ? {} : { workflowId: newest.workflowId }) };
    if (now.skipped > before.skipped) {
      const [running] = now.running;
      return { outcome: 'skipped', ...(running === undefined ? {} : { workflowId: running.workflowId }) };
    }
    await sleep(LOOK_EVERY_MS);
  }
  return { outcome: 'asked' };
}

/** A run for each time that was due, one after another. */
export async function backfillSchedule(client: Client, id: string, start: Date, end: Date): Promise<void> {
  await applied(id, () => client.schedule.getHandle(id).backfill({ start, end, overlap: 'BUFFER_ALL' }));
}

async function known(client: Client, id: string): Promise<DescribedSchedule> {
  const now = await describeSchedule(client, id);
  if (now === undefined) throw notApplied(id);
  return now;
}

async function applied(id: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) throw notApplied(id);
    throw error;
  }
}

function notApplied(id: string): HoldfastError {
  const { system = '', name = id } = partsOfScheduleId(id) ?? {};
  return new HoldfastError('BadInput', `the engine has no schedule ${name} of ${system}`, {
    hint: `Apply what the system file declares: holdfast apply ${system}.`,
  });
}
