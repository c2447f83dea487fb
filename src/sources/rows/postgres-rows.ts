/** Single rows of a PostgreSQL database, out of a dump, or out of a base backup recovered to a point in time. */
import type { Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { conditionsOf, tableNames } from '../../policy/sql-condition.ts';
import { withPostgres } from '../../postgres/open.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresBaseComponent, PostgresComponent, PostgresDumpComponent } from '../../system/types.ts';
import { databasesOf } from '../cluster/examine.ts';
import { withScratchCluster } from '../cluster/scratch.ts';
import { readDumpFacts } from '../kinds/postgres-dump-facts.ts';
import type { KindContext } from '../kinds/component.ts';
import { applyRows } from './postgres-apply.ts';
import { affectedDigest, compare, tableOf, writeKeys, type PgQuestion } from './postgres-preview.ts';
import { mergeAll, mergeKey } from './merged-sources.ts';
import { addOlder, cleanTables, dropValidLive, targetsOf } from './postgres-merge.ts';
import { creation, noteCreation } from './postgres-create.ts';
import { refuseShortRights } from './postgres-rights.ts';
import { dropSide, makeSide, sideName } from './postgres-side.ts';
import { copyOf, copyRecord, noteCopy, removeFiles, rowsFiles, type CopyRecord, type RowsFiles } from './rows-files.ts';
import type { RowsApplied, RowsAsk, RowsBackup, RowsCopy, RowsKind, RowsPreview } from './rows-kind.ts';
import { dumpSource, serverSource, type TableSource } from './table-source.ts';

export const postgresRows: RowsKind<PostgresComponent> = {
  async bring(component, backup, ask, context): Promise<RowsCopy> {
    conditionsOf(tableNames(ask.table), ask.where, 'postgres');
    const files = await rowsFiles(context.stateDirectory, ask.rowsId);
    const noted = await copyRecord(files);
    const manifestKey = backup.sources === undefined ? backup.manifestKey : mergeKey(backup, ask.valid);
    const there =
      noted?.whole === true &&
      noted.manifestKey === manifestKey &&
      (await withRestore(component, context, (access) => isThere(access, noted.place, context)));
    if (there) return copyOf(noted);
    const bringing = { component, backup, ask, files, context };
    if (backup.sources !== undefined) return copyOf(await bringMerged({ ...bringing, manifestKey }));
    const record = await bringOne(bringing);
    await noteCopy(files, { ...record, whole: true });
    return copyOf(record);
  },

  preview: (component, ask, context): Promise<RowsPreview> =>
    withBoth(component, ask, context, async ({ side, live, files, question }) => {
      const compared = await compare(side, live, question);
      await writeKeys(live, compared, files.keys);
      const tables = [];
      for (const meeting of compared.meetings) {
        tables.push(await tableOf(live, meeting, compared.conflicts[meeting.index] ?? [], question.onChanged));
      }
      const affectedSha256 = await affectedDigest(live, compared, question.onChanged);
      await live.query('ROLLBACK');
      return { affectedSha256, tables, keysFile: files.keys, warnings: [] };
    }),

  apply: (component, ask, context): Promise<RowsApplied> =>
    withBoth(component, ask, context, async ({ side, live, files, question }) => {
      const order = {
        ...question,
        affectedSha256: ask.affectedSha256,
        intentFile: files.intent,
        replacedFile: files.replaced,
      };
      const { added, replaced, before, sequences } = await applyRows(side, live, order);
      const warnings = before ? ['An earlier attempt had put the rows back; it was not done twice.'] : [];
      if (sequences.length > 0)
        warnings.push(`Sequences were behind the rows and were raised: ${sequences.join(', ')}.`);
      return {
        added,
        replaced,
        checks: [
          { name: 'rows', ok: true, detail: `${added + replaced} rows as in the backup, seen inside the transaction` },
          { name: 'constraints', ok: true, detail: 'obeyed: the server has committed' },
        ],
        ...(replaced > 0 ? { replacedFile: files.replaced } : {}),
        warnings,
      };
    }),

  async discard(component, ask, keepFiles, context) {
    const files = await rowsFiles(context.stateDirectory, ask.rowsId);
    const noted = await copyRecord(files);
    if (noted !== undefined) {
      await withRestore(component, context, async (access) => {
        for (const other of ['__make_', OLDER]) {
          await dropSide(access, noted.place.replace('__rows_', other), context.signal);
        }
        await dropSide(access, noted.place, context.signal);
      });
    }
    await removeFiles(files, keepFiles);
  },
};

interface Bringing {
  readonly component: PostgresComponent;
  readonly backup: RowsBackup;
  readonly ask: RowsAsk;
  readonly files: RowsFiles;
  readonly context: KindContext;
  /** It is not the copy itself: made beside it, and not noted. */
  readonly older?: boolean;
}

/** Of an older backup, while its rows are taken. */
const OLDER = '__more_';

function bringOne(bringing: Bringing): Promise<CopyRecord> {
  const { component } = bringing;
  return component.method === 'base' ? bringFromBase(component, bringing) : bringFromDump(component, bringing);
}

/** The first backup that is whole, cleaned, and what older ones have beside it. */
async function bringMerged(bringing: Bringing & { readonly manifestKey: string }): Promise<CopyRecord> {
  const { component, backup, ask, files, context, manifestKey } = bringing;
  const { signal } = context;
  const names = tableNames(ask.table);
  const conditions = conditionsOf(names, ask.valid, 'postgres');
  const tables = names.map((table, index) => {
    const valid = conditions[index];
    return { table, ...(valid === undefined ? {} : { valid }) };
  });
  let base: CopyRecord | undefined;
  /** Two connections to the separate database, and one to another. */
  const withThree = <T>(
    place: CopyRecord,
    other: string,
    use: (writer: Client, reader: Client, there: Client) => Promise<T>,
  ) =>
    withRestore(component, context, (access) =>
      access.withClient({ database: place.place, signal }, (writer) =>
        access.withClient({ database: place.place, signal }, (reader) =>
          access.withClient({ database: other, signal }, (there) => use(writer, reader, there)),
        ),
      ),
    );
  const { merged, warnings } = await mergeAll(
    backup,
    {
      base: async (source) => {
        const record = await bringOne({ ...bringing, backup: { ...backup, ...source } });
        base = record;
        return withThree(record, record.database ?? '', async (writer, reader, live) =>
          cleanTables(reader, writer, await targetsOf(writer, live, tables)),
        );
      },
      older: async (source) => {
        if (base === undefined) throw new HoldfastError('Internal', 'no backup came before the older ones');
        const first = base;
        const more = { ...bringing, backup: { ...backup, ...source }, older: true };
        const record = await bringOne(more);
        try {
          const targets = await withThree(first, first.database ?? '', (writer, _, live) =>
            targetsOf(writer, live, tables),
          );
          return await withThree(first, record.place, (writer, _, there) => addOlder(there, writer, targets));
        } finally {
          await withRestore(component, context, (access) => dropSide(access, record.place, signal));
        }
      },
    },
    signal,
  );
  if (base === undefined) throw new HoldfastError('BackupMissing', 'there is no backup to merge from');
  await withThree(base, base.database ?? '', async (writer, _, live) =>
    dropValidLive(live, writer, await targetsOf(writer, live, tables)),
  );
  const record = { ...base, manifestKey, merged, warnings, whole: true };
  await noteCopy(files, record);
  return record;
}

async function bringFromDump(component: PostgresDumpComponent, bringing: Bringing): Promise<CopyRecord> {
  const { backup, ask, context } = bringing;
  const artifacts = await backup.artifacts();
  const facts = await readDumpFacts(artifacts, context.signal);
  const name = chosenDatabase(
    component.name,
    facts.databases.map((each) => each.name),
    ask.database,
  );
  const database = facts.databases.find((each) => each.name === name);
  const dump = artifacts.find((each) => each.name === database?.artifact);
  if (database === undefined || dump === undefined) {
    throw new HoldfastError('ArchiveBroken', `the backup of ${component.name} has no dump of ${name}`);
  }
  return makeCopy(bringing, name, dumpSource(dump, database, facts.selectedTables.length > 0));
}

/** The cluster is recovered on a scratch server of this host, from which the tables are brought. */
async function bringFromBase(component: PostgresBaseComponent, bringing: Bringing): Promise<CopyRecord> {
  const { backup, ask, context } = bringing;
  const { maintenanceDatabase } = component.server;
  const { value, warnings } = await withScratchCluster(
    component,
    await backup.artifacts(),
    backup,
    context,
    async ({ access, seenUntil }) => {
      const all = await access.withClient({ signal: context.signal }, databasesOf);
      const own = all.filter((name) => name !== maintenanceDatabase);
      const wanted = ask.database === undefined && own.length > 0 ? own : all;
      const name = chosenDatabase(component.name, wanted, ask.database);
      const record = await makeCopy(bringing, name, serverSource(access, name));
      return seenUntil === undefined ? record : { ...record, pointAt: seenUntil };
    },
  );
  return { ...value, warnings };
}

/** Returns the record of a copy that is whole, and not yet noted as such. */
async function makeCopy(
  { component, backup, ask, files, context, older = false }: Bringing,
  database: string,
  source: TableSource,
): Promise<CopyRecord> {
  const own = sideName(database, ask.rowsId);
  const side = older ? own.replace('__rows_', OLDER) : own;
  const record = { manifestKey: backup.manifestKey, place: side, database, keep: backup.keep, whole: false };
  return withRestore(component, context, async (access) => {
    if (await isThere(access, database, context)) {
      await refuseShortRights(access, database, tableNames(ask.table), context.signal);
    }
    // Noted first: whatever is made under this name is ours, and under those that follow from it.
    if (!older) await noteCopy(files, record);
    const order = { access, database, side, source, tables: tableNames(ask.table), context };
    await makeSide(order);
    if (!older) await noteCreation(order, files.creation);
    return record;
  });
}

/** The one that is asked for, or the only one. */
function chosenDatabase(component: string, known: readonly string[], asked: string | undefined): string {
  const [only] = known;
  if (asked === undefined && only !== undefined && known.length === 1) return only;
  if (asked !== undefined && known.includes(asked)) return asked;
  const what = asked === undefined ? `holds several databases: name one` : `holds no database ${asked}`;
  throw new HoldfastError('BadInput', `the backup of ${component} ${what}; it has ${known.join(', ')}`);
}

async function isThere(access: PostgresAccess, name: string, { signal }: KindContext): Promise<boolean> {
  return access.withClient({ signal }, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    return rowCount === 1;
  });
}

