/** A dump restored into a server that is there for it alone, under the names that its services look for. */
import { withOwnServer, type OwnServer } from '../../postgres/own-server.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import type { CheckReport, KindContext } from '../kinds/component.ts';
import { bringDatabases } from './bring.ts';
import { checkRestored } from './check-restored.ts';
import { swapDatabases } from './database-swap.ts';
import type { Dump } from './dump.ts';
import { preflight } from './preflight.ts';
import type { DumpRestoreRecord } from './restore-record.ts';
import { dropDatabase } from './server-databases.ts';

/**
 * What the server has made by itself under these names goes. A dump of some tables stays under a name of its own: it
 * replaces no database. A repeat begins anew. What the checks find is in the report, whatever it is.
 */
export function bringToOwnServer(
  component: PostgresDumpComponent,
  dump: Dump,
  begun: DumpRestoreRecord,
  own: OwnServer,
  context: KindContext,
): Promise<CheckReport> {
  const { signal } = context;
  return withOwnServer(own, context.docker, async (access) => {
    await preflight(access, dump, signal);
    const save = (): Promise<void> => Promise.resolve();
    const record = await bringDatabases({ access, dump, context, jobs: component.jobs, plain: false, save }, begun);
    const report = await checkRestored(component, access, record, context);
    if (record.selectedTables.length > 0) return report;
    for (const { live } of record.databases) await dropDatabase(access, live, undefined, signal);
    await swapDatabases(access, record.databases, signal);
    return report;
  });
}
