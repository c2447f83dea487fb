/**
 * Whether what is to be captured answers now, by a cheap look that reads and changes nothing of it. For `monitor`, every
 * few minutes; `doctor` looks closer.
 */
import { access, constants, stat } from 'node:fs/promises';
import { seeContainers } from '../docker/see-container.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { tell } from '../observe/told.ts';
import { judgeContainer } from '../policy/container-state.ts';
import type { ServiceSeen, TroubleSeen } from '../policy/host-look.ts';
import { openPostgres } from '../postgres/open.ts';
import type { Component, ComposeComponent, PostgresComponent, System, VolumeComponent } from '../system/types.ts';
import { askedOnce } from './asked-once.ts';
import { lookAtUnits } from './unit-look.ts';

export interface ComponentLook {
  readonly troubles: readonly TroubleSeen[];
  /** Of a Compose project, or of systemd's units, each that is not up. */
  readonly services: readonly ServiceSeen[];
  /** Programs that its capture needs and that are not there. */
  readonly tools: readonly TroubleSeen[];
}

const PATH_LIMIT_MS = 5_000;
const FINE: ComponentLook = { troubles: [], services: [], tools: [] };
const TOOLS = {
  dump: ['pg_dump', 'pg_dumpall'],
  base: ['pg_basebackup', 'pg_verifybackup'],
} as const;

/** Never throws but when the signal is aborted: what can't be looked at is a trouble of the component. */
export async function lookAtComponent(
  system: System,
  component: Component,
  docker: () => DockerHost,
  signal: AbortSignal,
): Promise<ComponentLook> {
  try {
    return await lookByKind(system, component, docker, signal);
  } catch (error) {
    if (!signal.aborted || error instanceof HoldfastError) return trouble(component, error);
    const late = new HoldfastError('HostBusy', 'it did not answer in time');
    return trouble(component, late);
  }
}

async function lookByKind(
  system: System,
  component: Component,
  docker: () => DockerHost,
  signal: AbortSignal,
): Promise<ComponentLook> {
  switch (component.kind) {
    case 'volume':
      return lookAtVolume(system, component, docker(), signal);
    case 'compose':
      await lookAtPath(component.directory, 'any');
      return lookAtProject(system, component, docker(), signal);
    case 'files':
      await lookAtPath(component.path, 'any');
      return FINE;
    case 'sqlite':
      await lookAtPath(component.path, 'file');
      return FINE;
    case 'systemd':
      return { ...FINE, services: await lookAtUnits(system.name, component, signal) };
    case 'postgres':
      return lookAtPostgres(component, docker, signal);
  }
}

function trouble({ name }: Pick<Component, 'name'>, error: unknown): ComponentLook {
  const { message, hint } = tell(error);
  return { ...FINE, troubles: [{ subject: name, what: message.split('\n')[0] ?? message, hint }] };
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

async function lookAtVolume(
  system: System,
  { name, volume, host }: VolumeComponent,
  docker: DockerHost,
  signal: AbortSignal,
): Promise<ComponentLook> {
  const facts = await docker.volume(volume);
  if (facts === undefined) throw new HoldfastError('VolumeMissing', `there is no volume ${volume}`);
  if (facts.path !== undefined) await lookAtPath(facts.path, 'any');
  const projects = system.components.flatMap((one) =>
    one.kind === 'compose' && one.host === host ? [one.project] : [],
  );
  const users = await docker.containersOf({ volume });
  // Services of the system's own projects are told each, once.
  const others = users.filter(({ project }) => project === undefined || !projects.includes(project));
  const broken = await brokenOf(system.name, others, docker, signal);
  return {
    ...FINE,
    troubles: broken.map(({ container, what, hint }) => ({
      subject: name,
      what: `container ${container} ${what}`,
      hint,
    })),
  };
}

async function lookAtProject(
  system: System,
  { name, project }: ComposeComponent,
  docker: DockerHost,
  signal: AbortSignal,
): Promise<ComponentLook> {
  const containers = await docker.containersOf({ project });
  if (containers.length === 0) {
    throw new HoldfastError('ContainerMissing', `project ${project} has no containers`, {
      hint: 'Start it with `docker compose up -d`, or correct the project in the system file.',
    });
  }
  const broken = await brokenOf(system.name, containers, docker, signal);
  const bySubject = Map.groupBy(broken, ({ subject }) => subject);
  const services = [...bySubject].map(([subject, all]): ServiceSeen => {
    const since = all.flatMap((one) => one.since ?? []).toSorted()[0];
    const what = all.map((one) => `container ${one.container} ${one.what}`).join('; ');
    return { component: name, subject, what, hint: all[0]?.hint ?? '', ...(since === undefined ? {} : { since }) };
  });
  return { ...FINE, services };
}

interface Broken {
  readonly container: string;
  /** Its service, or its own name. */
  readonly subject: string;
  readonly what: string;
  readonly hint: string;
  readonly since?: string;
}

/** What an operator stopped or paused himself is no trouble, as far as the engine remembers that he did. */
async function brokenOf(
  system: string,
  containers: readonly ContainerFacts[],
  docker: DockerHost,
  signal: AbortSignal,
): Promise<Broken[]> {
  const byName = containers.toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
  const seen = await seeContainers(docker, byName, signal);
  return seen.flatMap((one): Broken[] => {
    const verdict = judgeContainer(one, Date.now());
    if (verdict.kind !== 'broken') return [];
    const { what, since, doubt } = verdict;
    const subject = one.service ?? one.name;
    const about = since === undefined ? what : `${what} since ${since}`;
    return [
      {
        container: one.name,
        subject,
        what: doubt === undefined ? about : `${about}; ${doubt}`,
        hint: `See why and start it again: holdfast restart ${system}${doubt === undefined ? '' : ` ${subject}`}`,
        ...(since === undefined ? {} : { since }),
      },
    ];
  });
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
    return { ...FINE, tools };
  } finally {
    await server.close();
  }
}
