/** pgBackRest from Debian: encrypted, as it comes, or with what makes this release fastest and smallest. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { runAsServer, serverAccount, startPostgresOn } from '../../../test/support/postgres.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';
import { measure, treeBytes } from '../measure.ts';
import { giveToServer } from '../../../test/support/postgres/cluster-files.ts';
import { fingerprint } from './data.ts';
import type { PostgresContender, Restored } from './contender.ts';

const run = promisify(execFile);
const PROGRAM = '/usr/bin/pgbackrest';
const STANZA = 'bench';

export type Variant = 'default' | 'zst';

const VARIANTS: Readonly<Record<Variant, { name: string; what: string; lines: readonly string[] }>> = {
  default: { name: 'pgBackRest', what: 'as it comes (gz, one process)', lines: [] },
  zst: {
    name: 'pgBackRest zst',
    what: 'compress-type zst, two processes, small files bundled',
    lines: ['compress-type=zst', 'process-max=2', 'repo1-bundle=y'],
  },
};

export interface PgBackRest extends PostgresContender {
  /** From here on the server's archive_command feeds this repository. */
  archive(on: boolean): Promise<void>;
  /** Restores the newest backup and replays all that was archived; resolves when the server takes writes. */
  restoreToEnd(directory: string): Promise<{ server: PostgresServer; restoreSeconds: number; replaySeconds: number }>;
}

export function pgBackRest(scratch: string, variant: Variant): PgBackRest {
  const { name, what, lines } = VARIANTS[variant];
  const home = join(scratch, `pgbackrest-${variant}`);
  const config = join(home, 'pgbackrest.conf');
  const repository = join(home, 'repository');
  let server: PostgresServer;

  // The server's account owns the data directory and the repository, since archive_command writes there.
  const asServer = (...args: string[]): string[] => [
    ...(serverAccount() === undefined ? [] : ['runuser', '-u', 'postgres', '--']),
    ...[PROGRAM, `--config=${config}`, `--stanza=${STANZA}`, ...args],
  ];
  const command = (...args: string[]) =>
    measure({ command: asServer(...args), directory: home, environment: { LC_ALL: 'C.UTF-8' }, syncPath: home });

  async function archive(on: boolean): Promise<void> {
    const push = `${PROGRAM} --config=${config} --stanza=${STANZA} archive-push %p`;
    await server.sql(`ALTER SYSTEM SET archive_command = '${on ? push : '/bin/true'}'`);
    await server.sql('SELECT pg_reload_conf()');
  }

  async function bringUp(directory: string, ...args: string[]) {
    const data = join(directory, 'data');
    const cost = await command('restore', `--pg1-path=${data}`, ...args);
    const started = performance.now();
    const where = { bin: server.bin, base: directory, data, passwords: false };
    const restored = await startPostgresOn(where, { archive_mode: 'off' });
    while ((await restored.value('SELECT pg_is_in_recovery()')) === true) await restored.sql('SELECT pg_sleep(0.05)');
    return { cost, restored, readySeconds: (performance.now() - started) / 1000 };
  }

  return {
    name,
    family: 'base',
    archive,
    async prepare(of) {
      server = of;
      await rm(home, { recursive: true, force: true });
      for (const each of [home, repository, join(home, 'log'), join(home, 'lock')]) {
        await mkdir(each);
        await chmod(each, 0o755);
        await giveToServer(each);
      }
      const global = [
        ...['[global]', `repo1-path=${repository}`, 'repo1-cipher-type=aes-256-cbc', 'repo1-cipher-pass=benchmark'],
        ...[
          'repo1-retention-full=9',
          'start-fast=y',
          `log-path=${join(home, 'log')}`,
          `lock-path=${join(home, 'lock')}`,
        ],
        ...['log-level-console=warn', 'log-level-file=off', ...lines],
      ];
      const stanza = [`[${STANZA}]`, `pg1-path=${of.data}`, `pg1-port=${of.port}`, `pg1-socket-path=${of.socket}`];
      await writeFile(config, [...global, ...stanza, 'pg1-user=postgres', ''].join('\n'));
      await giveToServer(config);
      await runAsServer(PROGRAM, [`--config=${config}`, `--stanza=${STANZA}`, 'stanza-create']);
    },
    async backup() {
      await archive(true);
      try {
        return await command('backup');
      } finally {
        await archive(false);
      }
    },
    async stored() {
      const bytesOf = (part: string) => treeBytes(join(repository, part));
      return { backupBytes: await bytesOf('backup'), walBytes: await bytesOf('archive') };
    },
    async restore(directory): Promise<Restored> {
      const { cost, restored, readySeconds } = await bringUp(
        directory,
        ...['--type=immediate', '--target-action=promote'],
      );
      try {
        return { ...cost, readySeconds, fingerprint: await fingerprint(restored) };
      } finally {
        await restored.stop();
      }
    },
    async restoreToEnd(directory) {
      const { cost, restored, readySeconds } = await bringUp(directory);
      return { server: restored, restoreSeconds: cost.wallSeconds, replaySeconds: readySeconds };
    },
    describe: async () => `${(await run(PROGRAM, ['version'])).stdout.trim()}, ${what}, aes-256-cbc`,
    close: () => rm(home, { recursive: true, force: true }),
  };
}
