/** What travels beside a captured SQLite file: what it must look like when it is back. */
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import type { Artifact, ArtifactReader, ChunkRecipe, MediaType } from '../../part.ts';
import { FIXED_CHUNK_BYTES } from '../../part.ts';
import type { SqliteComponent } from '../../system/types.ts';
import { runSqlite, type Examination } from '../sqlite/job.ts';
import type { CheckReport } from './component.ts';
import { readJsonArtifact } from './json-artifact.ts';

const examination = z.object({
  integrityProblems: z.array(z.string()).readonly(),
  foreignKeyViolations: z.number(),
  rows: z.record(z.string(), z.number().nullable()),
  schemaSha256: z.string(),
  userVersion: z.number(),
  applicationId: z.number(),
  pageSizeBytes: z.number(),
  sizeBytes: z.number(),
});

const sqliteFacts = z.object({
  format: z.literal(1),
  /** Of the live file. */
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  xattrs: z.array(z.object({ name: z.string(), valueBase64: z.string() })),
  /** The files as they were, of which SQLite could make nothing. */
  raw: z.literal(true).exactOptional(),
  database: examination,
});

export type SqliteFacts = z.infer<typeof sqliteFacts>;

export const DATABASE_TYPE = 'application/vnd.sqlite3';
export const FACTS = 'sqlite.json';

/** The database and its facts among the artifacts of a backup. Throws ArchiveBroken. */
export async function artifactsOf(
  component: string,
  artifacts: readonly ArtifactReader[],
  signal: AbortSignal,
): Promise<{ database: ArtifactReader; facts: SqliteFacts }> {
  const database = artifacts.find(({ mediaType }) => mediaType === DATABASE_TYPE);
  const facts = artifacts.find(({ name }) => name === FACTS);
  if (database === undefined || facts === undefined) {
    throw new HoldfastError('ArchiveBroken', `The backup of ${component} holds no SQLite file with its facts`);
  }
  const read = sqliteFacts.safeParse(await readJsonArtifact(facts, signal));
  if (!read.success) throw new HoldfastError('ArchiveBroken', `${FACTS} of ${component} is not what it should be`);
  return { database, facts: read.data };
}

/** A file that nobody changes, cut at fixed offsets: a changed page changes one chunk. */
export function fixedFileArtifact(
  name: string,
  path: string,
  stats: { readonly size: bigint; readonly mtimeNs: bigint; readonly ino: bigint },
  mediaType: MediaType = DATABASE_TYPE,
): Artifact {
  const lengthBytes = Number(stats.size);
  const expect = { sizeBytes: lengthBytes, mtimeNs: stats.mtimeNs, inode: stats.ino };
  function* recipes(): Generator<ChunkRecipe> {
    for (let offset = 0; offset < lengthBytes; offset += FIXED_CHUNK_BYTES) {
      const length = Math.min(FIXED_CHUNK_BYTES, lengthBytes - offset);
      yield { pieces: [{ kind: 'range', path, offset, length, expect }], lengthBytes: length };
    }
  }
  return {
    name,
    mediaType,
    async *segments() {
      await Promise.resolve();
      yield { kind: 'recipes', settled: false, lengthBytes, files: 1, recipes };
    },
  };
}

type Checks = CheckReport['checks'];

/** What the system file asks of a copy beyond its own integrity: least numbers of rows, and queries. */
export async function checkWishes(
  { checks }: Pick<SqliteComponent, 'checks'>,
  path: string,
  rows: Examination['rows'],
  signal: AbortSignal,
): Promise<{ readonly minimumRows: Checks; readonly assertions: Checks }> {
  const { minimumRows = {}, assertions = [] } = checks ?? {};
  const counted = Object.entries(minimumRows).map(([table, least]) => {
    const found = rows[table] ?? 0;
    return check(`rows of ${table}`, found >= least, `${found}, and at least ${least} must be there`);
  });
  const asked = assertions.length === 0 ? [] : await runSqlite('assert', { path, assertions }, { signal, about: path });
  return { minimumRows: counted, assertions: asked };
}

/** Compares what came back with what was captured. */
export function judge(expected: Examination, found: Examination, requiredTables: readonly string[]): CheckReport {
  const missing = requiredTables.filter((table) => found.rows[table] === undefined);
  const different = Object.keys({ ...expected.rows, ...found.rows }).filter(
    (table) => expected.rows[table] !== found.rows[table],
  );
  const total = Object.values(found.rows).reduce<number>((sum, rows) => sum + (rows ?? 0), 0);
  const checks = [
    check('integrity', found.integrityProblems.length === 0, found.integrityProblems.slice(0, 3).join('; ') || 'ok'),
    check(
      'foreign keys',
      found.foreignKeyViolations === expected.foreignKeyViolations,
      `${found.foreignKeyViolations} violations, ${expected.foreignKeyViolations} when captured`,
    ),
    check('schema', found.schemaSha256 === expected.schemaSha256, `${Object.keys(found.rows).length} tables`),
    check(
      'rows',
      different.length === 0,
      different.length === 0 ? `${total} rows, as captured` : `other numbers of rows in ${different.join(', ')}`,
    ),
    check('required tables', missing.length === 0, missing.length === 0 ? 'there' : `missing: ${missing.join(', ')}`),
  ];
  return { ok: checks.every(({ ok }) => ok), checks };
}

function check(name: string, ok: boolean, detail: string): CheckReport['checks'][number] {
  return { name, ok, detail };
}
