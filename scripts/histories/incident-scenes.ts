/** Incidents and messages in recorded histories. */
import type { EscalationPolicy } from '../../src/policy/escalation.ts';
import { eventually, uniqueName } from '../../test/workflows/stage.ts';
import { failWith } from '../../test/workflows/world.ts';
import { ended, finished, openIn, type Scene } from './scene.ts';

const TROUBLE = {
  check: 'freshness',
  subject: 'hourly',
  severity: 'critical',
  what: 'the newest backup is 3 h old, its limit is 1 h',
  hint: 'Look at the last run: holdfast status',
} as const;
const MESSAGE = {
  channel: 'on-call',
  id: 'backup-1-failed',
  type: 'backup.failed',
  at: '2026-11-21T02:00:00.000Z',
  severity: 'critical',
  title: 'sys: backup of daily failed',
} as const;
/** Short enough that all levels are told while the recording waits. */
const SOON: EscalationPolicy = {
  levels: [
    { name: 'L1', afterSeconds: 0, channels: ['on-call'] },
    { name: 'L2', afterSeconds: 0.5, channels: ['team-lead'] },
    { name: 'L3', afterSeconds: 3600, channels: ['management'] },
  ],
  countFrom: 'outage',
  repeatSeconds: 4 * 3600,
  settleSeconds: 0.5,
  acknowledgedForSeconds: 24 * 3600,
};

/** Told to two levels and acknowledged; it gets worse, is gone, comes back and is gone, or is left open. */
function troubled(name: string, how: 'open' | 'healed' | 'flapping'): Scene {
  return {
    name,
    world: {},
    act: async (play, world) => {
      world.incidents.policy = () => SOON;
      const system = uniqueName('sys');
      const handle = await play.start('incident', { system, ...TROUBLE, severity: 'warning' });
      await eventually('two levels are told', () => world.count('notify') >= 2 || undefined);
      await handle.executeUpdate('acknowledge', { args: [{ by: 'ann', note: 'on it' }] });
      await handle.signal('found', { system, ...TROUBLE });
      await eventually('they are told that it is worse', () => world.count('notify') >= 6 || undefined);
      const history = await handle.fetchHistory();
      if (how === 'open') {
        await ended(handle);
        return history;
      }
      await handle.signal('healed', { at: '2026-11-21T02:00:00.000Z' });
      if (how === 'flapping') {
        await handle.signal('found', { system, ...TROUBLE });
        await handle.signal('healed', { at: '2026-11-21T02:00:01.000Z' });
      }
      await handle.result();
      return handle.fetchHistory();
    },
  };
}

/** The only channel refuses, which the timeline says; then it is gone. */
const inVain: Scene = {
  name: 'incident-told-in-vain',
  world: { script: { notify: () => failWith('ChannelRefused') } },
  act: async (play, world) => {
    world.incidents.policy = () => ({ ...SOON, levels: SOON.levels.slice(0, 1) });
    const system = uniqueName('sys');
    const handle = await play.start('incident', { system, ...TROUBLE });
    await eventually('it is written down', () => world.count('recordAlarms') >= 2 || undefined);
    await handle.signal('healed', { at: '2026-11-21T02:00:00.000Z' });
    await handle.result();
    return handle.fetchHistory();
  },
};

/** Nobody knows whom to tell: the system file can't be read. It can be later, where it is mended; then it is gone. */
function fileBad(name: string, how: 'open' | 'mended'): Scene {
  let bad = true;
  return {
    name,
    world: { script: { describeEscalation: () => (bad ? failWith('BadSystemFile') : undefined) } },
    act: async (play, world) => {
      world.incidents.policy = () => SOON;
      const system = uniqueName('sys');
      const handle = await play.start('incident', { system, ...TROUBLE });
      await eventually('the file was looked at', () => world.count('describeEscalation') >= 1 || undefined);
      await eventually('it waits', async () => {
        const { events = [] } = await handle.fetchHistory();
        return (events ?? []).some(({ timerStartedEventAttributes }) => timerStartedEventAttributes) || undefined;
      });
      if (how === 'mended') {
        bad = false;
        await handle.signal('found', { system, ...TROUBLE });
        await eventually('two levels are told', () => world.count('notify') >= 2 || undefined);
        await handle.signal('healed', { at: '2026-11-21T02:00:00.000Z' });
        await handle.result();
        return handle.fetchHistory();
      }
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  };
}

/** Somebody has started it again, which stands in the timeline. */
const noted: Scene = {
  name: 'incident-noted',
  world: {},
  act: async (play, world) => {
    world.incidents.policy = () => ({ ...SOON, levels: SOON.levels.slice(0, 1) });
    const system = uniqueName('sys');
    const handle = await play.start('incident', { system, ...TROUBLE });
    await eventually('one level is told', () => world.count('notify') >= 1 || undefined);
    await handle.signal('note', { what: 'restart of sys-ledger-1: healthy' });
    await handle.signal('healed', { at: '2026-11-21T02:00:00.000Z' });
    await handle.result();
    return handle.fetchHistory();
  },
};

export const INCIDENT_SCENES: readonly Scene[] = [
  noted,
  troubled('incident-open', 'open'),
  troubled('incident-healed', 'healed'),
  troubled('incident-flapping', 'flapping'),
  inVain,
  fileBad('incident-file-bad', 'open'),
  // The first was recorded before the file was asked less and less often.
  fileBad('incident-file-bad-for-long', 'open'),
  fileBad('incident-file-mended', 'mended'),
  finished('notify-done', 'notify', () => MESSAGE),
  finished('notify-refused', 'notify', () => MESSAGE, { script: { notify: () => failWith('ChannelRefused') } }),
  openIn('notify-open', 'notify', 'notify', MESSAGE),
];
