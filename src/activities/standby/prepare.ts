/** The edges of restoring ahead on one host: nothing else may hold or start the stack between them. */
import { HoldfastError } from '../../failures.ts';
import { holdStack, releaseStack } from '../../sites/holds.ts';
import {
  forgetPrepared,
  forgetPreparing,
  readPrepared,
  readPreparing,
  writePrepared,
  writePreparing,
  type PreparingFile,
} from '../../sites/prepared-file.ts';
import { siteStanding } from '../../sites/standing.ts';
import { isUp } from '../../sites/system-containers.ts';
import type { System } from '../../system/types.ts';
import { componentOf, type HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { serverIn } from '../stack-servers.ts';
import type { PrepareBegun, StandbyActivities } from '../standby-types.ts';
import { lookStandby, seenNow, stackHere } from './look.ts';

type Input<A extends keyof StandbyActivities> = Parameters<StandbyActivities[A]>[0];

const STOP_SECONDS = 60;

export async function beginPrepare(
  context: HostContext,
  input: Input<'beginPrepare'>,
  run: Run,
): Promise<PrepareBegun> {
  const system = await context.system(input.system);
  const { restoreId } = input;
  const known = await readPreparing(system.name);
  if (known?.restoreId === restoreId) {
    await forgetPrepared(system.name);
    return { former: known.former, servers: await serversDown(context, system, input.components) };
  }
  // Before the look: what would start the stack after it waits.
  await holdStack(system.name, restoreId, run.asker?.execution);
  try {
    const standing = await siteStanding(system, { signal: run.signal });
    const { refused, prepared } = await lookStandby(context, input, run);
    if (refused !== undefined || standing.kind !== 'elsewhere') {
      throw new HoldfastError('NotStandby', `${system.name} is not restored ahead: ${refused ?? standing.kind}`);
    }
    const before = await readPrepared(system.name);
    const former = prepared.map(({ name }) => name);
    const restoreIds = [...(prepared.length === 0 ? [] : (before?.restoreIds ?? [])), restoreId];
    await writePreparing(system.name, { restoreId, generation: standing.n, former, restoreIds });
    await forgetPrepared(system.name);
    return { former, servers: await serversDown(context, system, input.components) };
  } catch (error) {
    if ((await readPreparing(system.name))?.restoreId !== restoreId) await releaseStack(system.name, restoreId);
    throw error;
  }
}

/** Dumps whose server is a container of the stack, which is there and down. */
async function serversDown(context: HostContext, system: System, names: readonly string[]): Promise<string[]> {
  const dumps = names.map((name) => componentOf(system, name)).filter((one) => one.kind === 'postgres');
  if (dumps.length === 0) return [];
  const stack = await stackHere(context, system, names);
  const down: string[] = [];
  for (const dump of dumps) {
    if (dump.method !== 'dump') continue;
    const servers = await serverIn(context.docker(), stack, dump.server);
    if (servers.length > 0 && !servers.some(isUp)) down.push(dump.name);
  }
  return down;
}

export async function endPrepare(
  context: HostContext,
  input: Input<'endPrepare'>,
  run: Run,
): Promise<{ void?: string }> {
  const system = await context.system(input.system);
  const { restoreId, parts } = input;
  const preparing = await readPreparing(system.name);
  let why: string | undefined;
  if (preparing?.restoreId === restoreId) {
    await stopAgain(context, system, input);
    why = parts.length === 0 ? 'nothing was restored' : await settle(context, system, { input, preparing }, run);
    await forgetPreparing(system.name);
  }
  await releaseStack(system.name, restoreId);
  return why === undefined ? {} : { void: why };
}

async function stopAgain(
  context: HostContext,
  system: System,
  { components, stop }: Pick<Input<'endPrepare'>, 'components' | 'stop'>,
): Promise<void> {
  if (stop.length === 0) return;
  for (const { id, name } of (await stackHere(context, system, components)).filter(isUp)) {
    if (stop.includes(name)) await context.docker().stop(id, STOP_SECONDS);
  }
}

/** What is looked at last is what counts: whoever has touched anything meanwhile keeps it from being prepared. */
async function settle(
  context: HostContext,
  system: System,
  { input, preparing }: { input: Input<'endPrepare'>; preparing: PreparingFile },
  run: Run,
): Promise<string | undefined> {
  const { parts } = input;
  const { generation, restoreIds } = preparing;
  const standing = await siteStanding(system, { signal: run.signal });
  if (standing.kind !== 'elsewhere' || standing.n !== generation) return `the site is ${standing.kind} by now`;
  const { running, marks, containers } = await seenNow(
    context,
    system,
    parts.map(({ name }) => name),
    run,
  );
  if (running.length > 0) return `something of the stack runs by now: ${running.join(', ')}`;
  const at = new Date().toISOString();
  await writePrepared(system.name, { generation, at, parts: [...parts], marks, containers, restoreIds });
  return undefined;
}
