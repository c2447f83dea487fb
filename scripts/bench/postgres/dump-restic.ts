/** `pg_dump -Fd -j2` into a directory, and restic over it: uncompressed at the source, so that restic can find the same again. */
import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { environmentOf } from '../../../test/support/postgres.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';
import { measure, treeBytes } from '../measure.ts';
import type { PostgresContender } from './contender.ts';
import { fingerprint } from './data.ts';

const run = promisify(execFile);

export function dumpAndRestic(scratch: string): PostgresContender {
  const home = join(scratch, 'dump-restic');
  const repository = join(home, 'repository');
  const dump = join(home, 'dump');
  const restic = { RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'benchmark', RESTIC_CACHE_DIR: join(home, 'cache') };
  let server: PostgresServer;
  const environment = () => ({ ...restic, ...environmentOf(server.connection({ database: 'bench' })) });
  const script = (text: string, ...args: string[]) =>
    measure({ command: ['sh', '-ec', text, 'sh', ...args], environment: environment(), syncPath: home });
  return {
    name: 'pg_dump -Fd -j2 + restic',
    family: 'dump',
    async prepare(of) {
      server = of;
      await rm(home, { recursive: true, force: true });
      await mkdir(home);
      await run('restic', ['init'], { env: { ...process.env, ...restic } });
    },
    backup: () =>
      script(
        'rm -rf "$2"; "$1/pg_dump" --format=directory --jobs=2 --compress=0 --file="$2"; restic backup --quiet "$2"; rm -rf "$2"',
        ...[server.bin, dump],
      ),
    stored: async () => ({ backupBytes: await treeBytes(repository), walBytes: 0 }),
    async restore(directory) {
      const database = 'bench_restic';
      const cost = await script(
        'restic restore latest --quiet --target "$2"; "$1/createdb" "$4"; "$1/pg_restore" --jobs=2 --dbname="$4" "$2$3"',
        ...[server.bin, directory, dump, database],
      );
      return { ...cost, fingerprint: await fingerprint(server, database) };
    },
    async describe() {
      const { stdout } = await run('restic', ['version']);
      return `pg_dump uncompressed into a directory with two jobs, then ${stdout.trim()}; the dump's own time and disk count`;
    },
    close: () => rm(home, { recursive: true, force: true }),
  };
}
