/** Single rows of a SQLite database. */
import { realpath, rm, stat } from 'node:fs/promises';
import { HoldfastError } from '../../failures.ts';
import { conditionsOf, nameParts, tableNames } from '../../policy/sql-condition.ts';
import type { SqliteComponent } from '../../system/types.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import type { KindContext } from '../kinds/component.ts';
import { artifactsOf, judge } from '../kinds/sqlite-facts.ts';
import { writeStream } from '../sqlite/write-stream.ts';
import { runSqlite } from '../sqlite/job.ts';
import { copyOf, copyRecord, forgetCopy, noteCopy, removeFiles, rowsFiles } from './rows-files.ts';
import { mergeAll, mergeKey } from './merged-sources.ts';
import type { RowsApplied, RowsAsk, RowsBackup, RowsCopy, RowsKind, RowsPreview } from './rows-kind.ts';
import type { RowsQuestion } from './sqlite-compare.ts';

/** A live database that stays locked for so long is not waited for any longer in one attempt. */
const DEADLINE_MS = 5 * 60_000;

export const sqliteRows: RowsKind<SqliteComponent> = {
  async bring(component, backup, ask, context): Promise<RowsCopy> {
    const files = await rowsFiles(context.stateDirectory, ask.rowsId);
    const noted = await copyRecord(files);
    const manifestKey = backup.sources === undefined ? backup.manifestKey : mergeKey(backup, ask.valid);
    if (noted?.manifestKey === manifestKey) return copyOf(noted);
    await forgetCopy(files);
    const merged = backup.sources === undefined ? {} : await bringMerged(component, backup, ask, context);
    if (backup.sources === undefined) await bringCopy(component, backup, files.copy, context);
    const record = { manifestKey, place: files.copy, keep: backup.keep, whole: true, ...merged };
    await noteCopy(files, record);
    return copyOf(record);
  },

  async preview(component, ask, context): Promise<RowsPreview> {
    const files = await rowsFiles(context.stateDirectory, ask.rowsId);
    const question = await questionOf(component, ask, context);
    context.report({ phase: 'compare rows' });
    const order = { ...question, keysFile: files.keys };
    const found = await runSqlite('previewRows', order, { signal: context.signal, about: component.path });
    return { ...found, keysFile: files.keys, warnings: [] };
  },

  async apply(component, ask, context): Promise<RowsApplied> {
    const files = await rowsFiles(context.stateDirectory, ask.rowsId);
    const question = await questionOf(component, ask, context);
    context.report({ phase: 'put rows back' });
    const order = {
      ...question,
      affectedSha256: ask.affectedSha256,
      intentFile: files.intent,
      replacedFile: files.replaced,
      deadlineMs: DEADLINE_MS,
    };
    const written = await runSqlite('applyRows', order, { signal: context.signal, about: component.path });
    const { added, replaced, before, foreignKeyViolations } = written;
    return {
      added,
      replaced,
      checks: [
        { name: 'rows', ok: true, detail: `${added + replaced} rows as in the backup, seen inside the transaction` },
        { name: 'foreign keys', ok: foreignKeyViolations === 0, detail: `${foreignKeyViolations} violations` },
      ],
      ...(replaced > 0 ? { replacedFile: files.replaced } : {}),
      warnings: before ? ['An earlier attempt had put the rows back; it was not done twice.'] : [],
    };
  },

  async discard(_component, ask, keepFiles, context) {
    await removeFiles(await rowsFiles(context.stateDirectory, ask.rowsId), keepFiles);
  },
};

async function bringCopy(
  component: SqliteComponent,
  source: Pick<RowsBackup, 'artifacts'>,
  place: string,
  context: KindContext,
): Promise<void> {
  await rm(place, { force: true });
  const { database, facts } = await artifactsOf(component.name, await source.artifacts(), context.signal);
  await writeStream(database, place, context);
  context.report({ phase: 'check the copy' });
  const found = await runSqlite('examine', { path: place }, { signal: context.signal, about: place });
  const { ok, checks } = judge(facts.database, found, []);
  if (ok) return;
  const words = checks.filter((check) => !check.ok).map(({ name, detail }) => `${name}: ${detail}`);
  throw new HoldfastError('CheckFailed', `the copy of ${component.name} is not as captured: ${words.join('; ')}`);
}

/** The first backup that is whole, cleaned, and what older ones have beside it. */
async function bringMerged(component: SqliteComponent, backup: RowsBackup, ask: RowsAsk, context: KindContext) {
  const { copy } = await rowsFiles(context.stateDirectory, ask.rowsId);
  const names = tableNames(ask.table);
  const conditions = conditionsOf(names, ask.valid, 'sqlite');
  const tables = names.map((name, index) => {
    const valid = conditions[index];
    return { table: plainName(name), ...(valid === undefined ? {} : { valid }) };
  });
  const options = { signal: context.signal, about: copy };
  const older = `${copy}.older`;
  try {
    const result = await mergeAll(
      backup,
      {
        base: async (source) => {
          await bringCopy(component, source, copy, context);
          return runSqlite('mergeRows', { copy, tables, step: 'clean' }, options);
        },
        older: async (source) => {
          await bringCopy(component, source, older, context);
          return runSqlite('mergeRows', { copy, tables, step: 'older', other: older }, options);
        },
      },
      context.signal,
    );
    if (ask.valid !== undefined) {
      const live = await liveFile(component.path);
      await runSqlite('mergeRows', { copy, tables, step: 'live', other: live }, options);
    }
    return result;
  } finally {
    await rm(older, { force: true });
  }
}

/** SQLite has no schemas here: a dot belongs to the name. */
function plainName(name: string): string {
  return name.startsWith('"') ? (nameParts(name)[0] ?? name) : name;
}

async function questionOf(component: SqliteComponent, ask: RowsAsk, context: KindContext): Promise<RowsQuestion> {
  if (ask.database !== undefined) {
    throw new HoldfastError('BadInput', `${component.name} is a SQLite file: it has no database ${ask.database} in it`);
  }
  const names = tableNames(ask.table);
  const conditions = conditionsOf(names, ask.where, 'sqlite');
  const { copy } = await rowsFiles(context.stateDirectory, ask.rowsId);
  return {
    copy,
    live: await liveFile(component.path),
    tables: names.map((name, index) => {
      const where = conditions[index];
      return { table: plainName(name), ...(where === undefined ? {} : { where }) };
    }),
    onChanged: ask.onChanged,
  };
}

async function liveFile(path: string): Promise<string> {
  try {
    const live = await realpath(path);
    if ((await stat(live)).isFile()) return live;
  } catch (error) {
    if (!isMissing(error)) throw failureOf(error, `look at ${path}`);
  }
  throw new HoldfastError('SourceMissing', `${path} is not there: rows are put back into a live database`, {
    hint: 'Restore the whole component with `holdfast restore`.',
  });
}
