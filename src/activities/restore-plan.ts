/** What a restore would do, in words and actions that a person can approve. Changes nothing. */
import { HoldfastError } from '../failures.ts';
import { planDigest } from '../policy/digest.ts';
import { restoreOrder } from '../policy/order.ts';
import { restoreWarnings } from '../policy/restore-warnings.ts';
import { kindOf } from '../sources/kinds/index.ts';
import type { LiveState } from '../sources/kinds/component.ts';
import { requireMayReplace } from '../sites/standing.ts';
import type { Component, System } from '../system/types.ts';
import type { ManifestBody } from '../vault/types.ts';
import type { PlanAction, RestorePlan } from '../workflows/contract.ts';
import { listOf } from '../workflows/lists.ts';
import type { LateServer } from '../workflows/restore-late-contract.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { frozenOf } from './cold.ts';
import { databasesOf, placeOfServer, refuseTablesOnly, wordsOf } from './plan-databases.ts';
import type { Run } from './shell.ts';
import { concernsDocker, needsDocker, stackOf } from './stack.ts';
import type { HostActivities, LiveThere } from './types.ts';
import { unitNames } from './units.ts';
import { lateServers } from './late-servers.ts';
import { planWhole } from './whole-plan.ts';
import { findRecoveryPoint, type RecoveryPoint } from './recovery-point.ts';
import { findEntry, type Found } from './verify.ts';

export interface Seen {
  readonly component: Component;
  readonly live: Pick<LiveState, 'exists' | 'newestChangeMs' | 'problems'>;
  readonly sizeBytes: number;
  /** Of a PostgreSQL dump. */
  readonly databases: readonly string[] | undefined;
}

type Asked = Parameters<HostActivities['planRestore']>[0];

export async function lookAtLive(
  context: HostContext,
  asked: Parameters<HostActivities['lookAtLive']>[0],
  run: Run,
): Promise<LiveThere> {
  const system = await context.system(asked.system);
  const components = asked.components.map((name) => componentOf(system, name));
  return {
    host: context.host,
    components: await Promise.all(components.map((component) => stateOf(context, system, component, run))),
    stack: await namesOfStack(context, system, components, run.signal),
  };
}

async function stateOf(
  context: HostContext,
  system: System,
  component: Component,
  run: Run,
): Promise<LiveThere['components'][number]> {
  const live = await kindOf(component.kind).inspect(component, context.kindContext(system, run));
  const { exists, newestChangeMs, problems } = live;
  return { name: component.name, exists, problems, ...(newestChangeMs === undefined ? {} : { newestChangeMs }) };
}

export async function planRestore(context: HostContext, asked: Asked, run: Run): Promise<RestorePlan> {
  const system = await context.system(asked.system);
  const intoLive = asked.target === undefined && (asked.mode ?? 'restore') === 'restore';
  // A standby is judged by its own look, on each of its hosts.
  if (intoLive && asked.prepare !== true) {
    await requireMayReplace(system, { takeover: asked.takeover, signal: run.signal });
  }
  if (asked.whole === true) return planWhole(context, asked, run);
  const { store, entry, recovery } = await findPoint(context, system, asked, run.signal);
  if (!entry.trust.ok) throw new HoldfastError('Untrusted', `${entry.key}: ${entry.trust.why}`);
  refuseApart(entry, asked.apart === true);
  const { body } = entry;
  const paths = listOf(asked.paths);
  const wanted = recovery === undefined ? listOf(asked.components) : [recovery.component.name];
  const chosen = choose(system, body, wanted, paths);
  refuseTablesOnly(chosen.known, body, asked);
  const looked = await lookAround(context, system, asked, chosen.known, run);
  const target = asked.target;
  const from = chosen.known.map((component) => ({ component, store, manifestKey: entry.key }));
  const servers = target === undefined ? await lateServers(context, system, from, run) : [];
  const seen = chosen.known.map((component) => seenLate(seenOf(component, looked, body, paths), servers));

  const actions = target === undefined ? actionsInPlace(system, seen, looked, servers) : actionsElsewhere(seen, target);
  const recoverTo = recovery === undefined ? {} : { recoverTo: recovery.recoverTo };
  const plan = { backup: body.id, manifestKey: entry.key, store, actions, ...recoverTo };
  const pointAt = recovery?.pointAt ?? body.pointAt;
  const components = chosen.known.map(({ name }) => name);
  const thaw = asked.thaw === undefined ? {} : { thaw: asked.thaw };
  const frozen = await frozenOf(system, store, body, { components, ...thaw }, run);
  return {
    digest: planDigest({ system: system.name, ...plan, paths, ...(target === undefined ? {} : { target }) }),
    ...plan,
    pointAt,
    components: seen.map(({ component, live, sizeBytes }) => ({
      name: component.name,
      kind: component.kind,
      host: component.host,
      sizeBytes,
      liveExists: live.exists,
      ...(live.newestChangeMs === undefined ? {} : { liveChangedAt: new Date(live.newestChangeMs).toISOString() }),
    })),
    ...(target === undefined ? keptFor(system, seen) : {}),
    warnings: [
      ...chosen.warnings,
      ...(target === undefined ? restoreWarnings(seen, pointAt) : []),
      ...(target === undefined ? seen.flatMap(({ component }) => serverStop(component)) : []),
      ...(entry.notes ?? []),
      ...(recovery?.warnings ?? []),
    ],
    ...(servers.length === 0 ? {} : { servers }),
    ...(frozen === undefined ? {} : { frozen }),
    ageSeconds: Math.max(0, Math.round((Date.now() - Date.parse(pointAt)) / 1000)),
  };
}

