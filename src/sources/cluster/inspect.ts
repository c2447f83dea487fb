/** What of a cluster is there now: by its data directory where that is declared, else by asking the server. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../failures.ts';
import { withPostgres } from '../../postgres/open.ts';
import { postmasterOf } from '../../postgres/pid-file.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { KindContext, LiveState } from '../kinds/component.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import { directoryInContainer, runningContainers } from './container-place.ts';

const START_LIMIT_MS = 60_000;
const POLL_MS = 250;

/** A server that is stopped is no problem: that is how a restore in place finds it. One that runs has to answer. */
export async function inspectCluster(component: PostgresBaseComponent, context: KindContext): Promise<LiveState> {
  const usedBy = component.usedBy;
  const inContainer = component.server.tools.kind !== 'host';
  const dataDirectory = component.dataDirectory ?? (inContainer ? await inItsContainer(component, context) : undefined);
  if (dataDirectory === undefined) {
    const problem = await unreachable(component, context);
    return { exists: problem === undefined, usedBy, problems: problem === undefined ? [] : [problem] };
  }
  try {
    const changed = await changedAt(dataDirectory);
    if (changed === undefined) return { exists: false, usedBy, problems: [] };
    const problem = inContainer
      ? await problemInContainer(component, context)
      : (await postmasterOf(dataDirectory)) === undefined
        ? undefined
        : await unreachable(component, context);
    return { exists: true, newestChangeMs: changed, usedBy, problems: problem === undefined ? [] : [problem] };
  } catch (error) {
    context.signal.throwIfAborted();
    return { exists: true, usedBy, problems: [failureOf(error, `look at ${dataDirectory}`).message] };
  }
}

/** Undefined where it can't be told: then the server is asked. */
async function inItsContainer(component: PostgresBaseComponent, context: KindContext): Promise<string | undefined> {
  try {
    return await directoryInContainer(component, context.docker());
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

/** A container that was just started runs before its server answers. */
async function problemInContainer(component: PostgresBaseComponent, context: KindContext): Promise<string | undefined> {
  for (;;) {
    const [container] = await runningContainers(component, context.docker());
    const problem = container === undefined ? undefined : await unreachable(component, context);
    const until = Date.parse(container?.startedAt ?? '') + START_LIMIT_MS;
    if (problem === undefined || !(Date.now() < until)) return problem;
    await delay(POLL_MS, undefined, { signal: context.signal });
  }
}

/** When pg_control was written last: at the newest checkpoint. Undefined when there is no cluster. */
async function changedAt(dataDirectory: string): Promise<number | undefined> {
  try {
    return (await lstat(join(dataDirectory, 'global/pg_control'))).mtimeMs;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function unreachable(component: PostgresBaseComponent, context: KindContext): Promise<string | undefined> {
  try {
    await withPostgres(component.server, 'backup', context, (access) => access.facts(context.signal));
    return undefined;
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof HoldfastError) return error.message;
    throw error;
  }
}
