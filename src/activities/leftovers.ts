/**
 * What runs that were terminated or given up have left on this host, and what restores have kept aside for long enough: it
 * goes with the next run on the same component. Nothing is removed of which it is not written down whose it is, and the
 * engine asked whether that run is over.
 */
import path from 'node:path';
import { z } from 'zod';
import { listFiles, readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { kindOf } from '../sources/kinds/index.ts';
import type { Beside } from '../sources/kinds/component.ts';
import { restoresLeft } from '../sources/restores-left.ts';
import { leftOfRows, rowsOf } from '../sources/rows/index.ts';
import type { Component, System } from '../system/types.ts';
import type { HostContext } from './host-context.ts';
import type { Execution, Run } from './shell.ts';

/** On disk: which run of which workflow makes something. */
const note = z.object({
  format: z.literal(1),
  id: z.string(),
  component: z.string(),
  workflowId: z.string(),
  runId: z.string(),
});

/** Who makes what is named after `id`, and of which component it is. */
export interface Making {
  readonly system: string;
  readonly component: string;
  readonly id: string;
}

/** To be called before anything is made. Repeatable. */
export async function noteRun(context: HostContext, making: Making, { asker }: Run): Promise<void> {
  if (asker === undefined) return;
  const { id, component } = making;
  await writeDurably(noteOf(context, making), { format: 1, id, component, ...asker.execution });
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

async function clearAbandoned(context: HostContext, system: System, component: Component, run: Run): Promise<void> {
  for (const path of await listFiles(directoryOf(context, system.name), '.json')) {
    const found = note.safeParse(await readJson(path));
    if (!found.success || found.data.component !== component.name) continue;
    const { id } = found.data;
    if (!(await isOver(found.data, run))) continue;
    await attempt(component, `the run ${id}`, run, async () => {
      await removeMade(context, system, component, id, run);
      await removeDurably(path);
    });
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
  const restores = await restoresLeft(kindContext.stateDirectory, component.name);
  if (restores.some(({ restoreId, state }) => restoreId === id && state === 'unfinished')) {
    await kindOf(component.kind).discard(component, besideOf(component, id), kindContext);
  }
}

/** The old state after a restore stays for `keepAside`. */
async function clearAsides(context: HostContext, system: System, component: Component, run: Run): Promise<void> {
  const kindContext = context.kindContext(system, run);
  const dueMs = Date.now() - system.keepAsideSeconds * 1000;
  for (const { restoreId, state, sinceMs } of await restoresLeft(kindContext.stateDirectory, component.name)) {
    if (state !== 'aside' || sinceMs > dueMs) continue;
    await attempt(component, `what the restore ${restoreId} kept aside`, run, async () => {
      await kindOf(component.kind).commit(component, besideOf(component, restoreId), { keep: false }, kindContext);
    });
  }
}

async function attempt(component: Component, what: string, run: Run, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    run.log.info({ component: component.name }, `removed: ${what}`);
  } catch (error) {
    run.signal.throwIfAborted();
    run.log.warn({ err: error, component: component.name }, `not removed: ${what}`);
  }
}

/** False when it runs, is this one, or nobody can be asked. */
async function isOver({ workflowId, runId }: Execution, { asker }: Run): Promise<boolean> {
  if (asker === undefined || asker.execution.runId === runId) return false;
  return !(await asker.stillRuns({ workflowId, runId }));
}

/** Its records say all the rest. */
function besideOf({ name }: Component, restoreId: string): Beside {
  return { component: name, restoreId, place: '', facts: {} };
}

function directoryOf(context: HostContext, system: string): string {
  return path.join(context.stateDirectory(system), 'runs');
}

function noteOf(context: HostContext, { system, component, id }: Making): string {
  return path.join(directoryOf(context, system), `${id}-${component}.json`.replaceAll(/[^\w.-]/g, '_'));
}
