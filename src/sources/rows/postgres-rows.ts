/** Single rows of a PostgreSQL database, out of a dump. */
import type { Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import { conditionsOf, tableNames } from '../../policy/sql-condition.ts';
import { openPostgres } from '../../postgres/open.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresComponent } from '../../system/types.ts';
import { readDumpFacts, type DatabaseFacts } from '../kinds/postgres-dump-facts.ts';
import type { KindContext } from '../kinds/component.ts';
import { applyRows } from './postgres-apply.ts';
import { affectedDigest, compare, tableOf, writeKeys, type PgQuestion } from './postgres-preview.ts';
import { creation, noteCreation } from './postgres-create.ts';
import { dropSide, makeSide, sideName } from './postgres-side.ts';
import { copyRecord, noteCopy, removeFiles, rowsFiles, type RowsFiles } from './rows-files.ts';
import type { RowsApplied, RowsAsk, RowsCopy, RowsKind, RowsPreview } from './rows-kind.ts';

export const postgresRows: RowsKind<PostgresComponent> = {
  async bring(component, backup, ask, context): Promise<RowsCopy> {
    if (component.method === 'base') throw notFromBase(component.name);
    const names = tableNames(ask.table);
    conditionsOf(names, ask.where, 'postgres');
    const files = await rowsFiles(context.stateDirectory, ask.rowsId);
    const noted = await copyRecord(files);
    const artifacts = await backup.artifacts();
    const facts = await readDumpFacts(artifacts, context.signal);
    const database = chosenDatabase(component.name, facts.databases, ask.database);
    const side = sideName(database.name, ask.rowsId);
    const record = { manifestKey: backup.manifestKey, place: side, database: database.name };
    return withAccess(component, context, async (access) => {
      if (noted?.whole === true && noted.manifestKey === backup.manifestKey && (await isThere(access, side, context))) {
        return { place: side, checks: [] };
      }
      // Noted first: whatever is made under this name is ours.
      await noteCopy(files, { ...record, whole: false });
      const order = {
        access,
        database: database.name,
        side,
        dump: dumpOf(artifacts, database),
        facts: database,
        tablesOnly: facts.selectedTables.length > 0,
        tables: names,
        context,
      };
      const rows = await makeSide(order);
      await noteCreation(order, files.creation);
      await noteCopy(files, { ...record, whole: true });
      return { place: side, checks: [{ name: 'rows', ok: true, detail: `${rows} rows, as captured` }] };
    });
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
      await withAccess(component, context, async (access) => {
        await dropSide(access, noted.place.replace('__rows_', '__make_'), context.signal);
        await dropSide(access, noted.place, context.signal);
      });
    }
    await removeFiles(files, keepFiles);
  },
};

function notFromBase(name: string): HoldfastError {
  return new HoldfastError(
    'BadInput',
    `${name} is captured by \`method: base\`: a base backup holds a whole cluster, not tables`,
    {
      hint:
        `Restore the cluster beside with \`holdfast restore <system> --component ${name} --target <directory>\` and copy the ` +
        'rows with pg_dump, or add a component with `method: dump` of the tables that matter.',
    },
  );
}

function chosenDatabase(component: string, known: readonly DatabaseFacts[], asked: string | undefined): DatabaseFacts {
  const [only] = known;
  const found =
    asked === undefined ? (known.length === 1 ? only : undefined) : known.find(({ name }) => name === asked);
  if (found !== undefined) return found;
  const names = known.map(({ name }) => name).join(', ');
  const what = asked === undefined ? `holds several databases: name one` : `holds no database ${asked}`;
  throw new HoldfastError('BadInput', `the backup of ${component} ${what}; it has ${names}`);
}

function dumpOf(artifacts: readonly ArtifactReader[], { artifact }: DatabaseFacts): ArtifactReader {
  const found = artifacts.find(({ name }) => name === artifact);
  if (found === undefined) throw new HoldfastError('ArchiveBroken', `the backup has no ${artifact}`);
  return found;
}

async function isThere(access: PostgresAccess, name: string, { signal }: KindContext): Promise<boolean> {
  return access.withClient({ signal }, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    return rowCount === 1;
  });
}

async function withAccess<T>(
  component: PostgresComponent,
  context: KindContext,
  use: (access: PostgresAccess) => Promise<T>,
): Promise<T> {
  const access = await openPostgres(component.server, 'restore', { docker: context.docker });
  try {
    return await use(access);
  } finally {
    await access.close();
  }
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
  return withAccess(component, context, (access) =>
    access.withClient({ database, signal }, (live) =>
      access.withClient({ database: place, signal }, (side) => use({ side, live, files, question })),
    ),
  );
}
