/** What is asked of temporal-docker-compose.yml and deploy/Dockerfile, in the order an operator meets it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { clusterDocker, type ClusterDocker } from './docker.ts';
import { buildWorkerImage, standIns } from './images.ts';
import { makeStack, SYSTEM, until, Worker } from './worker.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const COMPOSE_FILE = path.join(ROOT, 'temporal-docker-compose.yml');
/** With what a password may hold; Temporal itself can't take spaces, quotes and backslashes. */
const PASSWORD = { TEMPORAL_POSTGRES_PASSWORD: 'of-the_suite:$1/&@%41+' };
const WORKER_IMAGE = 'holdfast';

export interface StoryOptions {
  /** The images of the registry instead of those that are made here. */
  readonly published: boolean;
  readonly say: (line: string) => void;
}

/** The images that the Compose file names, each once, and the one that the Dockerfile begins from. */
export function imagesNamed(): { readonly services: string[]; readonly base: string } {
  const { services } = parse(readFileSync(COMPOSE_FILE, 'utf8'), { merge: true }) as {
    services: Record<string, { image: string }>;
  };
  const base = /^FROM (\S+)$/m.exec(readFileSync(path.join(ROOT, 'deploy', 'Dockerfile'), 'utf8'))?.[1];
  if (base === undefined) throw new Error('deploy/Dockerfile names no image');
  return { services: [...new Set(Object.values(services).map(({ image }) => image))], base };
}

function must(held: boolean, what: string): void {
  if (!held) throw new Error(`not so: ${what}`);
}

