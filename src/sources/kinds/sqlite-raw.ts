/** The files of a SQLite database that can't be read as one, kept as they are before a restore replaces them. */
import { constants } from 'node:fs';
import { copyFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ArtifactReader } from '../../part.ts';
import type { SqliteComponent } from '../../system/types.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import type { Examination } from '../sqlite/job.ts';
import { writeStream } from '../sqlite/write-stream.ts';
import type { Captured, CaptureSink, KindContext } from './component.ts';
import { jsonArtifact } from './json-artifact.ts';
import { DATABASE_TYPE, FACTS, fixedFileArtifact, type SqliteFacts } from './sqlite-facts.ts';

/** What may hold transactions that are not in the database yet; the shared memory beside them is made anew. */
const LOGS = ['-wal', '-journal'];
const LOG_TYPE = 'application/octet-stream';

/**
 * Stores the database and what lies beside it byte by byte. Nothing is asked of SQLite, so that nothing changes; who
 * writes to it meanwhile may leave a torn copy, which is no worse than what was there.
 */
export async function captureRaw(
  component: SqliteComponent,
  { live, scratch, facts }: { live: string; scratch: string; facts: Omit<SqliteFacts, 'database'> },
  why: string,
  { sink, context }: { sink: CaptureSink; context: KindContext },
): Promise<Captured> {
  const sizes: Record<string, number> = {};
  const name = basename(component.path);
  for (const suffix of ['', ...LOGS]) {
    if (!(await copied(live + suffix, scratch + suffix))) continue;
    context.signal.throwIfAborted();
    const stats = await stat(scratch + suffix, { bigint: true });
    sizes[name + suffix] = Number(stats.size);
    context.report({ phase: 'store', bytesTotal: Number(stats.size) });
    const mediaType = suffix === '' ? DATABASE_TYPE : LOG_TYPE;
    await sink.store(fixedFileArtifact(name + suffix, scratch + suffix, stats, mediaType));
  }
  const database = unread(why, sizes[name] ?? 0);
  await sink.store(jsonArtifact(FACTS, { ...facts, raw: true, database } satisfies SqliteFacts));
  return {
    facts: { raw: true, integrity: 'bad', files: sizes },
    warnings: [`${live} was kept byte by byte, because it is no whole database: ${why}`],
  };
}

async function copied(from: string, to: string): Promise<boolean> {
  try {
    await rm(to, { force: true });
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw failureOf(error, `copy ${from}`);
  }
}

function unread(why: string, sizeBytes: number): Examination {
  const nothing = { foreignKeyViolations: 0, rows: {}, schemaSha256: '', userVersion: 0, applicationId: 0 };
  return { ...nothing, integrityProblems: [why], pageSizeBytes: 0, sizeBytes };
}

/** What lay beside such a database goes beside the place that it was restored to. A repeat writes it again. */
export async function writeLogs(
  component: SqliteComponent,
  artifacts: readonly ArtifactReader[],
  place: string,
  context: KindContext,
): Promise<void> {
  const name = basename(component.path);
  for (const suffix of LOGS) {
    const log = artifacts.find((artifact) => artifact.name === name + suffix);
    if (log === undefined) continue;
    const at = `${join(place)}${suffix}`;
    await rm(at, { force: true });
    await writeStream(log, at, context);
  }
}
