/** The restored cluster takes the place of the live one: the server stopped, the directories exchanged, started again. */
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import { postmasterOf } from '../../postgres/pid-file.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { Beside, KindContext } from '../kinds/component.ts';
import { exists, type Replacement, type ReplacementRecord } from '../replacement.ts';
import { COPY, replacementOf } from './restore.ts';
import { ServerInContainer, ServerOfDirectory, type ClusterServer } from './service.ts';

export async function swapClusterIn(
  component: PostgresBaseComponent,
  beside: Beside,
  context: KindContext,
): Promise<void> {
  const replacement = replacementOf(component, beside.restoreId, context);
  const { live, work, elsewhere } = await replacement.known();
  if (elsewhere !== null) return;
  const copy = join(work, COPY);
  const server = serverOf(component, live, beside, context);
  const swap = await replacement.swap();
  // A repeat after the exchange finds the new state live, and perhaps its server running.
  if (swap === undefined || (await swap.isOld(live))) {
    await server.stop(context.signal);
    await mustBeFree(copy);
    await replacement.swapIn(() => Promise.resolve([{ live, beside: copy }]));
    // One that was started in between works in the old directory, which is beside by now.
    await serverOf(component, copy, beside, context).mustBeStopped();
  } else await replacement.swapIn(() => Promise.resolve([{ live, beside: copy }]));
  await server.startAgain(context.signal);
}

/** What was restored, and perhaps written to since, is beside again. */
export async function swapClusterBack(
  component: PostgresBaseComponent,
  beside: Beside,
  context: KindContext,
): Promise<void> {
  const inPlace = await recordInPlace(component, beside, context);
  if (inPlace === undefined) return;
  const { replacement, record } = inPlace;
  const server = serverOf(component, record.live, beside, context);
  const swap = await replacement.swap();
  if (swap !== undefined && !(await swap.untouched())) {
    await server.stop(context.signal);
    await swap.undo();
  }
  await server.startAgain(context.signal);
}

/** For a run that is over. Its new state, once it is live, is left alone, whether its server runs or not. */
export async function reopenCluster(
  component: PostgresBaseComponent,
  beside: Beside,
  context: KindContext,
): Promise<void> {
  const inPlace = await recordInPlace(component, beside, context);
  if (inPlace === undefined || (await isNewLive(inPlace))) return;
  await swapClusterBack(component, beside, context);
}

export async function commitCluster(
  component: PostgresBaseComponent,
  beside: Beside,
  options: { readonly keep: boolean },
  context: KindContext,
): Promise<{ aside?: string }> {
  const replacement = replacementOf(component, beside.restoreId, context);
  const record = await replacement.record();
  if (record !== undefined && !options.keep) await mustBeFree(join(replacement.asideOf(record), COPY));
  const kept = await replacement.commit(options.keep);
  if (record !== undefined) await serverOf(component, record.live, beside, context).forget();
  return kept;
}

export async function discardCluster(
  component: PostgresBaseComponent,
  beside: Beside,
  context: KindContext,
): Promise<void> {
  const replacement = replacementOf(component, beside.restoreId, context);
  const record = await replacement.record();
  if (record !== undefined) await mustBeFree(record.elsewhere ?? join(record.work, COPY));
  await replacement.discard();
  if (record !== undefined) await serverOf(component, record.live, beside, context).forget();
}

async function isNewLive({ replacement, record: { live } }: InPlace): Promise<boolean> {
  const swap = await replacement.swap();
  return swap !== undefined && !(await swap.isOld(live)) && (await exists(live));
}

interface InPlace {
  readonly replacement: Replacement;
  readonly record: ReplacementRecord;
}

/** Undefined where nothing was restored, or elsewhere: nothing live is concerned then. */
async function recordInPlace(
  component: PostgresBaseComponent,
  beside: Beside,
  context: KindContext,
): Promise<InPlace | undefined> {
  const replacement = replacementOf(component, beside.restoreId, context);
  const record = await replacement.record();
  return record === undefined || record.elsewhere !== null ? undefined : { replacement, record };
}

function serverOf(
  component: PostgresBaseComponent,
  directory: string,
  beside: Beside,
  context: KindContext,
): ClusterServer {
  if (component.server.tools.kind !== 'host') return new ServerInContainer(component, context.docker());
  return new ServerOfDirectory(directory, context.stateDirectory, `${beside.restoreId}-${component.name}`);
}

/** Somebody who looks at the copy with a server of their own. */
async function mustBeFree(directory: string): Promise<void> {
  const pid = await postmasterOf(directory);
  if (pid !== undefined) throw new HoldfastError('VolumeInUse', `A server runs on ${directory} (process ${pid})`);
}
