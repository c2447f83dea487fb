/**
 * Brings the sample M2M connector up by the Engine API, with Compose's labels, because the Compose plug-in can't be had
 * everywhere. Every container, volume and network carries the sample's label and the project's name.
 */
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { containerOptions, interpolate, readCompose, startOrder } from './compose-file.ts';
import { ensureSampleImage } from './image.ts';
import { SAMPLE_LABEL } from './labels.ts';

const M2M = join(dirname(import.meta.dirname), 'm2m');
const PROJECT_LABEL = 'com.docker.compose.project';
const HEALTH_LIMIT_MS = 180_000;

export interface SampleStackOptions {
  readonly docker: Docker;
  /** Absolute; holds the Compose file, configuration and wallet. Removed by stopSampleStack. */
  readonly directory: string;
  /** Also the prefix of the volume's name. Default: m2m- and random digits. */
  readonly project?: string;
  readonly ledgerMiB?: number;
  readonly transfersPerSecond?: number;
  readonly seed?: number;
  readonly say?: (text: string) => void;
}

export interface LedgerHealth {
  readonly status: string;
  readonly records: number;
  readonly head: string;
  readonly debits: number;
  readonly credits: number;
  readonly accounts: number;
  readonly problems: readonly string[];
}

export interface SampleStack {
  readonly docker: Docker;
  readonly project: string;
  readonly directory: string;
  readonly volume: string;
  readonly image: string;
  readonly seed: number;
  readonly walletDirectory: string;
  readonly ledgerFile: string;
}

export function containerName(stack: Pick<SampleStack, 'project'>, service: 'ledger' | 'connector'): string {
  return `${stack.project}-${service}-1`;
}

async function writeProject(directory: string, composeText: string): Promise<void> {
  await mkdir(join(directory, 'wallet'), { recursive: true });
  await writeFile(join(directory, 'docker-compose.yml'), composeText);
  await cp(join(M2M, 'monitoring'), join(directory, 'monitoring'), { recursive: true });
  await cp(join(M2M, 'peers'), join(directory, 'peers'), { recursive: true });
  await writeFile(join(directory, '.env'), `NODE_ID=sample\nAPI_TOKEN=${randomBytes(16).toString('hex')}\n`);
  await chmod(join(directory, '.env'), 0o600);
  await writeFile(join(directory, 'wallet', 'master-seed.enc'), randomBytes(96), { mode: 0o600 });
}

/** Resolves when every service is healthy; what was made is removed again when that fails. */
export async function startSampleStack(options: SampleStackOptions): Promise<SampleStack> {
  const { docker, directory } = options;
  const project = options.project ?? `m2m-${randomBytes(4).toString('hex')}`;
  const image = await ensureSampleImage(docker, options.say);
  const stack: SampleStack = {
    docker,
    project,
    directory,
    volume: `${project}-tigerbeetle-data`,
    image,
    seed: options.seed ?? 42,
    walletDirectory: join(directory, 'wallet'),
    ledgerFile: '0_0.tigerbeetle',
  };
  const text = interpolate(await readFile(join(M2M, 'docker-compose.yml'), 'utf8'), {
    PROJECT: project,
    IMAGE: image,
    DIRECTORY: directory,
    VOLUME: stack.volume,
    LEDGER_MIB: String(options.ledgerMiB ?? 16),
    LEDGER_LOAD: String(options.transfersPerSecond ?? 100),
    LEDGER_SEED: String(stack.seed),
  });
  await writeProject(directory, text);
  try {
    await createAndStart(stack, text);
  } catch (error) {
    await stopSampleStack(stack);
    throw error;
  }
  return stack;
}

async function createAndStart(stack: SampleStack, composeText: string): Promise<void> {
  const { docker, project, directory } = stack;
  const file = readCompose(composeText);
  const labels = { [SAMPLE_LABEL]: 'stack', [PROJECT_LABEL]: project };
  const network = `${project}_default`;
  await docker.createNetwork({ Name: network, Labels: labels });
  await docker.createVolume({
    Name: stack.volume,
    Labels: { ...labels, 'com.docker.compose.volume': 'tigerbeetle-data' },
  });
  for (const service of startOrder(file)) {
    const container = await docker.createContainer(containerOptions(file, service, directory, network));
    await container.start();
    await waitHealthy(docker, container.id, service);
  }
}

