/**
 * What a drill makes on a host, and its removal. A note says whose it is before anything is made: what has no note is not
 * made, and what a note names goes with the drill, or with the next one when its run is over.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJson, removeDurably, removeHalfWritten, writeDurably } from '../../docker/durable-file.ts';
import { HoldfastError } from '../../failures.ts';
import type { Beside, CheckReport, KindContext } from '../../sources/kinds/component.ts';
import { kindOf } from '../../sources/kinds/index.ts';
import { singleFileOf } from '../../sources/kinds/files.ts';
import { DRILL_LABEL } from '../../sources/kinds/volume-place.ts';
import type { Component, System } from '../../system/types.ts';
import { componentOf, type HostContext } from '../host-context.ts';
import { alone, forgetRun } from '../leftovers.ts';
import { checkBeside, restoreBeside } from '../restore.ts';
import type { Run } from '../shell.ts';
import type { HostActivities } from '../types.ts';
import { askServer } from './judged.ts';
import { asLive, drillDirectory, imagesNote, leavePlace, makeRoom, scratchTarget } from './places.ts';
import { withIsolatedServer } from './server.ts';

type Input<A extends keyof HostActivities> = Parameters<HostActivities[A]>[0];

const note = z.object({
  format: z.literal(1),
  drillId: z.string(),
  workflowId: z.string(),
  runId: z.string(),
  /** Of the engine that the run is in. */
  engine: z.string().optional(),
  /** Nothing more is made. */
  isOver: z.boolean(),
});
type Note = z.infer<typeof note>;

const CLEAR_LIMIT_MS = 10 * 60_000;

function noteOf(context: HostContext, system: string, drillId: string): string {
  return `${drillDirectory(context.stateDirectory(system), drillId)}.json`;
}

export async function readNote(file: string): Promise<Note | undefined> {
  const found = note.safeParse(await readJson(file));
  return found.success ? found.data : undefined;
}

export async function beginDrill(
  context: HostContext,
  { system: name, drillId }: Input<'beginDrill'>,
  run: Run,
): Promise<void> {
  const file = noteOf(context, name, drillId);
  if ((await readNote(file))?.isOver === true) throw tooLate(drillId);
  const execution = run.asker?.execution ?? { workflowId: '', runId: drillId };
  const engine = await run.asker?.engineId();
  await writeDurably(file, { format: 1, drillId, ...execution, engine, isOver: false });
  await mkdir(drillDirectory(context.stateDirectory(name), drillId), { recursive: true, mode: 0o700 });
}

export async function restoreScratch(context: HostContext, input: Input<'restoreScratch'>, run: Run): Promise<Beside> {
  const { system: name, drillId, store, manifestKey, component, stack } = input;
  const system = await context.system(name);
  const stateDirectory = context.stateDirectory(name);
  const part = componentOf(system, component);
  const target = scratchTarget(part, stateDirectory, drillId);
  const file = target?.startsWith('/') === true ? target : undefined;
  if (file !== undefined) await makeRoom(file, stateDirectory, drillId);
  const place = target === undefined ? {} : { target };
  const order = { system: name, store, manifestKey, component, paths: [], restoreId: drillId, drill: drillId };
  const bring = async (extra: Partial<KindContext>): Promise<Beside> => {
    const beside = await restoreBeside(context, { ...order, verify: true, ...place }, run, extra);
    if (part.kind !== 'files') return beside;
    const isFile = (await singleFileOf(part, drillId, stateDirectory)) !== undefined;
    await leavePlace(asLive(stateDirectory, drillId, part.path), stateDirectory, drillId, isFile);
    return beside;
  };
  return whileOpen(context, input, run, () =>
    stack === undefined
      ? bring({ onScratchServer: askingServer(context, system, component, run) })
      : withIsolatedServer(context, { stack, component }, run, (ownServer) => bring({ ownServer })),
  );
}

export async function checkScratch(context: HostContext, input: Input<'checkScratch'>, run: Run): Promise<CheckReport> {
  const { system: name, drillId, beside } = input;
  await mustBeOpen(context, name, drillId);
  const system = await context.system(name);
  const asking = { onScratchServer: askingServer(context, system, beside.component, run) };
  return checkBeside(context, { system: name, beside }, run, asking);
}

function askingServer(
  context: HostContext,
  system: System,
  component: string,
  run: Run,
): NonNullable<KindContext['onScratchServer']> {
  return (there) => askServer(context, system, component, there, run);
}

