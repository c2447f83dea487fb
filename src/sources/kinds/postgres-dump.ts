/** PostgreSQL by the method `dump`: each database as pg_dump's custom format, streamed, with what was in it. */
import { HoldfastError } from '../../failures.ts';
import type { Artifact } from '../../part.ts';
import { listDatabases, readsPasswords } from '../../postgres/catalogue.ts';
import { openPostgres } from '../../postgres/open.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import type { Captured, CaptureSink, CheckReport, ComponentKind, KindContext, LiveState } from './component.ts';
import { jsonArtifact } from './json-artifact.ts';
import { captureDatabase } from './postgres-dump-capture.ts';
import type { CapturedDatabase } from './postgres-dump-capture.ts';
import { checkDumps, requiredTables } from './postgres-dump-check.ts';
import { DUMP_FACTS, DUMP_GLOBALS } from './postgres-dump-facts.ts';
import type { DumpFacts } from './postgres-dump-facts.ts';
import { dumpRestoring } from './postgres-dump-restore.ts';

/** Databases that a manifest names; all of them are in the facts. */
const MOST_DATABASES = 50;

export const postgresDumpKind: ComponentKind<PostgresDumpComponent> = {
  kind: 'postgres',

  capture: (component, sink, context) =>
    withAccess(component, context, async (access): Promise<Captured> => {
      const { signal } = context;
      const server = await access.facts(signal);
      const names = await access.withClient({ signal }, async (client) => {
        const there = await listDatabases(client);
        return { ...chooseDatabases(component, there), rolePasswords: await readsPasswords(client) };
      });
      const databases = await captureAll(component, names.chosen, access, sink, context);
      const withGlobals = component.tables.length === 0;
      const rolePasswords = withGlobals && names.rolePasswords;
      const facts: DumpFacts = {
        format: 1,
        server,
        selectedTables: component.tables,
        rolePasswords,
        databases: databases.map((database) => database.facts),
      };
      refuseEmpty(component, facts, context);
      if (withGlobals) await sink.store(globalsOf(component, access, rolePasswords, signal));
      await sink.store(jsonArtifact(DUMP_FACTS, facts));
      const told = captured(component, facts, databases);
      if (names.left.length > 0) {
        told.warnings.push(`${component.name}: databases of restores are not captured: ${names.left.join(', ')}`);
      }
      // Each dump was read to its end by pg_restore on its way, unless this is only to be safe.
      return { ...told, judged: context.raw !== true };
    }),

  checkCaptured: (component, artifacts, context): Promise<CheckReport> =>
    withAccess(component, context, (access) => checkDumps(component, artifacts, access, context)),

  async inspect(component, context): Promise<LiveState> {
    const { usedBy } = component;
    try {
      return await withAccess(component, context, async (access) => {
        const found = await access.withClient({ signal: context.signal }, async (client) => {
          const there = await listDatabases(client);
          const wanted =
            component.databases.length === 0 ? chooseDatabases(component, there).chosen : component.databases;
          const { rows } = await client.query<{ name: string; size: string }>(
            `SELECT datname AS name, pg_database_size(oid)::text AS size FROM pg_database WHERE datname = ANY ($1)`,
            [wanted],
          );
          return { wanted, rows };
        });
        const missing = found.wanted.filter((name) => !found.rows.some((row) => row.name === name));
        return {
          exists: found.rows.length > 0,
          sizeBytes: found.rows.reduce((sum, { size }) => sum + Number(size), 0),
          usedBy,
          problems: missing.length === 0 ? [] : [`there is no database ${missing.join(', ')}`],
        };
      });
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      return { exists: true, usedBy, problems: [error.message] };
    }
  },

  ...dumpRestoring,
};

async function withAccess<T>(
  component: PostgresDumpComponent,
  context: KindContext,
  use: (access: PostgresAccess) => Promise<T>,
): Promise<T> {
  const access = await openPostgres(component.server, 'backup', { docker: context.docker });
  try {
    return await use(access);
  } finally {
    await access.close();
  }
}

/** What a restore makes beside a database, and what it keeps of the one it replaced. */
const OF_RESTORES = /__(?:(?:holdfast|before)_[0-9a-f]{8}|(?:rows|make)_[0-9a-f]{12})$/;

