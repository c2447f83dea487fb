/** TBCV: workflows with their validation results in one SQLite file, and an audit trail beside it. */
import { appendFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { serve } from './http.ts';

const FILE = process.env['DATABASE'] ?? '/data/tbcv.db';
const AUDIT_TRAIL = process.env['AUDIT_TRAIL'] ?? '/state/.audit_log.jsonl';
const SCHEMA = `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
  CREATE TABLE IF NOT EXISTS workflows (id INTEGER PRIMARY KEY, state TEXT NOT NULL, at TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS validation_results
    (id INTEGER PRIMARY KEY, workflow_id INTEGER NOT NULL REFERENCES workflows ON DELETE CASCADE, verdict TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS results_of_workflow ON validation_results (workflow_id);
  CREATE TABLE IF NOT EXISTS recommendations
    (id INTEGER PRIMARY KEY, workflow_id INTEGER NOT NULL REFERENCES workflows ON DELETE CASCADE, words TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS audit_logs (id INTEGER PRIMARY KEY, words TEXT NOT NULL);`;

function withDatabase<T>(use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(FILE, { timeout: 30_000 });
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** One transaction; `synchronous = FULL` makes the commit durable before it returns. */
function add(id: number): void {
  withDatabase((database) => {
    database.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; BEGIN IMMEDIATE');
    try {
      const { changes } = database
        .prepare("INSERT OR IGNORE INTO workflows VALUES (?, 'done', ?)")
        .run(id, new Date().toISOString());
      if (Number(changes) > 0) {
        const result = database.prepare('INSERT INTO validation_results (workflow_id, verdict) VALUES (?, ?)');
        for (const verdict of ['style', 'facts']) result.run(id, `${verdict}: passed`);
        database.prepare('INSERT INTO recommendations (workflow_id, words) VALUES (?, ?)').run(id, 'shorten it');
        database.prepare('INSERT INTO audit_logs (words) VALUES (?)').run(`workflow ${id} done`);
      }
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  });
  appendFileSync(AUDIT_TRAIL, `${JSON.stringify({ at: new Date().toISOString(), workflow: id })}\n`);
}

function ids(): number[] {
  return withDatabase((database) =>
    database
      .prepare('SELECT id FROM workflows ORDER BY id')
      .all()
      .map(({ id }) => Number(id)),
  );
}

/** Opens the file anew each time, so that what is wrong on the disk shows. */
function health(): Record<string, unknown> {
  return withDatabase((database) => {
    const verdict = database.prepare('PRAGMA integrity_check').get()?.['integrity_check'];
    if (verdict !== 'ok') throw new Error(`integrity_check: ${String(verdict)}`);
    const sql = `SELECT (SELECT count(*) FROM workflows) AS workflows,
      (SELECT count(*) FROM validation_results) AS results, (SELECT count(*) FROM recommendations) AS recommendations`;
    const { workflows = 0, results = 0, recommendations = 0 } = database.prepare(sql).get() ?? {};
    if (Number(results) !== 2 * Number(workflows) || recommendations !== workflows) {
      throw new Error(`${String(workflows)} workflows have ${String(results)} results`);
    }
    const bad = database.prepare("SELECT count(*) AS n FROM workflows WHERE state <> 'done'").get()?.['n'];
    if (bad !== 0) throw new Error(`${String(bad)} workflows are in a state that there is not`);
    return { workflows: Number(workflows) };
  });
}

withDatabase((database) => database.exec(SCHEMA));
serve('workflows', { add, ids, health, close: () => undefined });
