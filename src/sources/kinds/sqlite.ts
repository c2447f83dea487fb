/** A SQLite database on the host, in use or not. */
import type { BigIntStats } from 'node:fs';
import { lstat, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import type { SqliteComponent } from '../../system/types.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import { exists, Replacement } from '../replacement.ts';
import type { ReplacementRecord } from '../replacement.ts';
import { withScratch } from '../sqlite/scratch.ts';
import { runSqlite } from '../sqlite/job.ts';
import type { Examination } from '../sqlite/job.ts';
import { writeStream } from '../sqlite/write-stream.ts';
import { resolved } from '../tree/live.ts';
import { readXattrs, setXattr, systemCallsProblem } from '../system-calls.ts';
import type { Beside, Captured, CheckReport, ComponentKind, KindContext, LiveState } from './component.ts';
import { captureRaw, writeLogs } from './sqlite-raw.ts';
import { looksLikeSqlite, settle, settleUnused } from './sqlite-settle.ts';
import { jsonArtifact } from './json-artifact.ts';
import { artifactsOf, checkWishes, FACTS, fixedFileArtifact, judge } from './sqlite-facts.ts';
import type { SqliteFacts } from './sqlite-facts.ts';

/** What SQLite keeps beside a database; left over, it would be applied to whatever has the database's name. */
const SIDECARS = ['-wal', '-shm', '-journal'];
/** A database that is locked for so long is not waited for any longer. */
const BACKUP_DEADLINE_MS = 30 * 60_000;
/** Tables whose row counts a manifest names. */
const MOST_TABLES = 50;

interface Expected {
  readonly facts: SqliteFacts;
  readonly file: string;
}

export const sqliteKind: ComponentKind<SqliteComponent> = {
  kind: 'sqlite',

  async capture(component, sink, context): Promise<Captured> {
    const live = await liveFile(component, context);
    return withScratch(context.stateDirectory, component.name, async (scratch) => {
      const read = await readWhole(live, scratch, context);
      if (typeof read === 'string') {
        const facts = await factsOfFile(live);
        return captureRaw(component, { live, scratch, facts }, read, { sink, context });
      }
      const { signal } = context;
      if (context.raw !== true) refuseBad(live, component, read);
      const wishes = await checkWishes(component, scratch, read.rows, signal);
      if (context.raw !== true) refuseShort(live, wishes.minimumRows);
      const stats = await stat(scratch, { bigint: true });
      context.report({ phase: 'store', bytesTotal: Number(stats.size) });
      await sink.store(fixedFileArtifact(basename(component.path), scratch, stats));
      await sink.store(jsonArtifact(FACTS, { ...(await factsOfFile(live)), database: read } satisfies SqliteFacts));
      return captured(live, read, wishes.assertions);
    });
  },

  async inspect(component): Promise<LiveState> {
    const live = await resolved(component.path);
    try {
      const sizes = await Promise.all([live, `${live}-wal`].map(statOrNothing));
      const [main] = sizes;
      if (main === undefined) return { exists: false, usedBy: [], problems: [] };
      return {
        exists: true,
        sizeBytes: Number(main.size),
        newestChangeMs: Math.max(...sizes.map((stats) => Number(stats?.mtimeMs ?? 0))),
        usedBy: component.usedBy,
        problems: main.isFile() ? [] : [`${live} is not a file`],
      };
    } catch (error) {
      return { exists: true, usedBy: [], problems: [failureOf(error, `look at ${live}`).message] };
    }
  },

  async restoreBeside(component, artifacts, target, restoreId, context): Promise<Beside> {
    if (target.paths.length > 0) {
      throw new HoldfastError('BadInput', `${component.name} is a SQLite file; there are no single paths in it`);
    }
    const { database, facts } = await artifactsOf(component.name, artifacts, context.signal);
    const live = await resolved(component.path);
    const elsewhere = target.elsewhere ?? null;
    const replacement = replacementOf(component, restoreId, context);
    const record = await replacement.begin(live, dirname(elsewhere ?? live), elsewhere);
    const expected: Expected = { facts, file: basename(elsewhere ?? live) };
    const copy = join(record.work, expected.file);
    await writeCopy(database, copy, facts, context);
    await replacement.deliver(await replacement.update({ ...record, expected }), copy);
    if (facts.raw === true && elsewhere !== null) await writeLogs(component, artifacts, elsewhere, context);
    const rows = Object.values(facts.database.rows).reduce<number>((sum, count) => sum + (count ?? 0), 0);
    return {
      component: component.name,
      restoreId,
      place: elsewhere ?? copy,
      facts: { sizeBytes: database.lengthBytes, rows, elsewhere: elsewhere !== null },
    };
  },

  async checkBeside(component, beside, context): Promise<CheckReport> {
    const record = await replacementOf(component, beside.restoreId, context).known();
    const path = record.elsewhere ?? copyOf(record);
    // For somebody to look into, never to be taken into use.
    if ((record.expected as Expected).facts.raw === true && record.elsewhere !== null) {
      const detail = 'kept byte by byte when it was no whole database; sqlite3 may recover something of it';
      return { ok: true, checks: [{ name: 'as it was', ok: true, detail }] };
    }
    try {
      const found = await runSqlite('examine', { path }, { signal: context.signal, about: path });
      const report = judge((record.expected as Expected).facts.database, found, component.requiredTables);
      const wishes = await checkWishes(component, path, found.rows, context.signal);
      const checks = [...report.checks, ...wishes.minimumRows, ...wishes.assertions];
      return { ok: checks.every(({ ok }) => ok), checks };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'SourceCorrupt') throw error;
      return { ok: false, checks: [{ name: 'integrity', ok: false, detail: error.message }] };
    }
  },

  async swapIn(component, beside, context) {
    const replacement = replacementOf(component, beside.restoreId, context);
    const record = await replacement.known();
    if (record.elsewhere !== null) return;
    await replacement.swapIn(async () => {
      const { live } = record;
      await settleUnused(live, context);
      const copy = copyOf(record);
      const left = [];
      for (const suffix of SIDECARS) {
        if (await exists(live + suffix)) left.push({ live: live + suffix, beside: copy + suffix, optional: true });
      }
      return [...left, { live, beside: copy }];
    });
  },

  async swapBack(component, beside, context) {
    const replacement = replacementOf(component, beside.restoreId, context);
    const swap = await replacement.swap();
    if (swap === undefined || (await swap.untouched())) return;
    const record = await replacement.known();
    if (!(await swap.isOld(record.live))) await putSidecarsAway(record, context);
    await swap.undo();
  },

  async reopen(component, beside, context) {
    await replacementOf(component, beside.restoreId, context).fillAbsence();
  },

  async commit(component, beside, { keep }, context) {
    return replacementOf(component, beside.restoreId, context).commit(keep);
  },

  async discard(component, beside, context) {
    await replacementOf(component, beside.restoreId, context).discard();
  },
};