function chooseDatabases(
  component: PostgresDumpComponent,
  there: readonly string[],
): { readonly chosen: readonly string[]; readonly left: readonly string[] } {
  if (component.databases.length === 0) {
    return {
      chosen: there.filter((name) => !OF_RESTORES.test(name)),
      left: there.filter((name) => OF_RESTORES.test(name)),
    };
  }
  const missing = component.databases.filter((name) => !there.includes(name));
  if (missing.length === 0) return { chosen: component.databases, left: [] };
  throw new HoldfastError('SourceMissing', `there is no database ${missing.join(', ')} on the server`, {
    hint: 'Check `databases` in the system file.',
  });
}

/** `jobs` at the same time; the first failure ends the others. */
async function captureAll(
  component: PostgresDumpComponent,
  names: readonly string[],
  access: PostgresAccess,
  sink: CaptureSink,
  context: KindContext,
): Promise<CapturedDatabase[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const results = new Map<string, CapturedDatabase>();
  const waiting = [...names];
  const lane = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      signal.throwIfAborted();
      const work = { component, access, database: name, sink, context: { ...context, signal } };
      results.set(name, await captureDatabase(work));
    }
  };
  const lanes = Array.from({ length: Math.min(component.jobs, names.length) }, lane);
  try {
    await Promise.all(lanes);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(lanes);
    throw error;
  }
  return names.flatMap((name) => results.get(name) ?? []);
}

/** A dump without a table is never a backup, whatever its length; nor one that lacks what must be there. */
function refuseEmpty(component: PostgresDumpComponent, { databases }: DumpFacts, { raw }: KindContext): void {
  if (raw === true) return;
  if (databases.every(({ tables }) => tables.length === 0)) {
    const names = databases.map(({ name }) => name).join(', ');
    throw new HoldfastError('SourceEmpty', `there is no table in ${names === '' ? 'any database' : names}`);
  }
  const bad = requiredTables(component, databases).filter(({ ok }) => !ok);
  if (bad.length > 0) {
    throw new HoldfastError('CheckFailed', bad.map(({ name, detail }) => `${name} ${detail}`).join('; '));
  }
}

/** Roles and tablespaces, which belong to no database. */
function globalsOf(
  component: PostgresDumpComponent,
  access: PostgresAccess,
  rolePasswords: boolean,
  signal: AbortSignal,
): Artifact {
  const args = ['--globals-only', `--database=${connectionText(component.server.maintenanceDatabase)}`];
  if (!rolePasswords) args.push('--no-role-passwords');
  async function* read(): AsyncGenerator<Uint8Array> {
    const run = await access.run('pg_dumpall', args, { signal });
    yield* run.stdout;
    await run.done;
  }
  return {
    name: DUMP_GLOBALS,
    mediaType: 'application/octet-stream',
    async *segments() {
      await Promise.resolve();
      yield { kind: 'stream', cut: 'content', open: read };
    },
  };
}

/** A name on a command line, where libpq would read one that holds `=` as a whole connection. */
function connectionText(database: string): string {
  return `dbname='${database.replaceAll(/[\\']/g, (character) => `\\${character}`)}'`;
}

function captured(
  component: PostgresDumpComponent,
  facts: DumpFacts,
  databases: readonly CapturedDatabase[],
): Captured {
  const warnings = databases.flatMap((database) => database.warnings);
  if (component.tables.length === 0 && !facts.rolePasswords) {
    warnings.push(
      `${component.name}: the passwords of roles are not in the backup, because ${component.server.backup.user} may not ` +
        'read pg_authid; pg_read_all_data lets it',
    );
  }
  return {
    facts: {
      serverVersion: facts.server.version,
      systemIdentifier: facts.server.systemIdentifier,
      inRecovery: facts.server.inRecovery,
      databases: databases.slice(0, MOST_DATABASES).map(({ facts: database, dumpBytes }) => ({
        name: database.name,
        tables: database.tables.length,
        rows: database.tables.reduce((sum, { rows }) => sum + (rows ?? 0), 0),
        largeObjects: database.largeObjects,
        encoding: database.encoding,
        extensions: database.extensions.map(({ name, version }) => `${name} ${version}`),
        sizeBytes: database.sizeBytes,
        dumpBytes,
      })),
      databaseCount: databases.length,
      ...(facts.selectedTables.length === 0 ? {} : { selectedTables: facts.selectedTables }),
    },
    warnings,
  };
}
