/**
 * Tracktion: each track is an audio file and rows about it. `tracktion.ts api` takes tracks; any other name stands for one of the
 * services around it, which look at the same database.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { serve } from './http.ts';

const AUDIO = process.env['AUDIO'] ?? '/app/data/audio_files';
const AUDIO_BYTES = 8 * 1024;
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 3 });
pool.on('error', (error) => console.error(error.message));

const fileOf = (id: number): string => join(AUDIO, String(id % 10), `${id}.wav`);

/** The file first, durable, so that no row is without it. */
async function add(id: number): Promise<void> {
  const seed = createHash('sha512').update(String(id)).digest();
  const bytes = Buffer.alloc(AUDIO_BYTES, seed);
  mkdirSync(join(AUDIO, String(id % 10)), { recursive: true });
  const file = await open(fileOf(id), 'w');
  await file.writeFile(bytes);
  await file.sync();
  await file.close();
  const sum = createHash('sha256').update(bytes).digest('hex');
  await pool.query(
    `WITH a AS (INSERT INTO audio_files (id, sha256) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id),
       t AS (INSERT INTO tracklists (audio_file, title) SELECT id, 'track ' || id FROM a)
     INSERT INTO analysis_results (audio_file, bpm) SELECT id, 90 + id % 60 FROM a`,
    [id, sum],
  );
}

async function ids(): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>('SELECT id FROM audio_files ORDER BY id');
  return rows.map(({ id }) => id);
}

/** Every row has its file, its tracklist and its analysis. */
async function health(): Promise<Record<string, unknown>> {
  const tracks = await ids();
  const missing = tracks.filter((id) => !existsSync(fileOf(id)));
  if (missing.length > 0) throw new Error(`${missing.length} of ${tracks.length} audio files are missing`);
  const { rows } = await pool.query<{ n: string }>(
    'SELECT count(*) AS n FROM tracklists JOIN analysis_results USING (audio_file)',
  );
  if (Number(rows[0]?.n) < tracks.length) throw new Error('tracks are without analysis');
  return { tracks: tracks.length };
}

async function reachable(): Promise<Record<string, unknown>> {
  await pool.query('SELECT 1 FROM audio_files LIMIT 1');
  return {};
}

const close = (): Promise<void> => pool.end();
if (process.argv[2] === 'api') serve('tracks', { add, ids, health, close });
else serve('nothing', { add: () => undefined, ids: () => [], health: reachable, close });
