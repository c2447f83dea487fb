/** What drills left that no run will remove any more: before the next drill, and when a worker starts. */
import { stat } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { listFiles, removeHalfWritten } from '../../docker/durable-file.ts';
import { log } from '../../observe/log.ts';
import { listSystems } from '../../system/index.ts';
import type { System } from '../../system/types.ts';
import type { HostContext } from '../host-context.ts';
import { askerOf, type Asker, type Run } from '../shell.ts';
import { drillsDirectory } from './places.ts';
import { clearDrill, readNote } from './scratch.ts';

/** A run of another engine may still be one; after so long it is taken to be over. */
const ELSEWHERE_MS = 24 * 3600 * 1000;
/** A note is written in milliseconds. */
const HALF_WRITTEN_MS = 3600 * 1000;

/** Whose run the engine knows as over. What can't be removed now is told and left. */
export async function clearLeft(context: HostContext, system: System, run: Run): Promise<string[]> {
  const { asker } = run;
  if (asker === undefined) return [];
  const cleared: string[] = [];
  await removeHalfWritten(drillsDirectory(context.stateDirectory(system.name)), { olderThanMs: HALF_WRITTEN_MS });
  for (const file of await listFiles(drillsDirectory(context.stateDirectory(system.name)), '.json')) {
    const found = await readNote(file);
    if (found === undefined || !(await isOver(asker, found, (await stat(file)).mtimeMs))) continue;
    const { drillId } = found;
    try {
      await clearDrill(context, { system: system.name, drillId }, run);
      cleared.push(drillId);
    } catch (error) {
      run.signal.throwIfAborted();
      run.log.warn({ err: error, drill: drillId }, 'what a drill left could not be removed');
    }
  }
  return cleared;
}

type Noted = NonNullable<Awaited<ReturnType<typeof readNote>>>;

async function isOver(asker: Asker, { workflowId, runId, engine }: Noted, sinceMs: number): Promise<boolean> {
  if (runId === asker.execution.runId || (await asker.stillRuns({ workflowId, runId }))) return false;
  return engine === (await asker.engineId()) || Date.now() - sinceMs > ELSEWHERE_MS;
}

/** For every system known here. */
export async function clearLeftDrills(context: HostContext, client: Client, signal: AbortSignal): Promise<string[]> {
  const nobody = { workflowId: '', runId: '' };
  const asker = askerOf(nobody, () => client);
  const run: Run = { signal, report: () => undefined, attempt: 1, log: log('worker'), asker };
  const cleared: string[] = [];
  for (const { name } of await listSystems()) {
    if ((await listFiles(drillsDirectory(context.stateDirectory(name)), '.json')).length === 0) continue;
    cleared.push(...(await clearLeft(context, await context.system(name), run)));
  }
  return cleared;
}