/** Tells each step when it has held; throws at the first that does not. Everything it started is gone afterwards. */
export async function tellStory({ published, say }: StoryOptions): Promise<void> {
  const startedAt = Date.now();
  const seconds = (): string => `${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s`;
  const ok = (what: string): void => say(`${seconds()}  ok  ${what}`);
  const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-cluster-'));
  try {
    await using docker = await clusterDocker();
    try {
      const { services, base } = imagesNamed();
      if (published) say('images: as published');
      else await standIns(docker, [...services, base]);
      ok(`${services.length + 1} images are there: ${[...services, base].join(', ')}`);
      await buildWorkerImage(docker, WORKER_IMAGE);
      ok('deploy/Dockerfile builds');
      await play({ docker, directory, ok, appImage: services.find((one) => one.startsWith('postgres')) ?? base });
    } catch (error) {
      say(await lastWords(docker));
      throw error;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Stage {
  readonly docker: ClusterDocker;
  readonly directory: string;
  readonly appImage: string;
  readonly ok: (what: string) => void;
}

async function play(stage: Stage): Promise<void> {
  const { docker, ok } = stage;
  const compose = (...args: readonly string[]): Promise<string> =>
    docker.composeWith(PASSWORD, '-f', COMPOSE_FILE, ...args);
  const refused = await docker.composeWith({ TEMPORAL_POSTGRES_PASSWORD: '' }, '-f', COMPOSE_FILE, 'up', '-d').then(
    () => '',
    (error: unknown) => String(error),
  );
  must(refused.includes('set a password'), 'without a password nothing starts');
  await compose('up', '-d');
  await namespaceIsThere(docker);
  ok('docker compose up: database, schema, server, namespace, UI');
  const versions = await schemaVersions(docker);
  ok(`schema ${versions}, histories kept for ${await retention(docker)}`);
  await uiAnswers(docker);
  ok('the UI answers on loopback, without terminate and reset');

  const worker = new Worker(docker, stage.directory);
  await makeStack(docker, stage.directory, stage.appImage);
  await worker.init(WORKER_IMAGE);
  await worker.start(WORKER_IMAGE);
  const schedules = await until('the schedules are applied', () => schedulesOf(docker));
  ok(`the image runs the workers, which applied ${schedules.split('\n').length} schedules`);
  const first = await worker.ask<{ outcome: string; backup: string }>(['backup', SYSTEM, 'nightly']);
  must((await worker.backups()).includes(first.backup), 'the backup is listed');
  ok(`a backup of a volume and of files: ${first.backup}`);

  await struck(stage, worker);
  await restarted(stage, compose, schedules);
  await madeAgain(stage, compose, { schedules, versions });
  const again = await worker.ask<{ backup: string }>(['backup', SYSTEM, 'nightly']);
  ok(`a backup by the new containers: ${again.backup}`);
  await restored(stage, worker, again.backup);
  await docker.run('stop', '--time', '120', 'holdfast');
  const code = (await docker.run('inspect', '-f', '{{.State.ExitCode}}', 'holdfast')).trim();
  must(code === '0', `the workers stop in order (exit ${code})`);
  ok('the workers stop in order');
}

/** Server and database die in the middle of a backup: Docker starts them again, and the backup ends as if nothing was. */
async function struck({ docker, ok }: Stage, worker: Worker): Promise<void> {
  await docker.run('exec', 'shop-app', 'sh', '-c', 'head -c 300000000 /dev/urandom > /data/big');
  const before = worker.captures().length;
  const { length } = await worker.backups();
  await worker.begin('backup', SYSTEM, 'nightly');
  await until('the capture has begun', () => (worker.captures().length > before ? true : undefined));
  for (const service of ['temporal', 'postgresql']) {
    // By its process: a container that `docker kill` ends is not started again.
    const pid = (await docker.run('inspect', '-f', '{{.State.Pid}}', `holdfast-temporal-${service}-1`)).trim();
    process.kill(Number(pid), 'SIGKILL');
  }
  must((await worker.backups()).length === length, 'the backup was under way when the server died');
  await until('the backup is complete', async () =>
    (await worker.backups()).length === length + 1 ? true : undefined,
  );
  await until('its workflow is completed', async () => {
    const described = await temporal(docker, 'workflow', 'describe', '-w', `${SYSTEM}/backup/nightly`, '-o', 'json');
    return described.includes('WORKFLOW_EXECUTION_STATUS_COMPLETED') ? true : undefined;
  });
  const paused = (await docker.run('inspect', '-f', '{{.State.Paused}}', 'shop-app')).trim();
  must(paused === 'false', 'the container that was paused runs again');
  ok('server and database killed in the middle of a backup: it is complete, and nothing stays paused');
}

type Compose = (...args: readonly string[]) => Promise<string>;

async function restarted({ docker, ok }: Stage, compose: Compose, schedules: string): Promise<void> {
  await compose('restart', 'postgresql', 'temporal');
  const after = await until('the server answers', () => schedulesOf(docker));
  must(after === schedules, 'the schedules are what they were');
  ok('docker compose restart of database and server: every schedule is there');
}

/** As an upgrade does it: all containers anew, over the volumes that are there. */
async function madeAgain(
  { docker, ok }: Stage,
  compose: Compose,
  known: { readonly schedules: string; readonly versions: string },
): Promise<void> {
  await docker.run('network', 'disconnect', 'holdfast-temporal_default', 'holdfast');
  await compose('down');
  await compose('up', '-d');
  await docker.run('network', 'connect', 'holdfast-temporal_default', 'holdfast');
  await namespaceIsThere(docker);
  must((await schemaVersions(docker)) === known.versions, 'the schema is as it was');
  const after = await until('the server answers', () => schedulesOf(docker));
  must(after === known.schedules, 'the schedules are what they were');
  ok('docker compose down and up: schema, schedules and histories are kept');
}

async function restored({ docker, directory, ok }: Stage, worker: Worker, backup: string): Promise<void> {
  writeFileSync(path.join(directory, 'srv', 'prices.csv'), 'gone');
  const { plan } = await worker.ask<{ plan: { digest: string } }>(['restore', SYSTEM, backup], [2]);
  await worker.ask(['approve', SYSTEM, plan.digest, '--by', 'the suite', '--watch']);
  must(readFileSync(path.join(directory, 'srv', 'prices.csv'), 'utf8').startsWith('apple'), 'the file is back');
  const running = (await docker.run('inspect', '-f', '{{.State.Running}}', 'shop-app')).trim();
  must(running === 'true', 'the stack runs');
  ok('a restore that was approved: volume and files are back, the stack runs');
}

async function namespaceIsThere(docker: ClusterDocker): Promise<void> {
  await until('the namespace is there', async () => {
    const state = await docker.run(
      'inspect',
      '-f',
      '{{.State.Status}} {{.State.ExitCode}}',
      'holdfast-temporal-namespace-1',
    );
    return state.trim() === 'exited 0' ? true : undefined;
  });
}

async function schemaVersions(docker: ClusterDocker): Promise<string> {
  const versions: string[] = [];
  for (const database of ['temporal', 'temporal_visibility']) {
    const words = ['psql', '-U', 'temporal', '-d', database, '-tAc', 'SELECT curr_version FROM schema_version'];
    versions.push((await docker.run('exec', 'holdfast-temporal-postgresql-1', ...words)).trim());
  }
  return versions.join(' and ');
}

/** The `temporal` command of the image of the Compose file, beside the server. */
async function temporal(docker: ClusterDocker, ...args: readonly string[]): Promise<string> {
  const image = imagesNamed().services.find((one) => one.includes('admin-tools')) ?? '';
  const words = ['--network', 'holdfast-temporal_default', '--entrypoint', 'temporal', image, ...args];
  return docker.run('run', '--rm', ...words, '--address', 'temporal:7233');
}

async function retention(docker: ClusterDocker): Promise<string> {
  const described = await temporal(docker, 'operator', 'namespace', 'describe', '-n', 'default', '-o', 'json');
  const { config } = JSON.parse(described) as { config: { workflowExecutionRetentionTtl: string } };
  must(config.workflowExecutionRetentionTtl === '7776000s', `90 days, not ${config.workflowExecutionRetentionTtl}`);
  return '90 days';
}

/** Names, sorted, one a line; undefined while there are none. */
async function schedulesOf(docker: ClusterDocker): Promise<string | undefined> {
  const lines = (await temporal(docker, 'schedule', 'list', '-o', 'jsonl')).split('\n').filter((line) => line !== '');
  const ids = lines.map((line) => (JSON.parse(line) as { scheduleId: string }).scheduleId);
  return ids.length === 0 ? undefined : ids.toSorted().join('\n');
}

async function uiAnswers(docker: ClusterDocker): Promise<void> {
  const program = "fetch('http://127.0.0.1:8233/api/v1/settings').then(async (r) => console.log(await r.text()))";
  const settings = await until('the UI answers', async () => {
    const text = await docker.inNetwork(process.execPath, '-e', program);
    return JSON.parse(text) as Record<string, unknown>;
  });
  for (const name of ['WorkflowTerminateDisabled', 'WorkflowResetDisabled']) {
    must(settings[name] === true, `${name} of the UI`);
  }
}

/** Of every container: its state and the end of its log, for whoever looks for the cause. */
async function lastWords(docker: ClusterDocker): Promise<string> {
  const parts: string[] = [];
  try {
    parts.push(await docker.run('ps', '-a'));
    for (const name of (await docker.run('ps', '-aq', '--format', '{{.Names}}')).trim().split('\n')) {
      if (name !== '') parts.push(`== ${name}`, (await docker.logs(name)).split('\n').slice(-15).join('\n'));
    }
  } catch (error) {
    parts.push(`the engine says no more: ${String(error)}`);
  }
  return parts.join('\n');
}
