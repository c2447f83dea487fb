/** BTCDecoded: proposals in PostgreSQL, the votes on them in SQLite, configured by a file of the application. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { serve } from './http.ts';

const HOME = process.env['GOVERNANCE_HOME'] ?? '/opt/governance-app';
const pool = new pg.Pool({
  connectionString: readFileSync(join(HOME, '.env'), 'utf8').trim().split('=', 2)[1],
  max: 4,
});
pool.on('error', (error) => console.error(error.message));
const FILE = join(HOME, 'data', 'governance.db');

const votes = new DatabaseSync(FILE, { timeout: 30_000 });
votes.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS votes (proposal INTEGER PRIMARY KEY, yes INTEGER NOT NULL, no INTEGER NOT NULL)`);

/** The votes first, so that no proposal is without them. */
async function propose(id: number): Promise<void> {
  votes.prepare('INSERT OR IGNORE INTO votes VALUES (?, ?, ?)').run(id, id % 7, id % 3);
  await pool.query('INSERT INTO proposals (id, title) VALUES ($1, $2) ON CONFLICT DO NOTHING', [id, `proposal ${id}`]);
}

async function proposals(): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>('SELECT id FROM proposals ORDER BY id');
  return rows.map(({ id }) => id);
}

/** Opened anew: a handle would go on with a file that is deleted. */
function voted(): Set<number> {
  const fresh = new DatabaseSync(FILE, { readOnly: true, timeout: 30_000 });
  try {
    const rows = fresh.prepare('SELECT proposal FROM votes').all();
    return new Set(rows.map(({ proposal }) => Number(proposal)));
  } finally {
    fresh.close();
  }
}

/** Proposals with their votes: one without is open still, and owed to nobody. */
async function ids(): Promise<number[]> {
  const all = await proposals();
  const decided = voted();
  return all.filter((id) => decided.has(id));
}

/** What the application is made of is there, and both databases answer. */
async function health(): Promise<Record<string, unknown>> {
  for (const part of ['config/governance.yaml', 'migrations/0001-proposals.sql', 'keys/signing.key']) {
    if (!existsSync(join(HOME, part))) throw new Error(`there is no ${part}`);
  }
  const all = await proposals();
  const decided = voted();
  return { proposals: all.length, open: all.filter((id) => !decided.has(id)).length };
}

serve('proposals', {
  add: propose,
  ids,
  health,
  close: async () => {
    votes.close();
    await pool.end();
  },
});
