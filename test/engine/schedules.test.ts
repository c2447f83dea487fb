/** What system files declare, in a real server: no worker is needed to see what is started, when, and how often. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectEngine, startUp } from '../../src/engine/index.ts';
import type { Engine, RunningEngine } from '../../src/engine/index.ts';
import { schedulesFollower, type ScheduleNews } from '../../src/engine/follow-schedules.ts';
import { forgetLooks } from '../../src/engine/forget-looks.ts';
import { FRAME, optionsOf } from '../../src/engine/schedule-encode.ts';
import {
  backfillSchedule,
  pauseSchedule,
  triggerSchedule,
  unpauseSchedule,
} from '../../src/engine/schedules-by-hand.ts';
import {
  applySchedules,
  describeSchedule,
  leavingOthers,
  planAbandoned,
  planSchedules,
} from '../../src/engine/schedules.ts';
import { nextRuns, specOf } from '../../src/policy/due-times.ts';
import type { DescribedSchedule } from '../../src/policy/schedule-facts.ts';
import { scheduleFindings } from '../../src/policy/schedule-findings.ts';
import { declaredSchedules, scheduleId, type DeclaredSchedule } from '../../src/policy/schedules.ts';
import { listSystems, registerSystem, type ScheduleTimes, type System } from '../../src/system/index.ts';
import { holdfastJson } from '../cli/holdfast.ts';
import { systemOf } from '../system/small-system.ts';
import { temporaryHome } from './home.ts';

const SERVER_ONLY = { hosts: [], workers: false, port: 0, uiPort: false } as const;
const WAIT = { timeout: 60_000, interval: 100 };

let home: ReturnType<typeof temporaryHome>;
let running: RunningEngine;
let engine: Engine;

async function start(): Promise<void> {
  running = await startUp(SERVER_ONLY);
  engine = await connectEngine();
}

beforeAll(async () => {
  home = temporaryHome();
  await start();
});
afterAll(async () => {
  await engine.close();
  await running.stop();
  home[Symbol.dispose]();
});

async function apply(system: System): Promise<string[]> {
  const planned = await planSchedules(engine.client, system);
  await applySchedules(engine.client, planned);
  return planned.changes.map((change) => `${change.do} ${change.do === 'remove' ? change.id : change.declared.name}`);
}

async function described(system: string, name: string): Promise<DescribedSchedule> {
  const found = await describeSchedule(engine.client, scheduleId(system, name));
  if (found === undefined) throw new Error(`there is no schedule ${name}`);
  return found;
}

/** Times that are first due so long from now, and not again within the test. */
function dueIn(ms: number): string {
  const offsetSeconds = Math.ceil(((Date.now() + ms) % 3_600_000) / 1000) % 3600;
  return `{ every: 1h, offset: ${offsetSeconds}s }`;
}

describe('looks of monitor', () => {
  async function run(workflowId: string, type: string, end: boolean): Promise<void> {
    const handle = await engine.client.workflow.start(type, { workflowId, taskQueue: 'nobody' });
    if (end) await handle.terminate();
  }
  async function left(): Promise<string[]> {
    const found: string[] = [];
    for await (const one of engine.client.workflow.list({ query: "TaskQueue = 'nobody'" })) found.push(one.workflowId);
    return found.toSorted();
  }

  it('old ones go; other runs, the open one and those of another system stay', async () => {
    const old = ['seen/monitor', 'seen/scheduled/monitor-2026-11-01T00:00:00Z'];
    const kept = ['seen/prune/nas', 'seen/scheduled/prune/nas-2026-11-01T00:00:00Z', 'seen-too/monitor'];
    for (const id of [...old, ...kept])
      await run(id, id.includes('/scheduled/') ? 'scheduled' : (id.split('/')[1] ?? ''), true);
    await run('seen/monitor', 'monitor', false);
    await vi.waitFor(async () => expect(await left()).toHaveLength(6), WAIT);

    // The engine does it within the minute.
    expect(await forgetLooks(engine.client, ['seen'], Date.now() - 60_000)).toEqual([]);
    expect(await forgetLooks(engine.client, ['seen'], Date.now() + 60_000)).toEqual(old);
    await engine.client.workflow.getHandle('seen/monitor').terminate();
  });
});