/**
 * Nothing is made for a drill that is over. An attempt that was given up may end after the drill was cleared: then what it
 * made goes. Throws PlanChanged.
 */
export async function whileOpen<T>(
  context: HostContext,
  { system: name, drillId }: { readonly system: string; readonly drillId: string },
  run: Run,
  work: () => Promise<T>,
): Promise<T> {
  await mustBeOpen(context, name, drillId);
  try {
    const made = await work();
    await mustBeOpen(context, name, drillId);
    return made;
  } catch (error) {
    if (await isOpen(context, name, drillId)) throw error;
    await clear(context, await context.system(name), drillId, { ...run, signal: AbortSignal.timeout(CLEAR_LIMIT_MS) });
    throw error;
  }
}

/** Throws PlanChanged when the drill is over. */
export async function mustBeOpen(context: HostContext, system: string, drillId: string): Promise<void> {
  if (!(await isOpen(context, system, drillId))) throw tooLate(drillId);
}

async function isOpen(context: HostContext, system: string, drillId: string): Promise<boolean> {
  return (await readNote(noteOf(context, system, drillId)))?.isOver === false;
}

function tooLate(drillId: string): HoldfastError {
  return new HoldfastError('PlanChanged', `the drill ${drillId} is over, so nothing more is made for it`);
}

/** Repeatable; one of which nothing is here does nothing. */
export async function clearDrill(
  context: HostContext,
  { system: name, drillId }: Input<'clearDrill'>,
  run: Run,
): Promise<void> {
  const system = await context.system(name);
  const file = noteOf(context, name, drillId);
  const found = await readNote(file);
  if (found === undefined) return;
  await writeDurably(file, { ...found, isOver: true });
  await clear(context, system, drillId, run);
}

async function clear(context: HostContext, system: System, drillId: string, run: Run): Promise<void> {
  run.report({ phase: 'remove what the drill made' });
  const own = system.components.filter(({ host }) => host === context.host);
  const usesDocker = own.some(({ kind }) => kind === 'volume' || kind === 'compose');
  if (usesDocker) await clearContainers(context, drillId);
  for (const component of own) {
    const making = { system: system.name, component: component.name, id: drillId };
    await alone(context, making, run, () => clearComponent(context, system, component, drillId, run));
    await forgetRun(context, making);
  }
  if (usesDocker) {
    // Whoever was still at work has ended by now.
    await clearContainers(context, drillId);
    await clearVolumes(context, drillId);
    await clearImages(context, system.name, drillId);
  }
  await rm(drillDirectory(context.stateDirectory(system.name), drillId), { recursive: true, force: true });
  const file = noteOf(context, system.name, drillId);
  await removeHalfWritten(path.dirname(file), { of: file });
  await removeDurably(file);
}

async function clearComponent(
  context: HostContext,
  system: System,
  component: Component,
  drillId: string,
  run: Run,
): Promise<void> {
  const stateDirectory = context.stateDirectory(system.name);
  const target = scratchTarget(component, stateDirectory, drillId);
  // A project's files have no record of their own: they lie in the drill's directory, which goes as a whole.
  if (component.kind === 'compose') return;
  const beside = { component: component.name, restoreId: drillId, place: target ?? '', facts: { elsewhere: true } };
  await kindOf(component.kind).discard(component, beside, context.kindContext(system, run));
}

/** Networks, too, unless containers of these names stay. */
export async function clearContainers(
  context: HostContext,
  drillId: string,
  { except = [] }: { readonly except?: readonly string[] } = {},
): Promise<void> {
  const docker = context.docker();
  const { containers, networks } = await docker.labelled(DRILL_LABEL, drillId);
  for (const id of containers) {
    const facts = await docker.inspect(id);
    if (facts !== undefined && !except.includes(facts.name)) await docker.removeContainer(id);
  }
  if (except.length > 0) return;
  for (const id of networks) await docker.removeNetwork(id);
}

/** Also those of components that the system file does not name any more, and those of the project alone. */
async function clearVolumes(context: HostContext, drillId: string): Promise<void> {
  const docker = context.docker();
  for (const name of (await docker.labelled(DRILL_LABEL, drillId)).volumes) await docker.removeVolume(name);
}

const images = z.object({ format: z.literal(1), loaded: z.array(z.string()) });

/** What something else uses by now stays. */
async function clearImages(context: HostContext, system: string, drillId: string): Promise<void> {
  const found = images.safeParse(await readJson(imagesNote(context.stateDirectory(system), drillId)));
  for (const reference of found.data?.loaded ?? []) await context.docker().removeImage(reference);
}
