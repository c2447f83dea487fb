/** Programs of the system: looked for on PATH, else installed as root on Debian, else the command to type. */
import { existsSync } from 'node:fs';
import { cacheDirectory } from '../../src/engine/tools.ts';
import path from 'node:path';
import { withLock } from './lock.ts';
import { findProgram, run, withRetries } from './run.ts';
import { doing, SetupError } from './say.ts';

/** The Debian package of each program that set-up may need. */
const PACKAGES = {
  age: 'age',
  zstd: 'zstd',
  jq: 'jq',
  setfattr: 'attr',
  setfacl: 'acl',
  sqlite3: 'sqlite3',
  busybox: 'busybox-static',
  'ssh-keygen': 'openssh-client',
  dockerd: 'docker.io',
  iptables: 'iptables',
  java: 'default-jre-headless',
  mvn: 'maven',
  restic: 'restic',
  borg: 'borgbackup',
} as const;

export type Program = keyof typeof PACKAGES;

export function missingPrograms(programs: readonly Program[]): Program[] {
  return programs.filter((program) => findProgram(program) === undefined);
}

export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && findProgram('apt-get') !== undefined;
}

/** Makes sure that the programs are there. Throws SetupError with the command to type when they can't be installed. */
export async function ensurePackages(programs: readonly Program[], purpose: string): Promise<void> {
  if (missingPrograms(programs).length === 0) return;
  // apt has a lock of its own that it doesn't wait for; two set-ups take turns here.
  await withLock(path.join(cacheDirectory(), 'locks', 'apt'), () => install(programs, purpose));
}

async function install(programs: readonly Program[], purpose: string): Promise<void> {
  const packages = missingPrograms(programs).map((program) => PACKAGES[program]);
  if (packages.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (!canInstall()) {
    throw new SetupError(
      `Needed for ${purpose}: ${packages.join(', ')}. Install them, on Debian with: sudo ${command}`,
    );
  }
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const wait = '-oDPkg::Lock::Timeout=300';
  await doing(`Installing ${packages.join(', ')} for ${purpose}`, async () => {
    await withRetries('apt-get update', () => run('apt-get', ['update', '-qq', wait], { env }));
    const args = ['install', '-y', '-qq', wait, '--no-install-recommends', ...packages];
    await withRetries('apt-get install', () => run('apt-get', args, { env }));
  });
  const still = missingPrograms(programs);
  if (still.length > 0) throw new SetupError(`Still missing after ${command}: ${still.join(', ')}.`);
}