/** By its id alone such a backup can be had, and only by who says that he means it. */
function refuseApart({ body, apart }: Found['entry'], meant: boolean): void {
  if (apart === undefined || meant) return;
  throw new HoldfastError('SiteFenced', `backup ${body.id} is apart: ${apart}`, {
    hint: 'It holds what a fenced site has written; --apart restores it all the same, and then other writes are lost.',
  });
}

/** A cluster is exchanged whole. */
export function serverStop(component: Component): string[] {
  if (component.kind !== 'postgres' || component.method !== 'base') return [];
  return [
    `${component.name}: the whole cluster is exchanged, with all its databases; a server that runs on it is stopped for that, and started again as it ran`,
  ];
}

type Point = Found & { readonly recovery?: RecoveryPoint };

async function findPoint(context: HostContext, system: System, asked: Asked, signal: AbortSignal): Promise<Point> {
  const { recoverTo } = asked;
  if (recoverTo === undefined) return findEntry(context, system, asked, signal);
  const recovery = await findRecoveryPoint(context, system, { ...asked, recoverTo }, signal);
  return { store: recovery.store, entry: recovery.entry, recovery };
}

function choose(
  system: System,
  body: ManifestBody,
  wanted: readonly string[],
  paths: readonly string[],
): { known: Component[]; warnings: string[] } {
  const inBackup = body.components.map(({ name }) => name);
  const absent = wanted.filter((name) => !inBackup.includes(name));
  if (absent.length > 0) {
    throw new HoldfastError('BadInput', `backup ${body.id} has no ${absent.join(', ')}; it has ${inBackup.join(', ')}`);
  }
  const names = wanted.length === 0 ? inBackup : wanted;
  if (paths.length > 0 && names.length !== 1) {
    throw new HoldfastError('BadInput', 'single paths belong to one component: name it in "components"');
  }
  const unknown = names.filter((name) => !system.components.some((component) => component.name === name));
  const known = system.components.filter(({ name }) => names.includes(name));
  if (known.length === 0) {
    throw new HoldfastError('BadInput', `the system file knows no component of backup ${body.id}: ${names.join(', ')}`);
  }
  const warnings = unknown.map((name) => `${name} is in the backup but not in the system file: it is not restored`);
  return { known: restoreOrder(known), warnings };
}

/** This host by its own eyes, the others by what they have told. */
export async function lookAround(
  context: HostContext,
  system: System,
  { target, seen = [] }: Asked,
  known: readonly Component[],
  run: Run,
): Promise<LiveThere[]> {
  const here = known.filter(({ host }) => host === context.host);
  const own: LiveThere = {
    host: context.host,
    components: await Promise.all(here.map((component) => stateOf(context, system, component, run))),
    // To another place nothing is stopped, so that the engine need not answer.
    stack: here.length === 0 || target !== undefined ? [] : await namesOfStack(context, system, here, run.signal),
  };
  return [own, ...seen.filter(({ host }) => host !== context.host)];
}