function replacementOf(component: SqliteComponent, restoreId: string, context: KindContext): Replacement {
  return new Replacement(context.stateDirectory, restoreId, component.name);
}

function copyOf(record: ReplacementRecord): string {
  return join(record.work, (record.expected as Expected).file);
}

async function statOrNothing(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw failureOf(error, `look at ${path}`);
  }
}

/** What the copy is, or in a raw capture why nothing can be made of it. */
async function readWhole(live: string, scratch: string, context: KindContext): Promise<Examination | string> {
  const { signal, raw } = context;
  // SQLite would throw away the log of what it takes for no database.
  if (raw === true && !(await looksLikeSqlite(live))) return 'it does not begin as a SQLite database does';
  try {
    context.report({ phase: 'copy' });
    await runSqlite('backup', { from: live, to: scratch }, { signal, deadlineMs: BACKUP_DEADLINE_MS, about: live });
    context.report({ phase: 'check' });
    const found = await runSqlite('examine', { path: scratch }, { signal, about: `the copy of ${live}` });
    return raw === true && found.integrityProblems.length > 0 ? found.integrityProblems.slice(0, 3).join('; ') : found;
  } catch (error) {
    if (raw !== true || !(error instanceof HoldfastError) || error.code !== 'SourceCorrupt') throw error;
    return error.message;
  }
}

