/** Holdfast as it takes part: the command as an operator types it, with the engine running. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresServer } from '../../../test/support/postgres.ts';
import { House, measureCommand, PLAN } from '../holdfast.ts';
import { treeBytes } from '../measure.ts';
import type { Family, PostgresContender } from './contender.ts';
import { OURS_BASE, OURS_DUMP } from './report.ts';

const METHODS: Readonly<Record<Family, { name: string; component: object; what: string }>> = {
  base: { name: OURS_BASE, component: { method: 'base' }, what: 'the whole cluster, from the command to the manifest' },
  dump: {
    name: OURS_DUMP,
    component: { method: 'dump', databases: ['bench'] },
    what: 'every table counted and summed in the snapshot of the dump',
  },
};

export interface OurPostgres {
  readonly contenders: readonly PostgresContender[];
  close(): Promise<void>;
}

function serverOf(server: PostgresServer): object {
  const { host, port, user } = server.connection();
  return { address: host, port, backup: { user }, tools: server.bin };
}

function contender(house: House, family: Family): PostgresContender {
  const { name, component, what } = METHODS[family];
  let system = '';
  let store = '';
  return {
    name,
    family,
    async prepare(server) {
      if (store !== '') await rm(store, { recursive: true, force: true });
      ({ system, store } = await house.newSystem(`postgres-${family}`, {
        kind: 'postgres',
        ...component,
        server: serverOf(server),
      }));
    },
    backup: () => measureCommand(house, store, ['backup', system, PLAN]),
    async stored() {
      const walBytes = await treeBytes(join(store, 'wal')).catch(ignoreMissing);
      return { backupBytes: (await treeBytes(store)) - walBytes, walBytes };
    },
    describe: () => Promise.resolve(what),
    close: () => rm(store, { recursive: true, force: true }),
  };
}

function ignoreMissing(error: unknown): number {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
  throw error;
}

export function holdfastPostgres(scratch: string, environment: Readonly<Record<string, string>>): OurPostgres {
  const house = new House({ scratch, environment });
  return {
    contenders: (['base', 'dump'] as const).map((family) => contender(house, family)),
    close: () => house.close(),
  };
}