async function waitHealthy(docker: Docker, id: string, service: string): Promise<void> {
  const until = Date.now() + HEALTH_LIMIT_MS;
  for (;;) {
    const { State } = await docker.getContainer(id).inspect();
    if (State.Health?.Status === 'healthy') return;
    if (!State.Running || Date.now() > until) {
      const log = await docker.getContainer(id).logs({ stdout: true, stderr: true, tail: 20 });
      throw new Error(`${service} is ${State.Status}, not healthy: ${log.toString('utf8')}`);
    }
    await sleep(200);
  }
}

/** Where a service answers at present: a published port changes with every start. */
export async function serviceUrl(stack: SampleStack, service: 'ledger' | 'connector'): Promise<string> {
  const facts = await stack.docker.getContainer(containerName(stack, service)).inspect();
  const ports = Object.values(facts.NetworkSettings.Ports) as ({ HostPort: string }[] | null)[];
  const port = ports.flatMap((bindings) => bindings ?? [])[0]?.HostPort;
  if (port === undefined) throw new Error(`${service} of ${stack.project} is ${facts.State.Status}`);
  return `http://127.0.0.1:${port}`;
}

/**
 * Removes a service's container and its volume with everything in it, and makes the container anew without starting it,
 * as `docker compose create` would: what is left is an empty volume.
 */
export async function loseVolumeOf(stack: SampleStack, service: 'ledger'): Promise<void> {
  const { docker, project, directory, volume } = stack;
  await docker.getContainer(containerName(stack, service)).remove({ force: true });
  await docker.getVolume(volume).remove();
  const file = readCompose(await readFile(join(directory, 'docker-compose.yml'), 'utf8'));
  await docker.createVolume({
    Name: volume,
    Labels: { [SAMPLE_LABEL]: 'stack', [PROJECT_LABEL]: project, 'com.docker.compose.volume': 'tigerbeetle-data' },
  });
  await docker.createContainer(containerOptions(file, service, directory, `${project}_default`));
}

/** What the ledger says of itself, also while it refuses to serve. */
export async function ledgerHealth(stack: SampleStack): Promise<LedgerHealth> {
  const response = await fetch(`${await serviceUrl(stack, 'ledger')}/health`, { signal: AbortSignal.timeout(20_000) });
  return (await response.json()) as LedgerHealth;
}

export async function connectorHealth(stack: SampleStack): Promise<{ status: string; dependencies: unknown }> {
  const response = await fetch(`${await serviceUrl(stack, 'connector')}/health`, {
    signal: AbortSignal.timeout(20_000),
  });
  return (await response.json()) as { status: string; dependencies: unknown };
}

/** Where a volume's data lies on this host. */
export async function volumePath(stack: SampleStack, volume: string = stack.volume): Promise<string> {
  return (await stack.docker.getVolume(volume).inspect()).Mountpoint;
}

function isGone(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 404;
}

async function ignoreGone(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/**
 * Removes the project's containers, networks, volumes (also what a restore kept aside under the project's name) and
 * directory. The image stays for the next time. Safe to repeat.
 */
export async function stopSampleStack(stack: Pick<SampleStack, 'docker' | 'project' | 'directory'>): Promise<void> {
  const { docker, project } = stack;
  const filters = { label: [`${PROJECT_LABEL}=${project}`] };
  for (const { Id } of await docker.listContainers({ all: true, filters })) {
    await ignoreGone(docker.getContainer(Id).remove({ force: true, v: true }));
  }
  for (const { Id } of await docker.listNetworks({ filters })) await ignoreGone(docker.getNetwork(Id).remove());
  const { Volumes } = await docker.listVolumes();
  for (const { Name } of Volumes) {
    if (Name.startsWith(project)) await ignoreGone(docker.getVolume(Name).remove({ force: true }));
  }
  await rm(stack.directory, { recursive: true, force: true });
}

/** The address that the docker client would use. */
export function dockerAddress(): { socketPath: string } | Record<string, never> {
  return process.env['DOCKER_HOST'] === undefined ? { socketPath: '/var/run/docker.sock' } : {};
}
