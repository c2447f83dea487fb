/** An incident over hours and days: who is told when, and what happens when people, channels and the trouble itself act. */
import type { WorkflowHandle } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { reconcileIncidents } from '../../src/activities/incidents.ts';
import type { Finding } from '../../src/policy/findings.ts';
import { workflowIds, type IncidentState } from '../../src/workflows/contract.ts';
import { refusalOf } from './play.ts';
import { compare, simulate } from './quarter/simulate.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { timeSkippingServer } from './time-skipping.ts';
import { failWith, type World, type WorldOptions } from './world.ts';

const play = playOn(timeSkippingServer);

const trouble = (system: string, change: Partial<Finding> = {}): Finding => ({
  system,
  check: 'freshness',
  subject: 'hourly',
  severity: 'critical',
  what: 'the newest backup is 3 h old, its limit is 1 h',
  hint: 'Look at the last run',
  ...change,
});

interface Followed {
  readonly world: World;
  readonly handle: WorkflowHandle;
  readonly system: string;
  /** Lets so many minutes pass. */
  readonly pass: (minutes: number) => Promise<void>;
  readonly state: () => Promise<IncidentState>;
}

/** An open incident whose first level has been told, healed at the end. */
async function following(options: WorldOptions, act: (followed: Followed) => Promise<void>): Promise<IncidentState> {
  return play.inWorld(options, async (world) => {
    const system = uniqueName('sys');
    const handle = await play.start('incident', trouble(system), workflowIds.incident(system, 'freshness', 'hourly'));
    await eventually('the first level is told', () => world.count('notify') > 0 || undefined);
    await act({
      world,
      handle,
      system,
      pass: (minutes) => play.env.sleep(minutes * 60_000),
      state: () => handle.query<IncidentState>('incident'),
    });
    await handle.signal('healed', { at: new Date().toISOString() });
    return (await handle.result()) as IncidentState;
  });
}

