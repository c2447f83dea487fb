/**
 * What runs that were terminated or given up have left on this host, and what restores have kept aside for long enough: it
 * goes with the next run on the same component, and what they have left shut is opened before it. Nothing is touched of
 * which it is not written down whose it is, whose run the engine does not know as over, or that a step still works on.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { listFiles, readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { hostLock, patientHostLock } from '../docker/host-lock.ts';
import { kindOf } from '../sources/kinds/index.ts';
import type { KeptAside } from '../sources/kinds/component.ts';
import { discardMissing } from '../sources/missing/bring.ts';
import { missingIds } from '../sources/missing/files.ts';
import { clearAsideOf } from '../sources/missing/put-back.ts';
import { restoresLeft } from '../sources/restores-left.ts';
import { leftOfRows, rowsOf } from '../sources/rows/index.ts';
import type { Component, System } from '../system/types.ts';
import { tellDone } from './audit.ts';
import type { HostContext } from './host-context.ts';
import { besideOf, keptAsideOf, removeAside } from './kept-aside.ts';
import type { Run } from './shell.ts';

/** On disk: which run of which workflow makes something. */
const note = z.object({
  format: z.literal(1),
  id: z.string(),
  component: z.string(),
  workflowId: z.string(),
  runId: z.string(),
  /** Of the engine that the run is in; notes of earlier versions have none. */
  engine: z.string().optional(),
});

type Note = z.infer<typeof note>;

/** Who makes what is named after `id`, and of which component it is. */
export interface Making {
  readonly system: string;
  readonly component: string;
  readonly id: string;
}

/** To be called before anything is made. Repeatable. */
export async function noteRun(context: HostContext, making: Making, { asker, log }: Run): Promise<void> {
  if (asker === undefined) return;
  const { id, component } = making;
  const engine = await asker.engineId().catch((error: unknown) => {
    log.warn({ err: error }, 'the engine does not tell which one it is');
    return undefined;
  });
  await writeDurably(noteOf(context, making), { format: 1, id, component, ...asker.execution, engine });
}

/**
 * Runs one step of what is made alone on this host: an earlier attempt may still be at work after the engine gave it up,
 * and a copy must not be removed while its name is exchanged with the live one's. Throws HostBusy when that takes long.
 */