function withRestore<T>(
  { server }: PostgresComponent,
  context: KindContext,
  use: (access: PostgresAccess) => Promise<T>,
): Promise<T> {
  return withPostgres(server, 'restore', context, use);
}

interface Both {
  readonly side: Client;
  readonly live: Client;
  readonly files: RowsFiles;
  readonly question: PgQuestion;
}

async function withBoth<T>(
  component: PostgresComponent,
  ask: RowsAsk,
  context: KindContext,
  use: (both: Both) => Promise<T>,
): Promise<T> {
  const { signal } = context;
  const files = await rowsFiles(context.stateDirectory, ask.rowsId);
  const noted = await copyRecord(files);
  if (noted?.database === undefined) {
    throw new HoldfastError('SourceMissing', `the separate database of ${ask.rowsId} is not known on this host`);
  }
  const { database, place } = noted;
  const names = tableNames(ask.table);
  const conditions = conditionsOf(names, ask.where, 'postgres');
  let done = 0;
  const made = await creation(files.creation);
  const question: PgQuestion = {
    ...(made === undefined ? {} : { creation: made }),
    tables: names.map((table, index) => {
      const where = conditions[index];
      return { table, ...(where === undefined ? {} : { where }) };
    }),
    onChanged: ask.onChanged,
    onRows: (rows) => {
      done += rows;
      context.report({ phase: 'compare rows', filesDone: done });
    },
  };
  context.report({ phase: 'compare rows' });
  return withRestore(component, context, (access) =>
    access.withClient({ database, signal }, (live) =>
      access.withClient({ database: place, signal }, (side) => use({ side, live, files, question })),
    ),
  );
}
