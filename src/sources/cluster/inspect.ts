/** What of a cluster is there now: by its data directory where that is declared, else by asking the server. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import { withPostgres } from '../../postgres/open.ts';
import { postmasterOf } from '../../postgres/private-server.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { KindContext, LiveState } from '../kinds/component.ts';
import { failureOf, isMissing } from '../io-errors.ts';

/** A server that is stopped is no problem: that is how a restore in place finds it. One that runs has to answer. */
export async function inspectCluster(component: PostgresBaseComponent, context: KindContext): Promise<LiveState> {
  const usedBy = component.usedBy;
  const { dataDirectory } = component;
  if (dataDirectory === undefined) {
    const problem = await unreachable(component, context);
    return { exists: problem === undefined, usedBy, problems: problem === undefined ? [] : [problem] };
  }
  try {
    const changed = await changedAt(dataDirectory);
    if (changed === undefined) return { exists: false, usedBy, problems: [] };
    const runs = (await postmasterOf(dataDirectory)) !== undefined;
    const problem = runs ? await unreachable(component, context) : undefined;
    return { exists: true, newestChangeMs: changed, usedBy, problems: problem === undefined ? [] : [problem] };
  } catch (error) {
    context.signal.throwIfAborted();
    return { exists: true, usedBy, problems: [failureOf(error, `look at ${dataDirectory}`).message] };
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