async function liveFile(component: SqliteComponent, { raw }: KindContext): Promise<string> {
  const live = await resolved(component.path);
  const stats = await statOrNothing(live);
  if (stats === undefined) throw new HoldfastError('SourceMissing', `${component.path} does not exist`);
  if (!stats.isFile()) throw new HoldfastError('BadInput', `${component.path} is not a file`);
  if (stats.size === 0n && raw !== true)
    throw new HoldfastError('SourceEmpty', `${component.path} is empty: no database yet`);
  return live;
}

function refuseBad(live: string, component: SqliteComponent, found: Examination): void {
  if (found.integrityProblems.length > 0) {
    throw new HoldfastError(
      'SourceCorrupt',
      `${live} fails its integrity check: ${found.integrityProblems.join('; ')}`,
    );
  }
  const tables = Object.keys(found.rows);
  if (tables.length === 0) throw new HoldfastError('SourceEmpty', `${live} has no tables`);
  const missing = component.requiredTables.filter((table) => !tables.includes(table));
  if (missing.length > 0) {
    throw new HoldfastError('CheckFailed', `${live} lacks the required tables ${missing.join(', ')}`);
  }
}

function refuseShort(live: string, minimumRows: CheckReport['checks']): void {
  const short = minimumRows.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  if (short.length === 0) return;
  throw new HoldfastError('CheckFailed', `${live} lacks rows: ${short.join('; ')}`, {
    hint: 'See what became of the rows; if it is right so, lower `minimumRows` in the system file.',
  });
}

async function factsOfFile(live: string): Promise<Omit<SqliteFacts, 'database'>> {
  const stats = await stat(live);
  const xattrs = systemCallsProblem() === undefined ? readXattrs(live) : [];
  return {
    format: 1,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    xattrs: xattrs.map(({ name, value }) => ({ name: name.toString(), valueBase64: value.toString('base64') })),
  };
}

/** An assertion that fails is no reason to have no backup; it is told, and a restore is judged by it. */
function captured(live: string, database: Examination, assertions: CheckReport['checks']): Captured {
  const { rows, integrityProblems, ...small } = database;
  const warnings: string[] = [];
  if (database.foreignKeyViolations > 0) {
    warnings.push(`${live} has ${database.foreignKeyViolations} violations of foreign keys`);
  }
  warnings.push(...assertions.filter(({ ok }) => !ok).map(({ name, detail }) => `assertion "${name}": ${detail}`));
  return {
    facts: {
      ...small,
      integrity: integrityProblems.length === 0 ? 'ok' : 'bad',
      tables: Object.keys(rows).length,
      rows: Object.fromEntries(Object.entries(rows).slice(0, MOST_TABLES)),
    },
    warnings,
  };
}

/** The copy under its final owner and mode, durable. */
async function writeCopy(
  database: ArtifactReader,
  path: string,
  facts: SqliteFacts,
  context: KindContext,
): Promise<void> {
  await writeStream(database, path, context, async (handle) => {
    if (process.geteuid?.() === 0) await handle.chown(facts.uid, facts.gid);
    for (const { name, valueBase64 } of facts.xattrs) setXattr(path, name, Buffer.from(valueBase64, 'base64'));
    await handle.chmod(facts.mode);
  });
}

/** What the restored database has beside it must not meet the old one, which comes back under the same name. */
async function putSidecarsAway(record: ReplacementRecord, context: KindContext): Promise<void> {
  const { live } = record;
  if (await exists(live)) await settle(live, context);
  for (const suffix of SIDECARS) {
    if (await exists(live + suffix)) await rename(live + suffix, `${copyOf(record)}.undone${suffix}`);
  }
}
