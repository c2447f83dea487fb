/** Programs of the system: looked for on PATH, else installed as root on Debian, else the command to type. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cacheDirectory } from '../../src/system/cache.ts';
import { withLock } from './lock.ts';
import { findProgram, isExecutable, run, withRetries } from './run.ts';
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
  git: 'git',
  openssl: 'openssl',
  'systemd-analyze': 'systemd',
  'ssh-keygen': 'openssh-client',
  sshd: 'openssh-server',
  dockerd: 'docker.io',
  iptables: 'iptables',
  ip: 'iproute2',
  java: 'default-jre-headless',
  mvn: 'maven',
  restic: 'restic',
  borg: 'borgbackup',
  rclone: 'rclone',
  // Server, client and contrib programs; the client's package comes with it.
  postgres: 'postgresql-15',
  pgbackrest: 'pgbackrest',
  // A name server, and where its records lie.
  pdns_server: 'pdns-server',
  'pdns-sqlite3': 'pdns-backend-sqlite3',
  // With promtool; the other with amtool.
  prometheus: 'prometheus',
  'prometheus-alertmanager': 'prometheus-alertmanager',
  // Debian parts Python from what makes environments with pip.
  'python-venv': 'python3-venv',
  chromium: 'chromium',
  debootstrap: 'debootstrap',
  slirp4netns: 'slirp4netns',
} as const;

/** Debian's packages start these; only their programs are wanted. */
const UNWANTED_SERVERS = [
  { program: 'prometheus', unit: 'prometheus.service' },
  { program: 'prometheus-alertmanager', unit: 'prometheus-alertmanager.service' },
  { program: 'pdns_server', unit: 'pdns.service' },
] as const;

const PDNS_SCHEMA = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';

export type Program = keyof typeof PACKAGES;

/** Debian keeps the versions of PostgreSQL side by side, away from PATH; another version there is not the one wanted. */
function placeOf(program: Program): string | undefined {
  if (program === 'python-venv') return pythonWithVenv();
  // A module of the server and no program: its schema is what a new database is made by.
  if (program === 'pdns-sqlite3') return existsSync(PDNS_SCHEMA) ? PDNS_SCHEMA : undefined;
  if (program !== 'postgres') return findProgram(program);
  const place = path.join(process.env['HOLDFAST_POSTGRES_BIN'] ?? '/usr/lib/postgresql/15/bin', program);
  return isExecutable(place) ? place : undefined;
}

function pythonWithVenv(): string | undefined {
  const python = findProgram('python3');
  if (python === undefined) return undefined;
  return spawnSync(python, ['-c', 'import ensurepip, venv']).status === 0 ? python : undefined;
}

export function missingPrograms(programs: readonly Program[]): Program[] {
  return programs.filter((program) => placeOf(program) === undefined);
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
    if (packages.includes(PACKAGES.postgres)) makeNoDatabaseServer(CLUSTER_SETTINGS);
    if (packages.includes(PACKAGES.sshd)) startNoLoginServer(SYSTEMD_UNITS);
    maskUnits(
      SYSTEMD_UNITS,
      UNWANTED_SERVERS.filter(({ program }) => packages.includes(PACKAGES[program])).map(({ unit }) => unit),
    );
    await withRetries('apt-get update', () => run('apt-get', ['update', '-qq', wait], { env }));
    const args = ['install', '-y', '-qq', wait, '--no-install-recommends', ...packages];
    await withRetries('apt-get install', () => run('apt-get', args, { env }));
  });
  const still = missingPrograms(programs);
  if (still.length > 0) throw new SetupError(`Still missing after ${command}: ${still.join(', ')}.`);
}

const CLUSTER_SETTINGS = '/etc/postgresql-common/createcluster.conf';

/** Debian's package makes a server and starts it; only its programs are wanted. What an administrator wrote stays. */
export function makeNoDatabaseServer(settings: string): void {
  if (existsSync(settings)) return;
  mkdirSync(path.dirname(settings), { recursive: true });
  const why =
    '# Written before postgresql was installed for its programs alone, so that no server was made and started.';
  writeFileSync(settings, `${why}\ncreate_main_cluster = false\n`);
}

const SYSTEMD_UNITS = '/etc/systemd/system';

/**
 * Debian's package opens the machine to logins as soon as it is installed; only its program is wanted, so its units are
 * masked (systemctl(1), mask). What an administrator made stays. `systemctl unmask ssh.service ssh.socket` undoes it.
 */
export function startNoLoginServer(units: string): void {
  maskUnits(units, ['ssh.service', 'ssh.socket']);
}

/** So that a package is installed for its programs alone. What an administrator made stays. */
export function maskUnits(units: string, names: readonly string[]): void {
  for (const unit of names) {
    const file = path.join(units, unit);
    if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) continue;
    mkdirSync(units, { recursive: true });
    symlinkSync('/dev/null', file);
  }
}
