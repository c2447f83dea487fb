/** The checks of the system file, asked of what a drill has made here, and of nothing else. */
import { DRILL_LABEL } from '../../sources/kinds/volume-place.ts';
import { openDoor, type Door } from '../../docker/door.ts';
import type { DockerHost } from '../../docker/types.ts';
import type { System } from '../../system/types.ts';
import type { AskedOfScratch } from '../drill-types.ts';
import type { HostContext } from '../host-context.ts';
import { openServer } from '../own-server.ts';
import type { Run } from '../shell.ts';
import type { HostActivities } from '../types.ts';
import { runChecks } from '../validation/run-checks.ts';
import { besideName } from '../../sources/postgres/restore-record.ts';
import type { CheckPlace, DatabasePlace } from '../validation-types.ts';
import { judged } from './judged.ts';
import { scratchTarget } from './places.ts';
import { mustBeOpen } from './scratch.ts';
import { DATABASES_LABEL, PORTS_LABEL, SERVICE_LABEL } from './stack-make.ts';

const THIS_HOST = ['localhost', '127.0.0.1', '[::1]', '0.0.0.0'];

export async function askScratch(
  context: HostContext,
  { system: name, drillId, restored }: Parameters<HostActivities['askScratch']>[0],
  run: Run,
): Promise<AskedOfScratch> {
  await mustBeOpen(context, name, drillId);
  const system = await context.system(name);
  if (!system.checks.some(({ host }) => host === context.host)) return { checks: [], skipped: [] };
  const doors: Pick<Door, 'close'>[] = [];
  try {
    const place = await placeOf(context, system, { drillId, restored }, doors);
    return judged(system, await runChecks(context, { system: name, host: context.host, place }, run));
  } finally {
    for (const door of doors) await door.close();
  }
}

async function placeOf(
  context: HostContext,
  system: System,
  { drillId, restored }: { readonly drillId: string; readonly restored: readonly string[] },
  doors: Pick<Door, 'close'>[],
): Promise<CheckPlace> {
  const stateDirectory = context.stateDirectory(system.name);
  const components = Object.fromEntries(
    system.components.flatMap((one) => {
      const isHere = one.host === context.host && restored.includes(one.name);
      const path = one.kind === 'sqlite' && isHere ? scratchTarget(one, stateDirectory, drillId) : undefined;
      return path === undefined ? [] : [[one.name, { path }] as const];
    }),
  );
  if (!system.components.some(({ kind, host }) => kind === 'compose' && host === context.host)) return { components };
  const docker = context.docker();
  const running = await containersOf(docker, drillId);
  const databases: Record<string, DatabasePlace> = {};
  for (const { id, ports } of running.map((one) => ({ id: one.id, ports: one.databases }))) {
    for (const [name, port] of ports) {
      const { own, close } = await openServer(docker, id, port);
      doors.push({ close });
      databases[name] = { own, databases: namesThere(system, name, drillId) };
    }
  }
  const origins: Record<string, string> = {};
  for (const { probe } of system.checks.filter(({ host }) => host === context.host)) {
    if (probe.kind !== 'http') continue;
    const { origin, hostname, port, protocol } = new URL(probe.url);
    if (origins[origin] !== undefined || !THIS_HOST.includes(hostname) || protocol !== 'http:') continue;
    const wanted = Number(port === '' ? 80 : port);
    const found = running.find(({ ports }) => ports.has(wanted));
    if (found === undefined) continue;
    const door = await openDoor(docker, found.id, found.ports.get(wanted) ?? wanted);
    doors.push(door);
    origins[origin] = door.origin;
  }
  return {
    components: { ...components, ...databases },
    containers: Object.fromEntries(running.map(({ id, service }) => [service, id])),
    origins,
  };
}

/** Some tables of a database lie under another name than the whole of it. */
function namesThere({ components }: System, name: string, drillId: string): Record<string, string> {
  const component = components.find((one) => one.name === name);
  if (component?.kind !== 'postgres' || component.method !== 'dump' || component.tables.length === 0) return {};
  return Object.fromEntries(component.databases.map((database) => [database, besideName(database, drillId)]));
}

async function containersOf(
  docker: DockerHost,
  drillId: string,
): Promise<{ id: string; service: string; ports: Map<number, number>; databases: Map<string, number> }[]> {
  const { containers } = await docker.labelled(DRILL_LABEL, drillId);
  const facts = await Promise.all(containers.map((id) => docker.inspect(id)));
  return facts.flatMap((one) => {
    if (one?.state !== 'running') return [];
    const ports = new Map(pairsOf(one.labels[PORTS_LABEL]).map(([live, inside]) => [Number(live), Number(inside)]));
    const databases = new Map(pairsOf(one.labels[DATABASES_LABEL]).map(([name, port]) => [name, Number(port)]));
    return [{ id: one.id, service: one.labels[SERVICE_LABEL] ?? '', ports, databases }];
  });
}

function pairsOf(text = ''): [string, string][] {
  return text.split(',').flatMap((pair): [string, string][] => {
    const [left, right] = pair.split('=');
    return left === undefined || right === undefined ? [] : [[left, right]];
  });
}
