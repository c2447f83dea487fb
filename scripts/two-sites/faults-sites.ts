/** What happens to the site that is active: its power, its network, its guard. */
import { isolated, kill, midway, pause, powerOff, type Fault } from './fault.ts';

const FLAP_MS = 700;

export const OF_THE_ACTIVE_SITE: readonly Fault[] = [
  { name: 'the machine is gone', before: powerOff },
  {
    name: 'the machine is gone, and comes back in the middle',
    before: powerOff,
    during: midway(({ bed, active }) => bed.boot(active)),
  },
  {
    name: 'the machine is started anew',
    before: async (struck) => {
      await powerOff(struck);
      await struck.bed.boot(struck.active);
      await struck.bed.net.cut(struck.active.name, struck.standby.name);
    },
  },
  {
    name: 'cut off from the other site alone',
    before: ({ bed: { net }, active, standby }) => net.cut(active.name, standby.name),
  },
  { name: 'cut off from everything', before: isolated },
  {
    name: 'cut off from the stores and the other site, and not from its clients',
    before: async ({ bed: { net }, active, standby }) => {
      await net.cut(active.name, 'witness');
      await net.cut(active.name, standby.name);
    },
  },
  {
    name: 'heard by nobody, and hears',
    before: async ({ bed: { net }, active, standby }) => {
      for (const other of [standby.name, 'witness']) await net.drop(active.name, other);
    },
  },
  {
    name: 'hears nobody, and is heard',
    before: async ({ bed: { net }, active, standby }) => {
      for (const other of [standby.name, 'witness']) await net.drop(other, active.name);
    },
  },
  {
    name: 'cut off from its clients alone',
    before: ({ bed: { net }, active }) => net.cut(active.name, 'world'),
    isUp: 'always',
  },
  { name: 'all is well', before: () => Promise.resolve(), isUp: 'always' },
  {
    name: 'flapping',
    isUp: 'at times',
    before: ({ bed: { net }, active, standby }) => net.cut(active.name, standby.name),
    during: async ({ bed: { net }, active, standby, signal }) => {
      while (!signal.aborted) {
        await pause(FLAP_MS, signal);
        await net.heal();
        await pause(FLAP_MS, signal);
        await net.cut(active.name, standby.name);
        await net.cut(active.name, 'witness');
      }
    },
  },
  {
    name: 'gone, and the network of the other is slow',
    before: async (struck) => {
      await powerOff(struck);
      await struck.bed.net.slow(struck.standby.name, '1mbit');
    },
  },
  {
    name: 'its guard is killed, and it is cut off',
    before: async (struck) => {
      await isolated(struck);
      kill(struck.active.guardPid);
    },
  },
  {
    name: 'its machine sleeps, and wakes when the other has taken over',
    before: async ({ bed, active }) => {
      await active.sleep();
      bed.watchOf(active).asleep();
    },
    sleeps: true,
  },
];