describe('[M2] schedules of a system', () => {
  it('applied: all are there as declared; again: nothing changes; from two sides at once: the same', async () => {
    const system = systemOf('alpha', {
      plan: '{ cron: 0 2 * * *, timeZone: Europe/Berlin, jitter: 5m }',
      prune: '0 3 * * MON',
    });
    const planned = await planSchedules(engine.client, system);
    await Promise.all([applySchedules(engine.client, planned), applySchedules(engine.client, planned)]);
    expect(planned.changes.map((change) => change.do)).toEqual(['create', 'create', 'create']);
    expect(await apply(system)).toEqual(['keep backup/daily', 'keep prune/nas', 'keep monitor']);

    const daily = await described('alpha', 'backup/daily');
    const start = { schedule: 'backup/daily', operation: 'backup', workflowId: 'alpha/backup/daily' };
    expect(daily).toMatchObject({
      overlap: 'SKIP',
      catchUpSeconds: 86_400,
      jitterSeconds: 300,
      workflowType: 'scheduled',
      start: { ...start, system: 'alpha', plan: 'daily' },
      paused: false,
      taken: 0,
    });
    const { catchUpSeconds } = await described('alpha', 'monitor');
    expect(catchUpSeconds).toBe(60);
  });

  it('a changed file: each field is told and changed; what is declared no longer goes; pauses by hand stay', async () => {
    await apply(systemOf('beta', { plan: '0 2 * * *', prune: '0 3 * * MON' }));
    await pauseSchedule(engine.client, scheduleId('beta', 'backup/daily'), 'paused by ann: new disk');

    const changed = systemOf('beta', { plan: '{ every: 6h, catchUp: 1h, paused: true }' });
    const { changes } = await planSchedules(engine.client, changed);
    expect(changes.find((change) => change.do === 'change')).toMatchObject({
      changes: [
        { field: 'times', from: '0 2 * * * UTC', to: 'every 6h' },
        { field: 'catch-up', from: '1d', to: '1h' },
      ],
    });
    expect(await apply(changed)).toEqual(['change backup/daily', 'keep monitor', 'remove beta/schedule/prune/nas']);
    expect(await described('beta', 'backup/daily')).toMatchObject({ paused: true, note: 'paused by ann: new disk' });
    expect(await describeSchedule(engine.client, scheduleId('beta', 'prune/nas'))).toBeUndefined();

    await unpauseSchedule(engine.client, scheduleId('beta', 'backup/daily'), 'unpaused by ann');
    // The file asks for a pause of its own, which follows the file.
    expect(await apply(changed)).toEqual(['change backup/daily', 'keep monitor']);
    expect(await described('beta', 'backup/daily')).toMatchObject({ paused: true, note: 'paused by the system file' });
    expect(await apply(systemOf('beta', { plan: '{ every: 6h, catchUp: 1h }' }))).toEqual([
      'change backup/daily',
      'keep monitor',
    ]);
    expect((await described('beta', 'backup/daily')).paused).toBe(false);
  });

  it('a person pauses while the file is applied: the pause stays, and the file is applied', async () => {
    await apply(systemOf('gamma', { plan: '0 2 1 1 *' }));
    const id = scheduleId('gamma', 'backup/daily');
    const planned = await planSchedules(engine.client, systemOf('gamma', { plan: '0 4 1 1 *' }));
    const { workflowService } = engine.client;
    const write = workflowService.updateSchedule.bind(workflowService);
    let pauses = 0;
    // Between reading and writing, which takes milliseconds otherwise.
    const spied = vi.spyOn(workflowService, 'updateSchedule').mockImplementation((async (request: never) => {
      if (pauses++ === 0) await pauseSchedule(engine.client, id, 'paused by ann: new disk');
      return write(request);
    }) as unknown as typeof workflowService.updateSchedule);
    try {
      await applySchedules(engine.client, planned);
    } finally {
      spied.mockRestore();
    }
    expect(pauses).toBeGreaterThan(1);
    const now = await described('gamma', 'backup/daily');
    expect(now).toMatchObject({ paused: true, note: 'paused by ann: new disk' });
    expect(now.spec).toEqual(specOf({ cron: '0 4 1 1 *', timeZone: 'UTC' }));
  });

  it('a system that is registered no more loses its schedules; those that a person made stay, and unasked those of another machine', async () => {
    await apply(systemOf('gamma', { plan: '0 2 * * *' }));
    const [declared] = declaredSchedules(systemOf('gamma', { plan: '0 2 * * *' }));
    if (declared === undefined) throw new Error('nothing is declared');
    const byHand = { ...optionsOf(declared, { by: 'x' }), scheduleId: 'gamma/schedule/own', memo: {} };
    await engine.client.schedule.create(byHand);
    const others = 'gamma/schedule/others';
    await engine.client.schedule.create({ ...optionsOf(declared, { by: 'another machine' }), scheduleId: others });
    const abandoned = await vi.waitFor(async () => {
      const found = await planAbandoned(engine, ['alpha', 'beta']);
      expect(found.flatMap(({ changes }) => changes)).toHaveLength(3);
      return found;
    }, WAIT);
    expect(abandoned.map(({ system }) => system)).toEqual(['gamma']);
    const [planned] = abandoned;
    if (planned === undefined) throw new Error('nothing is abandoned');
    const shared: Engine = { ...engine, target: { ...engine.target, from: 'TEMPORAL_*' } };
    expect(await leavingOthers(engine, planned)).toBe(planned);
    const { changes } = await leavingOthers(shared, planned);
    expect(changes).toEqual(planned.changes.filter((change) => change.do === 'remove' && change.id !== others));
    expect(changes).toHaveLength(2);
    for (const one of abandoned) await applySchedules(engine.client, one);
    expect(await describeSchedule(engine.client, declared.id)).toBeUndefined();
    expect(await describeSchedule(engine.client, 'gamma/schedule/own')).toBeDefined();
    await engine.client.schedule.getHandle('gamma/schedule/own').delete();
  });

  it('run by hand: one is started, a second is skipped and said so while that one goes on; past times one by one', async () => {
    const system = systemOf('delta', { plan: '0 2 1 1 *' });
    await apply(system);
    const id = scheduleId('delta', 'backup/daily');
    const first = await triggerSchedule(engine.client, id);
    expect(first).toMatchObject({
      outcome: 'started',
      workflowId: expect.stringMatching(/^delta\/scheduled\/backup\/daily-/) as string,
    });
    expect(await triggerSchedule(engine.client, id)).toEqual({ outcome: 'skipped', workflowId: first.workflowId });
    expect((await described('delta', 'backup/daily')).skipped).toBe(1);

    await backfillSchedule(engine.client, id, new Date('2024-12-31T00:00Z'), new Date('2025-01-02T00:00Z'));
    await engine.client.workflow.getHandle(first.workflowId ?? '').terminate();
    await vi.waitFor(async () => {
      expect((await described('delta', 'backup/daily')).recent.at(-1)?.dueAtMs).toBe(Date.parse('2025-01-01T02:00Z'));
    }, WAIT);
  });
});

