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
import type { RowsApplied, RowsAsk, RowsCopy, RowsKind, RowsPreview } from './rows-kind.ts';
import type { RowsQuestion } from './sqlite-compare.ts';

/** A live database that stays locked for so long is not waited for any longer in one attempt. */
const DEADLINE_MS = 5 * 60_000;

export const sqliteRows: RowsKind<SqliteComponent> = {
  async bring(component, backup, ask, context): Promise<RowsCopy> {
    const files = await rowsFiles(context.stateDirectory, ask.rowsId);
    const noted = await copyRecord(files);
    if (noted?.manifestKey === backup.manifestKey) return copyOf(noted);
    await forgetCopy(files);
    await rm(files.copy, { force: true });
    const { database, facts } = await artifactsOf(component.name, await backup.artifacts(), context.signal);
    await writeStream(database, files.copy, context);
    context.report({ phase: 'check the copy' });
    const found = await runSqlite('examine', { path: files.copy }, { signal: context.signal, about: files.copy });
    const { ok, checks } = judge(facts.database, found, []);
    if (!ok) {
      const words = checks.filter((check) => !check.ok).map(({ name, detail }) => `${name}: ${detail}`);
      throw new HoldfastError('CheckFailed', `the copy of ${component.name} is not as captured: ${words.join('; ')}`);
    }
    const record = { manifestKey: backup.manifestKey, place: files.copy, keep: backup.keep, whole: true };
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
      // SQLite has no schemas here: a dot belongs to the name.
      const table = name.startsWith('"') ? (nameParts(name)[0] ?? name) : name;
      return { table, ...(where === undefined ? {} : { where }) };
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
