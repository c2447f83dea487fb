/** What happens to two sites while one takes the system over from the other: each is struck once, and mended at the end. */
import { mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { descendantsOf, argumentsOf } from '../../sample/stack/processes.ts';
import type { Bed } from './bed.ts';
import type { Site } from './site.ts';

export interface Struck {
  readonly bed: Bed;
  readonly active: Site;
  readonly standby: Site;
  /** From 0 to 1, by the seed: when, within the time that a failover takes. */
  readonly part: number;
  /** Aborted when the failover has ended: what goes on in the background ends, too. */
  readonly signal: AbortSignal;
}

export interface Fault {
  readonly name: string;
  /** Before anybody looks whether the active site is down. */
  before(struck: Struck): Promise<void>;
  /** While the failover runs. */
  during?(struck: Struck): Promise<void>;
  /** The active site answers: then it has to stay what it is. One that answers at times may be taken over, or left. */
  readonly isUp?: 'always' | 'at times';
  /** The machine stops without being told, so that what ran goes on for a moment when it wakes: measured, and no fault. */
  readonly sleeps?: true;
}

/** A failover takes about so long here. */
const SPAN_MS = 20_000;
const FLAP_MS = 700;

const isolated = async ({ bed: { net }, active, standby }: Struck): Promise<void> => {
  for (const other of [standby.name, 'witness', 'world']) await net.cut(active.name, other);
};

const powerOff = async ({ bed, active }: Struck): Promise<void> => {
  const watch = bed.watchOf(active);
  watch.leave();
  await active.powerOff();
  watch.everythingEnded();
};

/** Struck at some moment while the other site takes over. */
const midway =
  (strike: (struck: Struck) => Promise<void> | void) =>
  async (struck: Struck): Promise<void> => {
    await pause(struck.part * SPAN_MS, struck.signal);
    await strike(struck);
  };

export const FAULTS: readonly Fault[] = [
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
    name: 'gone, and the names can not be changed at first',
    before: powerOff,
    during: async ({ bed, part, signal }) => {
      const inTheWay = path.join(bed.base, 'zone.new');
      await mkdir(inTheWay);
      await pause((0.5 + part) * SPAN_MS, signal);
      await rmdir(inTheWay);
    },
  },
  {
    name: 'gone, and the worker that takes over is killed',
    before: powerOff,
    during: midway(({ standby }) => kill(standby.hostWorkerPid)),
  },
  {
    name: 'gone, and all of Holdfast that takes over is killed, engine and workers',
    before: powerOff,
    during: midway(({ standby }) => descendantsOf(standby.upPid ?? 0).forEach(kill)),
  },
  {
    name: 'gone, and the engine that takes over is killed',
    before: powerOff,
    during: midway(({ standby }) =>
      kill(descendantsOf(standby.upPid ?? 0).find((pid) => /temporal/.test(argumentsOf(pid)[0] ?? ''))),
    ),
  },
  {
    name: 'gone, and the guard that takes over is killed',
    before: powerOff,
    during: midway(({ standby }) => kill(standby.guardPid)),
  },
  {
    name: 'gone, and the stores answer nobody for a while',
    before: powerOff,
    during: midway(async ({ bed, signal }) => {
      bed.store.away(true);
      await pause(4000, signal);
      bed.store.away(false);
    }),
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

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself: there is nothing to strike.
  }
}
