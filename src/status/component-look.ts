/**
 * Whether what is to be captured answers now, by a cheap look that reads and changes nothing of it. For `monitor`, every
 * few minutes; `doctor` looks closer.
 */
import { access, constants, stat } from 'node:fs/promises';
import { hasFallen } from '../docker/fallen.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { tell } from '../observe/told.ts';
import type { TroubleSeen } from '../policy/host-look.ts';
import { openPostgres } from '../postgres/open.ts';
import type { Component, PostgresComponent } from '../system/types.ts';
import { askedOnce } from './asked-once.ts';

export interface ComponentLook {
  readonly troubles: readonly TroubleSeen[];
  /** Programs that its capture needs and that are not there. */
  readonly tools: readonly TroubleSeen[];
}

const PATH_LIMIT_MS = 5_000;
const FINE: ComponentLook = { troubles: [], tools: [] };
const TOOLS = {
  dump: ['pg_dump', 'pg_dumpall'],
  base: ['pg_basebackup', 'pg_verifybackup'],
} as const;

/** Never throws but when the signal is aborted: what can't be looked at is a trouble of the component. */
export async function lookAtComponent(
  component: Component,
  docker: () => DockerHost,
  signal: AbortSignal,
): Promise<ComponentLook> {
  try {
    return await lookByKind(component, docker, signal);
  } catch (error) {
    if (!signal.aborted || error instanceof HoldfastError) return trouble(component, error);
    const late = new HoldfastError('HostBusy', 'it did not answer in time');
    return trouble(component, late);
  }
}

async function lookByKind(component: Component, docker: () => DockerHost, signal: AbortSignal): Promise<ComponentLook> {
  switch (component.kind) {
    case 'volume':
      return lookAtVolume(component.name, component.volume, docker());
    case 'compose':
      await lookAtPath(component.directory, 'any');
      return lookAtProject(component.name, component.project, docker());
    case 'files':
      await lookAtPath(component.path, 'any');
      return FINE;
    case 'sqlite':
      await lookAtPath(component.path, 'file');
      return FINE;
    case 'postgres':
      return lookAtPostgres(component, docker, signal);
  }
}

function trouble({ name }: Pick<Component, 'name'>, error: unknown): ComponentLook {
  const { message, hint } = tell(error);
  return { troubles: [{ subject: name, what: message.split('\n')[0] ?? message, hint }], tools: [] };
}

async function lookAtPath(path: string, kind: 'file' | 'any'): Promise<void> {
  try {
    const facts = await askedOnce(path, PATH_LIMIT_MS, async () => {
      const found = await stat(path);
      await access(path, found.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
      return found;
    });
    if (kind === 'file' && !facts.isFile()) throw new HoldfastError('SourceMissing', `${path} is no file`);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new HoldfastError('SourceMissing', `${path} does not exist`);
    throw new HoldfastError('PermissionDenied', `${path} can't be read (${code ?? 'unknown error'})`, { cause });
  }
}

async function lookAtVolume(name: string, volume: string, docker: DockerHost): Promise<ComponentLook> {
  const facts = await docker.volume(volume);
  if (facts === undefined) throw new HoldfastError('VolumeMissing', `there is no volume ${volume}`);
  if (facts.path !== undefined) await lookAtPath(facts.path, 'any');
  return containerTroubles(name, await docker.containersOf({ volume }), docker);
}

async function lookAtProject(name: string, project: string, docker: DockerHost): Promise<ComponentLook> {
  const containers = await docker.containersOf({ project });
  if (containers.length === 0) {
    throw new HoldfastError('ContainerMissing', `project ${project} has no containers`, {
      hint: 'Start it with `docker compose up -d`, or correct the project in the system file.',
    });
  }
  return containerTroubles(name, containers, docker);
}

/** What an operator stopped or paused himself stays no trouble. */
async function containerTroubles(
  name: string,
  containers: readonly ContainerFacts[],
  docker: DockerHost,
): Promise<ComponentLook> {
  const troubles: TroubleSeen[] = [];
  for (const container of containers) {
    const what = await troubleOf(container, docker);
    if (what !== undefined) {
      const hint = `See why, then start it: docker logs --tail 50 ${container.name}; docker start ${container.name}`;
      troubles.push({ subject: name, what: `container ${container.name} ${what}`, hint });
    }
  }
  return { troubles, tools: [] };
}

async function troubleOf(container: ContainerFacts, docker: DockerHost): Promise<string | undefined> {
  if (container.state === 'restarting') return 'is starting again and again';
  if (container.state === 'running') return container.health === 'unhealthy' ? 'is unhealthy' : undefined;
  if (container.state === 'paused' || container.state === 'removing') return undefined;
  const details = container.state === 'exited' ? await docker.describe(container.id) : undefined;
  if (!hasFallen(container, details)) return undefined;
  return container.state === 'exited'
    ? `has stopped (exit ${details?.State.ExitCode ?? '?'})`
    : `is ${container.state}`;
}

/** The server answers this role, and the programs that its capture needs run. */
async function lookAtPostgres(
  component: PostgresComponent,
  docker: () => DockerHost,
  signal: AbortSignal,
): Promise<ComponentLook> {
  const server = await openPostgres(component.server, 'backup', { docker });
  try {
    await server.facts(signal);
    const tools: TroubleSeen[] = [];
    for (const tool of TOOLS[component.method]) {
      try {
        await server.text(tool, ['--version'], { signal });
      } catch (error) {
        const { message, hint } = tell(error);
        tools.push({ subject: `${component.name}/${tool}`, what: `${tool} for ${component.name}: ${message}`, hint });
      }
    }
    return { troubles: [], tools };
  } finally {
    await server.close();
  }
}