describe('[M2] the command line', () => {
  it('the difference first, then applied; a pause is listed, exit 1; registered no more: removed', async () => {
    const file = path.join(home.path, 'shop.yaml');
    writeFileSync(file, systemOf('shop', { plan: '0 2 1 1 *' }).sourceText);
    await registerSystem(file);
    interface Applied {
      readonly outcome: string;
      readonly systems: readonly { readonly system: string; readonly changes: readonly { readonly do: string }[] }[];
    }
    const apply = (code: number, ...args: string[]) => holdfastJson<Applied>(home.path, ['apply', ...args], code);
    const planned = await apply(1, 'shop', '--dry-run');
    expect(planned.outcome).toBe('not applied');
    expect(planned.systems[0]?.changes.map((change) => change.do)).toEqual(['create', 'create']);
    expect((await apply(0, 'shop')).outcome).toBe('applied');

    await pauseSchedule(engine.client, scheduleId('shop', 'backup/daily'), 'paused by ann: new disk');
    const { systems } = await holdfastJson<{ systems: { schedules: object[] }[] }>(
      home.path,
      ['schedule', 'list', 'shop'],
      1,
    );
    expect(systems[0]?.schedules).toMatchObject([
      {
        name: 'backup/daily',
        applied: true,
        paused: { byHand: true, note: expect.stringContaining('new disk') as string },
      },
      { name: 'monitor', applied: true },
    ]);
    rmSync(path.join(home.path, 'systems', 'shop.json'));
    const removed = await apply(0);
    const shop = removed.systems.find(({ system }) => system === 'shop');
    expect(shop?.changes.map((change) => change.do)).toEqual(['remove', 'remove']);
    expect(await describeSchedule(engine.client, scheduleId('shop', 'backup/daily'))).toBeUndefined();
  });
});

describe('[M2] files that change', () => {
  it('each change is applied and told once; a file that is broken, or a register that is away, keeps what is applied', async () => {
    const file = path.join(home.path, 'tide.yaml');
    const write = (plan: string) => writeFileSync(file, systemOf('tide', { plan }).sourceText);
    write('0 2 1 1 *');
    await registerSystem(file);
    const news: ScheduleNews[] = [];
    const schedules = schedulesFollower((one) => news.push(one));
    const told = (): string[] =>
      news
        .splice(0)
        .filter(({ system }) => system === 'tide')
        .flatMap((one) => (one.did === 'failed' ? ['failed'] : one.changes.map((change) => change.do)));
    await schedules.ensure(engine);
    expect(told()).toEqual(['create', 'create']);
    await schedules.ensure(engine);
    expect(told()).toEqual([]);
    write('0 3 1 1 *');
    await schedules.ensure(engine);
    expect(told()).toEqual(['change']);
    writeFileSync(file, 'system: tide');
    await schedules.ensure(engine);
    await schedules.ensure(engine);
    expect(told()).toEqual(['failed']);
    expect(await described('tide', 'backup/daily')).toMatchObject({ taken: 0 });
    // Of an entry that tells nothing any more it is known that its system is registered.
    const entry = path.join(home.path, 'systems', 'tide.json');
    const pointer = readFileSync(entry, 'utf8');
    writeFileSync(entry, '{');
    await schedules.ensure(engine);
    expect(told()).toEqual(['failed']);
    expect(
      await planAbandoned(
        engine,
        (await listSystems()).map(({ name }) => name),
      ),
    ).toEqual([]);
    expect(await described('tide', 'backup/daily')).toMatchObject({ taken: 0 });
    writeFileSync(entry, pointer);
    const systems = path.join(home.path, 'systems');
    renameSync(systems, `${systems}.away`);
    await schedules.ensure(engine);
    expect(await described('tide', 'backup/daily')).toMatchObject({ taken: 0 });
    rmSync(systems, { recursive: true });
    renameSync(`${systems}.away`, systems);
    await schedules.stop();
    rmSync(path.join(systems, 'tide.json'));
  });
});

