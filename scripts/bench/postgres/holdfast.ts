/** Holdfast as it takes part: the command as an operator types it, with the engine running. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { startPostgresOn } from '../../../test/support/postgres.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';
import { COMPONENT, House, measureCommand, PLAN } from '../holdfast.ts';
import { treeBytes } from '../measure.ts';
import { receiveLog } from '../../../sample/stack/log-receiver.ts';
import type { LogReceiver } from '../../../sample/stack/log-receiver.ts';
import { waitFor } from '../../../sample/stack/processes.ts';
import type { Family, PostgresContender } from './contender.ts';
import type { LogKeeper } from './recovery.ts';
import { fingerprint } from './data.ts';
import { OURS_BASE, OURS_DUMP } from './report.ts';

/** What the dump is restored as. */
const DUMP_DATABASE = 'bench_holdfast';
const LOG_LIMIT_MS = 120_000;

const METHODS: Readonly<Record<Family, { name: string; component: object; what: string }>> = {
  base: {
    name: OURS_BASE,
    component: { method: 'base' },
    what: 'the whole cluster, from the command to the manifest; a restore also recovers and examines it on a private server',
  },
  dump: {
    name: OURS_DUMP,
    component: { method: 'dump', databases: ['bench'] },
    what: 'every table counted and summed in the snapshot of the dump, and again in what was restored',
  },
};

export interface OurPostgres {
  readonly contenders: readonly PostgresContender[];
  /** The log through a replication slot, as often as a system file has it that says nothing about it. */
  readonly keeper: LogKeeper;
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
  let server: PostgresServer;
  return {
    name,
    family,
    async prepare(of) {
      server = of;
      if (store !== '') await rm(store, { recursive: true, force: true });
      ({ system, store } = await house.newSystem(`postgres-${family}`, {
        kind: 'postgres',
        ...component,
        server: serverOf(of),
      }));
    },
    backup: () => measureCommand(house, store, ['backup', system, PLAN]),
    async stored() {
      const walBytes = await treeBytes(join(store, 'wal')).catch(ignoreMissing);
      return { backupBytes: (await treeBytes(store)) - walBytes, walBytes };
    },
    async restore(directory) {
      const target = family === 'base' ? join(directory, 'data') : DUMP_DATABASE;
      const where = { bin: server.bin, base: directory, data: target, passwords: false };
      const args = ['restore', system, '--component', COMPONENT, '--target', target];
      const cost = await measureCommand(house, directory, args);
      if (family === 'dump') return { ...cost, fingerprint: await fingerprint(server, DUMP_DATABASE) };
      const started = performance.now();
      const restored = await startPostgresOn(where);
      const readySeconds = (performance.now() - started) / 1000;
      try {
        return { ...cost, readySeconds, fingerprint: await fingerprint(restored) };
      } finally {
        await restored.stop();
      }
    },
    describe: () => Promise.resolve(what),
    close: () => rm(store, { recursive: true, force: true }),
  };
}

function keeper(house: House): LogKeeper {
  let system = '';
  let bin = '';
  let receiver: LogReceiver | undefined;
  return {
    name: OURS_BASE,
    async keep(server) {
      bin = server.bin;
      const component = { kind: 'postgres', method: 'base', wal: { store: 'vault' }, server: serverOf(server) };
      const made = await house.newSystem('postgres-log', component);
      ({ system } = made);
      const started = await receiveLog(house.up.address, system, COMPONENT);
      receiver = started;
      await waitFor('the log to be received', LOG_LIMIT_MS, async () => (await started.progress())?.recoveryPointAt);
      await measureCommand(house, made.store, ['backup', system, PLAN]);
    },
    async recover(directory) {
      const data = join(directory, 'data');
      const args = ['restore', system, '--component', COMPONENT, '--to-end', '--target', data];
      const { wallSeconds } = await measureCommand(house, directory, args);
      const started = performance.now();
      const server = await startPostgresOn({ bin, base: directory, data, passwords: false });
      return { server, restoreSeconds: wallSeconds, replaySeconds: (performance.now() - started) / 1000 };
    },
    close: async () => receiver?.stop(),
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
    keeper: keeper(house),
    close: () => house.close(),
  };
}
