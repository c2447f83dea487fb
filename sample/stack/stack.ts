/** The sample M2M connector as a Compose project. */
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type Docker from 'dockerode';
import { containerOptions, interpolate, readCompose } from './compose-file.ts';
import { ensureSampleImage } from './image.ts';
import { SAMPLE_LABEL } from './labels.ts';
import { createProject, networkOf, PROJECT_LABEL, publishedUrl, removeProject } from './project.ts';

const M2M = join(dirname(import.meta.dirname), 'm2m');

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
    await createProject(docker, readCompose(text), { directory });
  } catch (error) {
    await stopSampleStack(stack);
    throw error;
  }
  return stack;
}

/** Where a service answers at present: a published port changes with every start. */
export async function serviceUrl(stack: SampleStack, service: 'ledger' | 'connector'): Promise<string> {
  return publishedUrl(stack.docker, containerName(stack, service));
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
  await docker.createContainer(containerOptions(file, service, { directory }, networkOf(project)));
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

/** Removes the project with everything in it, and its directory. The image stays for the next time. Safe to repeat. */
export async function stopSampleStack(stack: Pick<SampleStack, 'docker' | 'project' | 'directory'>): Promise<void> {
  await removeProject(stack.docker, stack.project);
  await rm(stack.directory, { recursive: true, force: true });
}

/** The address that the docker client would use. */
export function dockerAddress(): { socketPath: string } | Record<string, never> {
  return process.env['DOCKER_HOST'] === undefined ? { socketPath: '/var/run/docker.sock' } : {};
}
