/** restic as it comes, and borg with zstd: both from Debian, compression and encryption on. */
import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Contender } from './contender.ts';
import { measure, treeBytes } from './measure.ts';

const run = promisify(execFile);
const PASSWORD = 'benchmark';

export function restic(scratch: string): Contender {
  const home = join(scratch, 'restic');
  const repository = join(home, 'repository');
  const environment = {
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD: PASSWORD,
    RESTIC_CACHE_DIR: join(home, 'cache'),
  };
  let source = '';
  const command = (...args: string[]) => ({ command: ['restic', ...args], environment, syncPath: home });
  return {
    name: 'restic',
    async reset(_, path) {
      source = path;
      await rm(home, { recursive: true, force: true });
      await mkdir(home, { recursive: true });
      await run('restic', ['init'], { env: { ...process.env, ...environment } });
    },
    backup: () => measure(command('backup', '--quiet', source)),
    async restore(target) {
      const cost = await measure({ ...command('restore', 'latest', '--quiet', '--target', target), syncPath: target });
      return { ...cost, copy: join(target, source) };
    },
    verify: () => measure(command('check', '--read-data')),
    storedBytes: () => treeBytes(repository),
    describe: async () => `${(await run('restic', ['version'])).stdout.trim()}, as it comes`,
    close: () => rm(home, { recursive: true, force: true }),
  };
}

export function borg(scratch: string, level: 1 | 3): Contender {
  const home = join(scratch, `borg-zstd-${level}`);
  const repository = join(home, 'repository');
  const environment = { BORG_REPO: repository, BORG_PASSPHRASE: PASSWORD, BORG_BASE_DIR: join(home, 'base') };
  let source = '';
  let archives = 0;
  return {
    name: `borg zstd,${level}`,
    async reset(_, path) {
      source = path;
      archives = 0;
      await rm(home, { recursive: true, force: true });
      await mkdir(home, { recursive: true });
      // HMAC-SHA-256 is the faster of borg's two on processors with SHA instructions.
      await run('borg', ['init', '--encryption', 'repokey'], { env: { ...process.env, ...environment } });
    },
    backup() {
      archives += 1;
      const compression = `zstd,${level}`;
      const command = ['borg', 'create', '--compression', compression, `::archive-${archives}`, source];
      return measure({ command, environment, syncPath: home });
    },
    async restore(target) {
      const command = ['borg', 'extract', `::archive-${archives}`];
      const cost = await measure({ command, environment, directory: target, syncPath: target });
      return { ...cost, copy: join(target, source) };
    },
    verify: () => measure({ command: ['borg', 'check', '--verify-data'], environment, syncPath: home }),
    storedBytes: () => treeBytes(repository),
    describe: async () => `${(await run('borg', ['--version'])).stdout.trim()}, zstd level ${level}, repokey`,
    close: () => rm(home, { recursive: true, force: true }),
  };
}