export function seenOf(
  component: Component,
  looked: readonly LiveThere[],
  body: ManifestBody,
  paths: readonly string[],
): Seen {
  const record = body.components.find(({ name }) => name === component.name);
  const sizeBytes = (record?.artifacts ?? []).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const there = looked.find(({ host }) => host === component.host);
  const live = there?.components.find(({ name }) => name === component.name);
  const problems = [`it lives on host ${component.host} and was not looked at from here`];
  const databases = databasesOf(component, record, paths);
  return { component, sizeBytes, databases, live: live ?? { exists: true, problems } };
}

/** On a machine that has none of it nothing is replaced. Not part of the digest: it is the same for every restore. */
export function keptFor({ keepAsideSeconds }: System, seen: readonly Seen[]): Pick<RestorePlan, 'keepAsideSeconds'> {
  return seen.some(({ live }) => live.exists) ? { keepAsideSeconds } : {};
}

/** Names and no states or ages: the digest must not change while a container restarts or a person reads. */
export function actionsInPlace(
  system: System,
  all: readonly Seen[],
  looked: readonly LiveThere[],
  servers: readonly LateServer[],
): PlanAction[] {
  const name = system.compose ?? system.name;
  const isLate = ({ component }: Seen): boolean => servers.some((one) => one.component === component.name);
  const seen = all.filter((one) => !isLate(one));
  const late = all.filter(isLate);
  const several = new Set(all.map(({ component }) => component.host)).size > 1;
  const around = (action: 'stop' | 'start'): PlanAction[] =>
    looked
      .filter(({ stack }) => stack.length > 0)
      .map(({ host, stack }) => ({ component: several ? `${name} on ${host}` : name, action, on: stack }));
  return [
    ...seen.map((one) => actionOn(one, 'restore')),
    ...around('stop'),
    ...seen.map((one) => actionOn(one, one.live.exists ? 'swap' : 'create')),
    ...startsOf(servers),
    ...late.flatMap((one) => [actionOn(one, 'restore'), actionOn(one, 'create')]),
    ...restOf(servers),
    ...around('start'),
  ];
}

/** What is dumped can only be put back into a server that is up, and what uses it comes after that. */
function startsOf(servers: readonly LateServer[]): PlanAction[] {
  const services = new Map(servers.map(({ stack, service }) => [`${stack} ${service}`, { stack, service }]));
  return [...services.values()].map(({ stack, service }) => ({
    component: stack,
    action: 'start',
    on: [`${service} alone, until it takes connections`],
  }));
}

function restOf(servers: readonly LateServer[]): PlanAction[] {
  const stacks = [...new Set(servers.map(({ stack }) => stack))];
  return stacks.map((component) => ({ component, action: 'start', on: ['everything else, in its order'] }));
}

/** Where there is no server yet, there is no database. */
export function seenLate(seen: Seen, servers: readonly LateServer[]): Seen {
  const isLate = servers.some(({ component }) => component === seen.component.name);
  return isLate ? { ...seen, live: { exists: false, problems: [] } } : seen;
}

function actionOn({ component, databases }: Seen, action: 'restore' | 'swap' | 'create'): PlanAction {
  const on = databases === undefined ? [placeOf(component)] : wordsOf(action, databases);
  return { component: component.name, action, on };
}

/** Those that a restore of components of this host stops and starts here. */
async function namesOfStack(
  context: HostContext,
  system: System,
  components: readonly Component[],
  signal: AbortSignal,
): Promise<string[]> {
  const units = await unitNames(system, context.host, signal);
  if (!concernsDocker(system, components)) return units;
  try {
    return [...units, ...(await stackOf(context.docker(), system, components)).map(({ name }) => name)];
  } catch (error) {
    const absent = error instanceof HoldfastError && error.code === 'DockerUnreachable';
    if (absent && !needsDocker(system, components)) return units;
    throw error;
  }
}

function actionsElsewhere(seen: readonly Seen[], target: string): PlanAction[] {
  return seen.map(({ component }) => ({ component: component.name, action: 'create', on: [target] }));
}

export function placeOf(component: Component): string {
  switch (component.kind) {
    case 'volume':
      return component.volume;
    case 'files':
    case 'sqlite':
      return component.path;
    case 'compose':
      return component.directory;
    case 'systemd':
      return `${component.units.join(', ')} (systemd reads them again)`;
    case 'postgres':
      return placeOfServer(component);
  }
}
