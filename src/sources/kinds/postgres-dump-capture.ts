/** One database into one dump, with what was in it counted in the snapshot that the dump was taken from. */
import { propertiesOf } from '../postgres/database-properties.ts';
import type { Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import type { Artifact } from '../../part.ts';
import { describeDatabase } from '../../postgres/catalogue.ts';
import { postgresFailure } from '../../postgres/errors.ts';
import { parseTableName, quotedTable } from '../../postgres/table-names.ts';
import { holdTables, isWritable, listTables, lockHolders, measureTable, selectTables } from '../../postgres/tables.ts';
import type { LiveTable } from '../../postgres/tables.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresDumpComponent } from '../../system/types.ts';
import { whenSpent } from '../postgres/spent.ts';
import type { CaptureSink, KindContext } from './component.ts';
import { judgeDump } from './postgres-dump-check.ts';
import type { Check } from './postgres-dump-check.ts';
import { DumpReader } from './postgres-dump-read.ts';
import type { DumpReading } from './postgres-dump-read.ts';
import { dumpArtifactName } from './postgres-dump-facts.ts';
import type { DatabaseFacts, TableFacts } from './postgres-dump-facts.ts';

/** Longer than the locks of everyday changes; waiting in line holds up nobody but a further exclusive lock. */
const LOCK_WAIT = '15s';

export interface CapturedDatabase {
  readonly facts: DatabaseFacts;
  readonly dumpBytes: number;
  readonly warnings: readonly string[];
}

interface Work {
  readonly component: PostgresDumpComponent;
  readonly access: PostgresAccess;
  readonly database: string;
  readonly sink: CaptureSink;
  readonly context: KindContext;
}

/**
 * A snapshot is exported, pg_dump takes it and locks its tables, and only then the same tables are locked and counted
 * beside it: nothing is held while pg_dump waits for somebody's migration. Throws PostgresLocked, which names who holds
 * a lock, PostgresConflict, PostgresToolFailed, PostgresUnreachable, SourceMissing.
 */
export async function captureDatabase(work: Work): Promise<CapturedDatabase> {
  const { access, database, context } = work;
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  try {
    return await access.withClient({ database, signal }, async (client) => {
      try {
        return await captureIn(work, client, signal, failed);
      } catch (error) {
        // Whatever still runs ends before the sink is closed.
        failed.abort(error);
        throw error;
      }
    });
  } catch (error) {
    context.signal.throwIfAborted();
    throw await explained(work, error);
  }
}

async function captureIn(
  work: Work,
  client: Client,
  signal: AbortSignal,
  failed: AbortController,
): Promise<CapturedDatabase> {
  const { component, access, database, sink, context } = work;
  const { versionNumber } = await access.facts(signal);
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const { rows } = await client.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  const described = await describeDatabase(client, versionNumber);
  const properties = await propertiesOf(client);
  const all = await listTables(client);
  const tables = component.tables.length === 0 ? all : selectTables(all, component.tables.map(parseTableName));
  const selection = component.tables.length === 0 ? undefined : { tables, encoding: described.encoding };
  const dump = dumpOf(work, { args: dumpArguments(rows[0]?.id ?? '', selection), signal });
  const stored = sink.store(dump.artifact);
  const measured = (async () => {
    await Promise.race([dump.begun, stored]);
    await holdTables(client, tables);
    return measureAll(work, client, tables);
  })();
  try {
    const [, tableFacts] = await Promise.all([stored, measured]);
    context.report({ phase: `dumped ${database}`, bytesDone: dump.bytes() });
    const { sizeBytes, largeObjects, ...rest } = described;
    const facts: DatabaseFacts = {
      name: database,
      artifact: dump.artifact.name,
      ...rest,
      ...(properties === undefined ? {} : { properties }),
      sizeBytes,
      tables: tableFacts,
      // A selection of tables holds none of them.
      largeObjects: selection === undefined ? largeObjects : 0,
    };
    const reading = await dump.reading();
    if (reading !== undefined) refuseUnreadable(component.name, judgeDump(facts, dump.bytes(), reading));
    return { facts, dumpBytes: dump.bytes(), warnings: warningsOf(database, facts, tables) };
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled([stored, measured]);
    throw error;
  }
}

function dumpArguments(
  snapshot: string,
  selection: { readonly tables: readonly LiveTable[]; readonly encoding: string } | undefined,
): string[] {
  const args = ['--format=custom', '--compress=0', `--snapshot=${snapshot}`, `--lock-wait-timeout=${LOCK_WAIT}`];
  if (selection === undefined) return args;
  const patterns = selection.tables.filter(isWritable).map(quotedTable);
  // The tool reads patterns in the encoding it dumps in, and they are given in UTF-8.
  const foreign = selection.encoding !== 'UTF8' && patterns.some((pattern) => /[^ -~]/.test(pattern));
  if (foreign) args.push('--encoding=UTF8');
  return [...args, '--strict-names', ...patterns.map((pattern) => `--table=${pattern}`)];
}

function refuseUnreadable(component: string, checks: readonly Check[]): void {
  const bad = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  if (bad.length === 0) return;
  throw new HoldfastError('SourceCorrupt', `${component} fails its own check: ${bad.join('; ')}`);
}

interface Dump {
  readonly artifact: Artifact;
  readonly begun: Promise<unknown>;
  readonly bytes: () => number;
  /** What pg_restore made of it on its way, when the artifact was read to its end; undefined in a raw capture. */
  readonly reading: () => Promise<DumpReading | undefined>;
}

function dumpOf(
  { access, database, context }: Work,
  how: { readonly args: readonly string[]; readonly signal: AbortSignal },
): Dump {
  const begun = Promise.withResolvers<undefined>();
  const free = whenSpent(access);
  let bytes = 0;
  let reading: Promise<DumpReading | undefined> = Promise.resolve(undefined);
  async function* read(): AsyncGenerator<Uint8Array> {
    const run = await access.run('pg_dump', how.args, { database, signal: how.signal });
    const reader = context.raw === true ? undefined : new DumpReader(access, how.signal);
    try {
      for await (const piece of run.stdout) {
        // The first bytes are the table of contents: everything is locked by then.
        if (bytes === 0) begun.resolve(undefined);
        bytes += piece.length;
        const given = reader?.give(piece);
        yield piece;
        await given;
        free(piece);
      }
      await run.done;
      if (bytes === 0) throw new HoldfastError('SourceEmpty', `pg_dump of ${database} wrote nothing`);
      reading = Promise.resolve(await reader?.end());
    } finally {
      await reader?.stop();
    }
  }
  const artifact: Artifact = {
    name: dumpArtifactName(database),
    mediaType: 'application/octet-stream',
    async *segments() {
      await Promise.resolve();
      yield { kind: 'stream', cut: 'content', open: read };
    },
  };
  return { artifact, begun: begun.promise, bytes: () => bytes, reading: () => reading };
}

async function measureAll(
  { component, context, database }: Work,
  client: Client,
  tables: readonly LiveTable[],
): Promise<TableFacts[]> {
  const facts: TableFacts[] = [];
  for (const table of tables) {
    const { schema, name, partitioned } = table;
    const measured =
      component.tableChecksums && !partitioned && isWritable(table) ? await measureTable(client, table, true) : {};
    facts.push({ schema, name, ...measured });
    context.report({ phase: `count ${database}`, filesDone: facts.length });
  }
  if (context.raw !== true) await requireRows(component, database, client, tables);
  return facts;
}

/** `minimumRows` counts partitions with their table, as a reader of it would. */
async function requireRows(
  component: PostgresDumpComponent,
  database: string,
  client: Client,
  tables: readonly LiveTable[],
): Promise<void> {
  for (const [text, least] of Object.entries(component.checks.minimumRows)) {
    const wanted = parseTableName(text);
    const table = tables.find(({ schema, name }) => schema === wanted.schema && name === wanted.name);
    if (table === undefined) continue;
    const { rows } = await client.query<{ count: string }>(`SELECT count(*)::text AS count FROM ${quotedTable(table)}`);
    const count = Number(rows[0]?.count ?? 0);
    if (count < least) {
      throw new HoldfastError('CheckFailed', `${text} in ${database} has ${count} rows, and must have ${least}`, {
        hint: 'See what became of the rows; if it is right so, lower `minimumRows` in the system file.',
      });
    }
  }
}

function warningsOf(database: string, facts: DatabaseFacts, tables: readonly LiveTable[]): string[] {
  const warnings: string[] = [];
  const { collationVersion, actualCollationVersion } = facts;
  if (collationVersion !== undefined && collationVersion !== actualCollationVersion) {
    warnings.push(
      `${database} was made with version ${collationVersion} of its collation, and the server has ` +
        `${actualCollationVersion ?? 'none'}: indexes over text may be out of order; REINDEX, then ALTER DATABASE … REFRESH COLLATION VERSION`,
    );
  }
  const unreadable = tables.filter((table) => !isWritable(table)).length;
  if (unreadable > 0)
    warnings.push(`${database}: ${unreadable} tables have names that are no text; they were not counted`);
  return warnings;
}

/** A lock that was waited for in vain is told with who holds it. */
async function explained({ access, database, context }: Work, error: unknown): Promise<HoldfastError> {
  const failure = postgresFailure(error, `dump of ${database}`);
  if (failure.code !== 'PostgresLocked') return failure;
  const holders = await access.withClient({ database, signal: context.signal }, lockHolders);
  const who = holders === '' ? 'nobody holds it any more' : holders;
  return new HoldfastError('PostgresLocked', `the dump of ${database} waited ${LOCK_WAIT} for a lock: ${who}`, {
    cause: failure,
  });
}
