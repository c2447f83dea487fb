/** What happens to the site that takes over, and to what both of them need, while the other one is gone. */
import { cp, mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { argumentsOf, descendantsOf } from '../../sample/stack/processes.ts';
import { startS3Server, type S3Server } from '../../test/support/s3-server.ts';
import { atStep, isolated, kill, midway, pause, powerOff, SPAN_MS, type Fault } from './fault.ts';
import type { Site } from './site.ts';

const AWAY_MS = 4000;

const engineOf = ({ upPid = 0 }: Site): number | undefined =>
  descendantsOf(upPid).find((pid) => /temporal/.test(argumentsOf(pid)[0] ?? ''));

export const OF_THE_TAKEOVER: readonly Fault[] = [
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
    name: 'gone, and the worker that takes over is killed at a step',
    before: powerOff,
    atStep: true,
    during: atStep(({ standby }) => kill(standby.hostWorkerPid)),
  },
  {
    name: 'gone, and the worker of the stories is killed at a step',
    before: powerOff,
    atStep: true,
    during: atStep(({ standby }) => kill(standby.storiesWorkerPid)),
  },
  {
    name: 'gone, and the engine that takes over is killed at a step',
    before: powerOff,
    atStep: true,
    during: atStep(({ standby }) => kill(engineOf(standby))),
  },
  {
    name: 'gone, and all of Holdfast that takes over is killed at a step',
    before: powerOff,
    atStep: true,
    during: atStep(({ standby }) => descendantsOf(standby.upPid ?? 0).forEach(kill)),
  },
  {
    name: 'gone, and it comes back at a step',
    before: powerOff,
    atStep: true,
    isUp: 'at times',
    during: atStep(({ bed, active }) => bed.boot(active)),
  },
  {
    name: 'cut off from everything, and heard again at a step',
    before: isolated,
    atStep: true,
    isUp: 'at times',
    during: atStep(({ bed }) => bed.net.heal()),
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
      for (const store of bed.stores) store.away(true);
      await pause(AWAY_MS, signal);
      bed.storesBack();
    }),
  },
  {
    name: 'gone, and the store of the backups answers nobody, and that of their copies does',
    // Each look at the catalogues waits until that store is given up.
    long: true,
    before: async (struck) => {
      await powerOff(struck);
      struck.bed.vault.away(true);
    },
  },
  {
    name: 'gone, and the store of the backups is as it was before the last',
    before: async (struck) => {
      const { bed, active } = struck;
      const copy = await startS3Server();
      struck.atEnd.push(() => copy.stop());
      await copyVault(bed.s3, copy);
      await active.operator.backup('all');
      await powerOff(struck);
      bed.vault.lead(copy.port);
    },
  },
];

/** The guards go on writing into the authority store, and remove what is old. */
const isOfVault = (file: string): boolean => !/\/authority(\/|$)/.test(file);

/** As it is at this moment. */
async function copyVault(from: S3Server, to: S3Server): Promise<void> {
  for (const kind of ['data', 'metadata']) {
    const at = (server: S3Server): string => path.join(server.bucketPath, '..', '..', kind);
    await cp(at(from), at(to), { recursive: true, preserveTimestamps: true, filter: isOfVault });
  }
}