export async function alone<T>(
  context: HostContext,
  making: Making,
  { signal }: Pick<Run, 'signal'>,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await patientHostLock(lockOf(context, making), signal);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** The kernel frees it when the process dies that works on it. */
function lockOf(context: HostContext, { system, component, id }: Making): string {
  return `what ${id} makes of ${component} in ${context.stateDirectory(system)}`;
}

/** What was made is gone, or is somebody's to keep. */
export async function forgetRun(context: HostContext, making: Making): Promise<void> {
  await removeDurably(noteOf(context, making));
}

/** It costs space only: what can't be removed now is told in the log, and tried again by the next run. */
export async function clearLeftovers(
  context: HostContext,
  system: System,
  component: Component,
  run: Run,
): Promise<void> {
  try {
    await clearAbandoned(context, system, component, run);
    await clearAsides(context, system, component, run);
  } catch (error) {
    run.signal.throwIfAborted();
    run.log.warn({ err: error, component: component.name }, 'what earlier runs left could not be looked at');
  }
}

/**
 * To be called before a component is captured: what a restore that is over has left shut, stopped or without its name is
 * as it was before that restore. What can't be done now is told in the log.
 */
export async function reopenLeft(context: HostContext, system: System, component: Component, run: Run): Promise<void> {
  try {
    for (const path of await notesOf(context, system)) {
      const found = await readNote(path, component);
      if (found === undefined || (await endOf(found, run)) === 'open') continue;
      const making = { system: system.name, component: component.name, id: found.id };
      await attempt(component, `nothing is left shut by the run ${found.id}`, run, () =>
        lockedAtOnce(context, making, run, () => reopen(context, system, component, found.id, run)),
      );
    }
  } catch (error) {
    run.signal.throwIfAborted();
    run.log.warn({ err: error, component: component.name }, 'what earlier runs left shut could not be looked at');
  }
}

async function reopen(context: HostContext, system: System, component: Component, id: string, run: Run): Promise<void> {
  const kindContext = context.kindContext(system, run);
  const restores = await restoresLeft(kindContext.stateDirectory, component.name);
  if (!restores.some(({ restoreId, state }) => restoreId === id && state === 'unfinished')) return;
  await kindOf(component.kind).reopen?.(component, besideOf(component, id), kindContext);
}

async function clearAbandoned(context: HostContext, system: System, component: Component, run: Run): Promise<void> {
  for (const path of await notesOf(context, system)) {
    const found = await readNote(path, component);
    if (found === undefined) continue;
    const end = await endOf(found, run);
    if (end === 'open') continue;
    // Somebody may look for what an engine made that is not this one.
    const youngMs = Date.now() - system.keepAsideSeconds * 1000;
    if (end === 'unknown' && (await stat(path)).mtimeMs > youngMs) continue;
    const { id } = found;
    const making = { system: system.name, component: component.name, id };
    await attempt(component, `removed: the run ${id}`, run, () =>
      lockedAtOnce(context, making, run, async () => {
        await reopen(context, system, component, id, run);
        await removeMade(context, system, component, id, run);
        await removeDurably(path);
      }),
    );
  }
}

/** Nothing is touched that a step still works on. */
async function lockedAtOnce(
  context: HostContext,
  making: Making,
  { signal }: Run,
  work: () => Promise<void>,
): Promise<void> {
  const lock = await hostLock(lockOf(context, making), signal);
  try {
    await work();
  } finally {
    await lock.release();
  }
}

async function removeMade(
  context: HostContext,
  system: System,
  component: Component,
  id: string,
  run: Run,
): Promise<void> {
  const kindContext = context.kindContext(system, run);
  const rows = await leftOfRows(kindContext.stateDirectory, id);
  if (rows !== undefined && !rows.keep) {
    await rowsOf(component).discard(component, { rowsId: id }, rows.mayHaveWritten, kindContext);
  }
  if ((await missingIds(kindContext.stateDirectory)).includes(id)) await discardMissing(kindContext, id, true);
  const restores = await restoresLeft(kindContext.stateDirectory, component.name);
  if (restores.some(({ restoreId, state }) => restoreId === id && state === 'unfinished')) {
    await kindOf(component.kind).discard(component, besideOf(component, id), kindContext);
  }
  await kindOf(component.kind).discardLeft?.(component, id, kindContext);
}

/** The old state after a restore stays for `keepAside`. */
async function clearAsides(context: HostContext, system: System, component: Component, run: Run): Promise<void> {
  const kindContext = context.kindContext(system, run);
  const dueMs = Date.now() - system.keepAsideSeconds * 1000;
  for (const id of await missingIds(kindContext.stateDirectory)) {
    const making = { system: system.name, component: component.name, id };
    await lockedAtOnce(context, making, run, async () => {
      const gone = await clearAsideOf(kindContext, component.name, id, dueMs, (aside) =>
        tellRemoved(context, system, run, `files that ${id} replaced in ${component.name}, in ${aside}`),
      );
      if (gone !== undefined) run.log.info({ component: component.name, aside: gone }, 'removed: replaced files');
    });
  }
  for (const kept of await keptAsideOf(component, kindContext)) {
    if (kept.sinceMs > dueMs) continue;
    await removeOld(context, system, component, kept, run);
  }
}

/** What has to stay, or can't be removed now, is told in the log. */
async function removeOld(
  context: HostContext,
  system: System,
  component: Component,
  kept: KeptAside,
  run: Run,
): Promise<void> {
  const { restoreId, place } = kept;
  const making = { system: system.name, component: component.name, id: restoreId };
  const how = {
    keepSeconds: system.keepAsideSeconds,
    // Told first: what nobody could tell of stays for the next run.
    tell: () =>
      tellRemoved(context, system, run, `what the restore ${restoreId} kept aside of ${component.name}: ${place}`),
  };
  await attempt(component, `looked at: what the restore ${restoreId} kept aside`, run, () =>
    lockedAtOnce(context, making, run, async () => {
      const decision = await removeAside(component, kept, how, context.kindContext(system, run));
      if (decision.goes) run.log.info({ component: component.name, place }, 'removed: what a restore kept aside');
      else run.log.warn({ component: component.name, place, why: decision.why }, 'what a restore kept aside stays');
    }),
  );
}

function tellRemoved(context: HostContext, system: System, run: Run, about: string): Promise<void> {
  return tellDone(context, system, { operation: 'kept aside', outcome: 'removed', about }, run);
}

async function attempt(component: Component, what: string, run: Run, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    run.log.info({ component: component.name }, what);
  } catch (error) {
    run.signal.throwIfAborted();
    run.log.warn({ err: error, component: component.name }, `not done: ${what}`);
  }
}

/**
 * `open`: it runs, is this one, or nobody can be asked. `unknown`: it was in another engine, or in one whose database is
 * gone, so that no engine that can be asked knows how it ended.
 */
async function endOf({ workflowId, runId, engine }: Note, { asker }: Run): Promise<'open' | 'over' | 'unknown'> {
  if (asker === undefined || asker.execution.runId === runId) return 'open';
  if (await asker.stillRuns({ workflowId, runId })) return 'open';
  return engine === undefined || engine === (await asker.engineId()) ? 'over' : 'unknown';
}

/** Runs that have begun to make something of the component, which neither they nor a later one has removed. */
export async function notedRuns(
  context: HostContext,
  system: System,
  component: Component,
): Promise<{ id: string; sinceMs: number }[]> {
  const runs: { id: string; sinceMs: number }[] = [];
  for (const path of await notesOf(context, system)) {
    const found = await readNote(path, component);
    if (found !== undefined) runs.push({ id: found.id, sinceMs: (await stat(path)).mtimeMs });
  }
  return runs;
}

async function readNote(path: string, component: Component): Promise<Note | undefined> {
  const found = note.safeParse(await readJson(path));
  return found.success && found.data.component === component.name ? found.data : undefined;
}

function notesOf(context: HostContext, system: System): Promise<string[]> {
  return listFiles(directoryOf(context, system.name), '.json');
}

function directoryOf(context: HostContext, system: string): string {
  return path.join(context.stateDirectory(system), 'runs');
}

function noteOf(context: HostContext, { system, component, id }: Making): string {
  return path.join(directoryOf(context, system), `${id}-${component}.json`.replaceAll(/[^\w.-]/g, '_'));
}
