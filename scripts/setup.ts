/**
 * `npm run setup`: finds or makes what Holdfast runs on. With `-- test` or `-- bench` also what those need. Everything
 * made is cached outside the tree, pinned and checked; a second run only looks.
 */
import { dockerEngine } from './setup/docker.ts';
import { moto } from './setup/moto.ts';
import { postgres17 } from './setup/postgres-17.ts';
import { fakeGcs } from './setup/fake-gcs.ts';
import { ensurePackages } from './setup/packages.ts';
import type { Program } from './setup/packages.ts';
import { say, SetupError } from './setup/say.ts';
import { temporalServer } from './setup/temporal.ts';
import { testServer } from './setup/test-server.ts';
import { versitygw } from './setup/versitygw.ts';

/** What is wanted: to run Holdfast, the tests or the benchmark, the demo with or without containers, an example, a cluster. */
export type Purpose = 'run' | 'test' | 'bench' | 'demo' | 'demo-without-docker' | 'example' | 'cluster';

const TEST_PROGRAMS: readonly Program[] = [
  ...([
    'age',
    'zstd',
    'jq',
    'setfattr',
    'setfacl',
    'sqlite3',
    'git',
    'openssl',
    'systemd-analyze',
    'busybox',
    'ssh-keygen',
    'sshd',
    'postgres',
    'python-venv',
    'chromium',
    'prometheus',
    'prometheus-alertmanager',
    'pdns_server',
    'pdns-sqlite3',
  ] as const),
];

const PROGRAMS: Readonly<Record<Purpose, readonly Program[]>> = {
  run: [],
  test: TEST_PROGRAMS,
  bench: [...TEST_PROGRAMS, 'restic', 'borg', 'pgbackrest', 'rclone'],
  demo: ['busybox'],
  'demo-without-docker': [],
  example: ['busybox', 'postgres'],
  // An engine of its own, which needs rules of its own network.
  cluster: ['dockerd', 'iptables', 'slirp4netns'],
};

export interface Prepared extends AsyncDisposable {
  /** To be set for child processes, so that they use what was found. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Prepares for a purpose; disposing stops what had to be started. Throws SetupError with the exact next step. */
export async function prepare(purpose: Purpose): Promise<Prepared> {
  await ensurePackages(PROGRAMS[purpose], purpose === 'run' ? 'Holdfast' : `the ${purpose}`);
  const environment: Record<string, string> = { HOLDFAST_TEMPORAL: await temporalServer() };
  if (purpose === 'test') {
    environment['HOLDFAST_TEST_SERVER'] = await testServer();
    environment['HOLDFAST_VERSITYGW'] = await versitygw();
    environment['HOLDFAST_MOTO'] = await moto();
    const newer = await postgres17();
    if (newer !== undefined) environment['HOLDFAST_POSTGRES_17'] = newer;
    environment['HOLDFAST_FAKE_GCS'] = await fakeGcs();
  }
  if (purpose === 'example') {
    environment['HOLDFAST_VERSITYGW'] = await versitygw();
    environment['HOLDFAST_FAKE_GCS'] = await fakeGcs();
  }
  const needsDocker = purpose !== 'run' && purpose !== 'demo-without-docker';
  const engine = needsDocker ? await dockerEngine() : undefined;
  return { environment, [Symbol.asyncDispose]: async () => engine?.[Symbol.asyncDispose]() };
}

function isPurpose(text: string): text is Purpose {
  return Object.hasOwn(PROGRAMS, text);
}

/**
 * Runs a program of scripts/. With a usage text `--help` prints it and ends with 0, and options that parseArgs of
 * node:util refuses end with 2. A SetupError is a message for a person, anything else a defect with its stack.
 */
export async function runMain(main: () => Promise<number>, usage?: string): Promise<void> {
  if (usage !== undefined && process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  try {
    process.exitCode = await main();
  } catch (error) {
    const wrongOption = usage !== undefined && isWrongOption(error);
    if (!wrongOption && !(error instanceof SetupError)) throw error;
    process.stderr.write(wrongOption ? `${error.message}\n\n${usage}\n` : `${error.message}\n`);
    process.exitCode = wrongOption ? 2 : 1;
  }
}

/** What is wrong with the options that were given, for `runMain` to say. */
export class UsageError extends Error {}

function isWrongOption(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
}

async function main(purpose = 'run'): Promise<number> {
  if (!isPurpose(purpose)) {
    process.stderr.write(`Usage: npm run setup [-- ${Object.keys(PROGRAMS).join(' | ')}]\n`);
    return 2;
  }
  await using prepared = await prepare(purpose);
  for (const [name, value] of Object.entries(prepared.environment)) say(`${name}=${value}`);
  say('Everything is there.');
  return 0;
}

if (import.meta.main) await runMain(() => main(process.argv[2]));
