/** A dump restored only to be checked: on a server of its own where that can be, else in a database of its own. */
import { HoldfastError } from '../../failures.ts';
import { findTool } from '../../postgres/host-tools.ts';
import { openPostgres } from '../../postgres/open.ts';
import { hasServerPrograms, withScratchServer } from '../../postgres/scratch-server.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import type { CheckReport, KindContext } from '../kinds/component.ts';
import { bringDatabases } from './bring.ts';
import { checkRestored } from './check-restored.ts';
import type { Dump } from './dump.ts';
import { preflight } from './preflight.ts';
import type { DumpRestoreRecord } from './restore-record.ts';

/** Why there is no scratch server for this dump; not a failure. */
class NoScratchServer extends Error {}

export interface Proved {
  readonly report: CheckReport;
  readonly where: string;
}

/**
 * Undefined with the reason when this host has no server programs of a fitting release, or they lack an extension or a
 * locale of the dump. What the checks find is in the report, whatever it is.
 */
export async function proveOnScratchServer(
  component: PostgresDumpComponent,
  dump: Dump,
  begun: DumpRestoreRecord,
  context: KindContext,
): Promise<Proved | { readonly why: string }> {
  const { tools } = component.server;
  if (tools.kind !== 'host') return { why: 'the tools are in a container' };
  try {
    const toolsDirectory = await serverPrograms(dump, tools.directory);
    const { signal, stateDirectory } = context;
    return await withScratchServer({ toolsDirectory, stateDirectory, signal }, async (scratch) => {
      const access = await openPostgres(scratch.server, 'restore', { docker: context.docker });
      try {
        const inside = { ...context, signal: scratch.signal };
        const { report, databases } = await prove(component, dump, begun, access, inside);
        const { address = '', port, backup } = scratch.server;
        const further = (await context.onScratchServer?.({ address, port, user: backup.user, databases })) ?? [];
        const checks = [...report.checks, ...further];
        return { report: { ok: checks.every(({ ok }) => ok), checks }, where: 'a scratch server' };
      } finally {
        await access.close();
      }
    });
  } catch (error) {
    if (error instanceof NoScratchServer) return { why: error.message };
    throw error;
  }
}

async function serverPrograms(dump: Dump, directory: string | undefined): Promise<string> {
  try {
    const found = await findTool('initdb', dump.server.versionNumber, directory);
    if (hasServerPrograms(found)) return found;
    throw new NoScratchServer(`${found} has no server`);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'PostgresVersion') throw new NoScratchServer(error.message);
    throw error;
  }
}

async function prove(
  component: PostgresDumpComponent,
  dump: Dump,
  begun: DumpRestoreRecord,
  access: PostgresAccess,
  context: KindContext,
): Promise<{ report: CheckReport; databases: Record<string, string> }> {
  try {
    await preflight(access, dump, context.signal);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ExtensionMissing') throw new NoScratchServer(error.message);
    throw error;
  }
  await refuseOtherLocale(access, dump, context.signal);
  const save = (): Promise<void> => Promise.resolve();
  const { jobs } = component;
  const record = await bringDatabases({ access, dump, context, jobs, plain: false, save }, begun);
  const databases = Object.fromEntries(record.databases.map(({ facts, beside }) => [facts.name, beside]));
  return { report: await checkRestored(component, access, record, context), databases };
}

/** The locale of the C library that a database was made with may not be generated on this host. */
async function refuseOtherLocale(access: PostgresAccess, dump: Dump, signal: AbortSignal): Promise<void> {
  const locales = new Set(dump.databases.flatMap(({ facts }) => [facts.collate, facts.ctype]));
  await access.withClient({ signal }, async (client) => {
    for (const locale of locales) {
      await client.query("SELECT set_config('lc_monetary', $1, false)", [locale]).catch((cause: unknown) => {
        throw new NoScratchServer(`this host has no locale ${locale}`, { cause });
      });
    }
  });
}