describe('an incident', () => {
  test('acknowledged before the second level: those who were told learn it, nobody else is told, all is written down [M8]', async () => {
    let told: string[] = [];
    let alarms: string[] = [];
    const end = await following({}, async ({ world, handle, pass, state }) => {
      const answer = await handle.executeUpdate<IncidentState, [{ by: string; note: string }]>('acknowledge', {
        args: [{ by: 'ann', note: 'moving the ledger' }],
      });
      expect(answer).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'ann', level: 1, levelName: 'L1' });
      await pass(5 * 60);
      expect(await state()).toMatchObject({ state: 'acknowledged', level: 1 });
      expect(await refusalOf(handle.executeUpdate('acknowledge', { args: [{ by: ' ' }] }))).toBe('BadInput');
      told = world.incidents.told();
      alarms = world.incidents.alarms.map(({ what }) => what);
    });
    expect(told).toEqual(['on-call opened', 'on-call acknowledged']);
    expect(alarms.map((what) => what.split(':')[0])).toEqual(['opened', 'opened', 'acknowledged']);
    expect(end.state).toBe('healed');
    expect(end.timeline.map(({ what, by }) => [what, by])).toContainEqual(['acknowledged: moving the ledger', 'ann']);
    expect(end.timeline.at(-1)?.what).toBe('healed');
  });

  test('a channel that refuses: the timeline says so, the other levels are told, and it never hears that all is well', async () => {
    const script = {
      notify: (_call: number, input: unknown) => {
        if ((input as { channel: string }).channel === 'on-call') failWith('ChannelRefused', 'on-call answered (404)');
      },
    };
    let world: World | undefined;
    const end = await following({ script }, async (followed) => {
      ({ world } = followed);
      await followed.pass(31);
    });
    expect(world?.incidents.told()).toEqual(['team-lead escalated', 'team-lead healed']);
    expect(end.timeline.map(({ what }) => what)).toContain(
      'on-call could not be told: on-call answered (404) [ChannelRefused]',
    );
  });

  test('a channel that is down for half an hour: one message at a time, and only the newest of those that waited', async () => {
    let tries = 0;
    const script = {
      notify: (_call: number, input: unknown) => {
        const { channel } = input as { channel: string };
        tries += channel === 'on-call' ? 1 : 0;
        if (channel === 'on-call' && tries < 12) failWith('ChannelUnreachable', 'on-call answered 503');
      },
    };
    let told: string[] = [];
    const end = await following({ script }, async ({ world, handle, pass }) => {
      await handle.signal('acknowledgeSignal', { by: 'ann' });
      await handle.signal('acknowledgeSignal', { by: 'bob', note: 'I have it' });
      await pass(50);
      told = world.incidents.told();
    });
    expect(told).toEqual(['on-call opened', 'on-call acknowledged']);
    expect(end.timeline.filter(({ what }) => what.startsWith('acknowledged')).map(({ by }) => by)).toEqual([
      'ann',
      'bob',
    ]);
  });

  test('some behind a channel refuse: the timeline says who, and the channel hears that all is well', async () => {
    let world: World | undefined;
    const end = await following({}, async (followed) => {
      ({ world } = followed);
      world.incidents.refused = 'the server refuses 1 of 2 recipients: lead@example.net (550)';
      await followed.handle.executeUpdate('acknowledge', { args: [{ by: 'ann' }] });
      await eventually('it is written down', async () => (await followed.state()).timeline.length > 3 || undefined);
    });
    expect(end.timeline.map(({ what }) => what)).toContain(
      'some of on-call could not be told: the server refuses 1 of 2 recipients: lead@example.net (550)',
    );
    expect(world?.incidents.told()).toEqual(['on-call opened', 'on-call acknowledged', 'on-call healed']);
  });

  test('the system file is bad for days: asked less and less often; mended, people are told at the next look', async () => {
    let bad = true;
    const script = { describeEscalation: () => (bad ? failWith('BadSystemFile') : undefined) };
    await play.inWorld({ script }, async (world) => {
      const system = uniqueName('sys');
      const handle = await play.start('incident', trouble(system));
      const { runId } = await handle.describe();
      await eventually('the file was looked at', () => world.count('describeEscalation') > 0 || undefined);
      await play.env.sleep(5 * 24 * 3_600_000);
      // Once an hour, which is 120 times.
      await eventually('a new history has begun', async () => (await handle.describe()).runId !== runId || undefined);
      expect(world.count('describeEscalation')).toBeLessThan(150);
      expect((await handle.fetchHistory()).events?.length ?? 0).toBeLessThan(1500);
      expect(world.incidents.told()).toEqual([]);
      bad = false;
      await handle.signal('found', trouble(system));
      await eventually('people are told', () => world.count('notify') > 0 || undefined);
      const { openedAt, timeline } = await handle.query<IncidentState>('incident');
      expect(Date.parse(timeline[1]?.at ?? '') - Date.parse(openedAt)).toBeGreaterThan(5 * 24 * 3_600_000);
      expect(world.incidents.alarms[0]?.what).toContain('opened');
      await handle.signal('healed', { at: new Date().toISOString() });
      await handle.result();
    });
  });

  test('that a channel is broken is told by the others', async () => {
    await play.inWorld({}, async (world) => {
      const system = uniqueName('sys');
      const { levels, ...rest } = world.incidents.policy({ check: 'notify', severity: 'warning' });
      const everybody = levels.slice(0, 1).map((level) => ({ ...level, channels: ['chat', 'mail'] }));
      world.incidents.policy = () => ({ ...rest, levels: everybody });
      const handle = await play.start('incident', trouble(system, { check: 'notify', subject: 'chat' }));
      await eventually('somebody is told', () => world.count('notify') > 0 || undefined);
      await handle.signal('healed', { at: new Date().toISOString() });
      await handle.result();
      expect(world.incidents.told()).toEqual(['mail opened', 'mail healed']);
    });
  });

  test('found every few minutes for days: histories begin anew, and nobody is told anew', async () => {
    let first: string | undefined;
    const end = await following({}, async ({ handle, system, pass, state }) => {
      first = (await handle.describe()).runId;
      await handle.executeUpdate('acknowledge', { args: [{ by: 'ann' }] });
      // Several at once, as they come after an outage of the engine.
      for (let found = 0; found < 41; found += 1) {
        await Promise.all(Array.from({ length: 10 }, () => handle.signal('found', trouble(system))));
      }
      await eventually('a new history has begun', async () => {
        const { runId } = await handle.describe();
        return runId !== first || undefined;
      });
      await pass(60);
      expect(await state()).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'ann', level: 1 });
    });
    expect(end.timeline.filter(({ what }) => what.startsWith('opened: L1'))).toHaveLength(1);
  });

  test('monitoring: opens, leaves alone what it could not look at, and heals what is gone', async () => {
    await play.inWorld({}, async (world) => {
      const { client } = play.env;
      const system = uniqueName('sys');
      const running = new Set<string>();
      const reconcile = async (findings: readonly Finding[], unknown: readonly string[] = []) => {
        const result = await reconcileIncidents(
          client,
          { system, findings, unknown: unknown.map((what) => ({ what, why: 'no answer' })) },
          () => Promise.resolve([...running]),
        );
        for (const id of result.opened) running.add(`${system}/incident/${id}`);
        return result;
      };
      const disk = trouble(system, { check: 'disk', subject: '/mnt/nas' });
      expect(await reconcile([trouble(system), disk])).toEqual({
        opened: ['freshness/hourly', 'disk//mnt/nas'],
        healed: [],
      });
      expect(await reconcile([trouble(system)], ['disk'])).toEqual({ opened: [], healed: [] });
      expect(await reconcile([], ['freshness'])).toEqual({ opened: [], healed: ['disk//mnt/nas'] });
      expect(await reconcile([])).toEqual({ opened: [], healed: ['freshness/hourly', 'disk//mnt/nas'] });
      for (const id of running) await client.workflow.getHandle(id).result();
      expect(await reconcile([])).toEqual({ opened: [], healed: [] });
      expect(world.incidents.told().filter((line) => line === 'on-call healed')).toHaveLength(2);
    });
  });
});

describe('a part of a quarter of a year', () => {
  test('the connector: everybody is told what they should at the minute they should, and nobody anything else [M8]', async () => {
    const found = await simulate(play, { seed: 1, days: 4 });
    expect(found.wrong).toEqual([]);
    expect(found.incidents).toBeGreaterThan(3);
    expect(found.messages).toBeGreaterThan(10);
  });

  test('a message that is missing, late, early or twice: the comparison says so', () => {
    const one = { incident: 'disk/nas', channel: 'on-call', news: 'opened', atMs: 1_000_000 };
    expect(compare([one], [{ ...one, atMs: one.atMs + 5000 }])).toEqual([]);
    expect(compare([one], [])).toHaveLength(1);
    expect(compare([one], [one, one])).toHaveLength(1);
    expect(compare([one], [{ ...one, atMs: one.atMs + 60_000 }])).toHaveLength(2);
    expect(compare([one], [{ ...one, atMs: one.atMs - 2000 }])).toHaveLength(2);
  });
});
