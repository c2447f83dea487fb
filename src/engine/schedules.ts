/** The schedules of a system in the engine: read, brought to what the file declares, answered to by hand. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { ScheduleAlreadyRunning, ScheduleNotFoundError, type Client } from '@temporalio/client';
import { diffSchedules, type ScheduleChange } from '../policy/schedule-diff.ts';
import type { DescribedSchedule } from '../policy/schedule-facts.ts';
import { declaredSchedules, partsOfScheduleId, type DeclaredSchedule } from '../policy/schedules.ts';
import { HoldfastError } from '../failures.ts';
import { holdfastHome } from '../system/home.ts';
import type { System } from '../system/types.ts';
import type { Engine } from './connect.ts';
import { unlessChanged } from './schedule-condition.ts';
import { describedOf, FRAME, markOf, optionsOf, updateOf, type ScheduleMark } from './schedule-encode.ts';

/** Attempts at one schedule while others create and delete it. */
const ATTEMPTS = 5;

/** Which installation this is, on an engine that several share. No path is told. */
function ownMark(): ScheduleMark {
  const place = `${hostname()}\0${holdfastHome()}`;
  return { by: createHash('sha256').update(place).digest('hex').slice(0, 16) };
}

/** One schedule as it is now; undefined when there is none. */
export async function describeSchedule(client: Client, id: string): Promise<DescribedSchedule | undefined> {
  try {
    return describedOf(await client.schedule.getHandle(id).describe());
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** Ids of all schedules that Holdfast has applied, with who did. What was made this very moment may be missing. */
async function listOwn(client: Client): Promise<{ id: string; system: string; mark: ScheduleMark }[]> {
  const found: { id: string; system: string; mark: ScheduleMark }[] = [];
  for await (const { scheduleId, memo } of client.schedule.list()) {
    const parts = partsOfScheduleId(scheduleId);
    const mark = markOf(memo);
    if (parts !== undefined && mark !== undefined) found.push({ id: scheduleId, system: parts.system, mark });
  }
  return found;
}

/** Every schedule of a system, the declared ones asked for by name, so that none of them is overlooked. */
export async function describeSchedules(
  client: Client,
  system: string,
  declared: readonly DeclaredSchedule[],
): Promise<DescribedSchedule[]> {
  const listed = (await listOwn(client)).filter((one) => one.system === system).map(({ id }) => id);
  const ids = [...new Set([...declared.map(({ id }) => id), ...listed])];
  const described = await Promise.all(ids.map((id) => describeSchedule(client, id)));
  return described.filter((one) => one !== undefined);
}

export interface PlannedSchedules {
  readonly system: string;
  readonly changes: readonly ScheduleChange[];
}

/** What applying would do. Changes nothing. */
export async function planSchedules(client: Client, system: System): Promise<PlannedSchedules> {
  const declared = declaredSchedules(system);
  const existing = await describeSchedules(client, system.name, declared);
  return { system: system.name, changes: diffSchedules(declared, existing, FRAME) };
}

/**
 * Schedules of systems that are registered here no more. On an engine that others share only those that this
 * installation has applied: what another machine knows is its own business.
 */
export async function planAbandoned(engine: Engine, registered: readonly string[]): Promise<PlannedSchedules[]> {
  const alone = engine.target.from === 'this machine';
  const own = ownMark();
  const bySystem = new Map<string, ScheduleChange[]>();
  for (const { id, system, mark } of await listOwn(engine.client)) {
    if (registered.includes(system) || !(alone || mark.by === own.by)) continue;
    bySystem.set(system, [...(bySystem.get(system) ?? []), { do: 'remove', id }]);
  }
  return [...bySystem].map(([system, changes]) => ({ system, changes }));
}

/**
 * What may be done without asking anybody: on an engine that others share no schedule goes that another installation has
 * applied, because its system file may be newer than the one here. Monitoring tells of what is declared no longer.
 */
export async function leavingOthers(engine: Engine, planned: PlannedSchedules): Promise<PlannedSchedules> {
  const removes = planned.changes.some((change) => change.do === 'remove');
  if (engine.target.from === 'this machine' || !removes) return planned;
  const own = ownMark();
  const mine = new Set((await listOwn(engine.client)).filter(({ mark }) => mark.by === own.by).map(({ id }) => id));
  return { ...planned, changes: planned.changes.filter((change) => change.do !== 'remove' || mine.has(change.id)) };
}

export function hasChanges({ changes }: PlannedSchedules): boolean {
  return changes.some((change) => change.do !== 'keep');
}

/** Does what was planned. A repeat, or another who does the same beside it, comes to the same end. */
export async function applySchedules(client: Client, { changes }: PlannedSchedules): Promise<void> {
  for (const change of changes) {
    if (change.do === 'remove') await remove(client, change.id);
    else if (change.do !== 'keep') await bringAbout(client, change.declared);
  }
}

async function remove(client: Client, id: string): Promise<void> {
  try {
    await client.schedule.getHandle(id).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}

async function bringAbout(client: Client, declared: DeclaredSchedule): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const now = await describeSchedule(client, declared.id);
      if (now === undefined) await client.schedule.create(optionsOf(declared, ownMark()));
      else await update(client, declared);
      return;
    } catch (error) {
      // Another has just made or removed it.
      const raced = error instanceof ScheduleAlreadyRunning || error instanceof ScheduleNotFoundError;
      if (!raced || attempt >= ATTEMPTS) throw error;
    }
  }
}

/** By what it is at that moment. What somebody else changes meanwhile, such as a pause, stays: then it is begun again. */
async function update(client: Client, declared: DeclaredSchedule): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const handle = unlessChanged(client).getHandle(declared.id);
    await handle.update((now) => updateOf(declared, describedOf(now)));
    // The server drops an update that comes too late without a word.
    const now = await describeSchedule(client, declared.id);
    const [left] = diffSchedules([declared], now === undefined ? [] : [now], FRAME);
    if (left?.do === 'keep') return;
  }
  throw new HoldfastError('HostBusy', `somebody else changes the schedule ${declared.name} again and again`);
}