describe('[M2] due times', () => {
  it.each([
    { cron: '30 2 * * *', timeZone: 'Europe/Berlin' },
    { cron: '30 1 * * *', timeZone: 'Europe/Berlin' },
    { cron: '*/15 1-3 * * *', timeZone: 'Europe/Berlin' },
    { cron: '5 * * * *', timeZone: 'Europe/Berlin' },
    { cron: '30 2 * * *', timeZone: 'America/New_York' },
    { cron: '30 1 * * *', timeZone: 'America/New_York' },
    { cron: '0 3 1 * MON', timeZone: 'America/New_York' },
    { everySeconds: 21_600, offsetSeconds: 1_800, timeZone: 'UTC' },
  ] satisfies ScheduleTimes[])('%o: the server has the same ones around clock changes, and next', async (times) => {
    const name = `x${String(Math.random()).slice(2)}`;
    const declared: DeclaredSchedule = {
      id: scheduleId('times', name),
      name,
      system: 'times',
      what: 'nothing',
      spec: specOf(times),
      written: 'as the test has it',
      jitterSeconds: 0,
      catchUpSeconds: 60,
      paused: true,
      start: { schedule: name, operation: 'none', workflowId: 'none', system: 'times' },
    };
    const handle = await engine.client.schedule.create(optionsOf(declared, { by: 'x' }));
    const spans = ['2027-03-12', '2027-03-26', '2027-10-29', '2027-11-05'].map((day) => Date.parse(day));
    for (const fromMs of spans) {
      const toMs = fromMs + 5 * 86_400_000;
      const { startTime } = await engine.connection.workflowService.listScheduleMatchingTimes({
        namespace: 'default',
        scheduleId: declared.id,
        // Both ends are its own.
        startTime: msToTs(fromMs - 1000),
        endTime: msToTs(toMs - 1000),
      });
      const server = startTime.map(({ seconds }) => new Date(Number(seconds) * 1000).toISOString());
      expect(nextRuns(declared.spec, fromMs, toMs).map((ms) => new Date(ms).toISOString())).toEqual(server);
    }
    const { info } = await handle.describe();
    const next = info.nextActionTimes.map((at) => at.getTime());
    expect(next.length).toBeGreaterThan(3);
    expect(nextRuns(declared.spec, next[0] ?? 0, Infinity, next.length)).toEqual(next);
    await handle.delete();
  });
});

describe('[M2] an outage', () => {
  it('the engine is down when a run is due: it is made up for, exactly once', async () => {
    // Late enough for the server to be gone by then, also on a slow machine: what runs before that counts as well.
    const system = systemOf('omega', { plan: dueIn(1_500) });
    await apply(system);
    const { nextMs } = await described('omega', 'backup/daily');
    const dueMs = nextMs[0] ?? 0;
    await engine.close();
    await running.stop();
    await sleep(Math.max(0, dueMs - Date.now() + 100));
    await start();
    await vi.waitFor(async () => {
      expect((await described('omega', 'backup/daily')).taken).toBe(1);
    }, WAIT);
    const after = await described('omega', 'backup/daily');
    expect(after.recent.map((run) => run.dueAtMs)).toEqual([dueMs]);
    expect(after).toMatchObject({ taken: 1, missed: 0, skipped: 0 });
    // Nothing is wrong with it; an hour later, when it still runs, there is.
    const others = [await described('omega', 'monitor')];
    const found = (nowMs: number) =>
      scheduleFindings(system, [after, ...others], nowMs, FRAME).filter(({ subject }) => subject === 'backup/daily');
    expect(found(Date.now())).toEqual([]);
    expect(found(dueMs + 3_600_000 + 180_000)).toMatchObject([{ check: 'schedule', severity: 'warning' }]);
  });
});
