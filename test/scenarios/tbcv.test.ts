import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import type { Up } from '../../sample/stack/holdfast.ts';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';

const SYSTEM = 'tbcv';
const LIMIT_MS = 180_000;
let directory: string;
let holdfast: Holdfast;
let up: Up;

function withDatabase<T>(use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(directory, 'tbcv.db'));
  try {
    return use(database);
  } finally {
    database.close();
  }
}

const run = (sql: string) => withDatabase((database) => database.exec(sql));
const workflows = () =>
  withDatabase((database) => Number(database.prepare('SELECT count(*) AS n FROM workflows').get()?.['n']));

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-tbcv-'));
  holdfast = new Holdfast(join(directory, 'home'));
  for (const each of [holdfast.home, join(directory, 'store')]) await mkdir(each);
  run(`PRAGMA journal_mode = WAL; CREATE TABLE workflows (id INTEGER PRIMARY KEY, state TEXT NOT NULL);
    CREATE TABLE audit_logs (id INTEGER PRIMARY KEY, words TEXT);
    INSERT INTO workflows (state) VALUES ('done'), ('done'), ('open')`);
  const requiredTables = ['workflows', 'audit_logs'];
  const file = join(directory, 'tbcv.yaml');
  await writeFile(
    file,
    stringify({
      system: SYSTEM,
      stores: { disk: { kind: 'directory', path: join(directory, 'store') } },
      components: { database: { kind: 'sqlite', tier: 'critical', path: join(directory, 'tbcv.db'), requiredTables } },
      plans: { hourly: { components: ['database'], stores: ['disk'], keep: { hourly: 168 }, rpo: '1h' } },
    }),
  );
  const init = await holdfast.run('init', file);
  if (init.code !== 0) throw new Error(init.stderr);
  up = await holdfast.up('--no-ui', '--no-page', '--port', '0');
}, LIMIT_MS);

afterAll(async () => {
  await up.stop();
  await rm(directory, { recursive: true, force: true });
}, LIMIT_MS);

async function backup(): Promise<void> {
  expect((await holdfast.ask<BackupResult>('backup', SYSTEM, 'hourly')).outcome).toBe('done');
}

async function restoreApproved(...args: string[]): Promise<RestoreResult> {
  const asked = await holdfast.run('restore', SYSTEM, ...args, '--json');
  if (asked.code !== 2) throw new Error(`the restore did not ask: ${asked.stderr}${asked.stdout}`);
  const { plan } = JSON.parse(asked.stdout) as { plan: RestorePlan };
  return holdfast.ask<RestoreResult>('approve', SYSTEM, plan.digest, '--by', 'a test', '--watch');
}

test('[B7] [G5] the database only, after confirmation: the current one is saved first, then the newest backup is there', async () => {
  await backup();
  run(`DELETE FROM workflows; INSERT INTO audit_logs (words) VALUES ('after the backup')`);
  const result = await restoreApproved();
  expect(result.outcome).toBe('restored');
  expect(result.safetyBackup).toBeDefined();
  expect(workflows()).toBe(3);
  // What was there before is in the safety backup, and is had back from it.
  await restoreApproved(result.safetyBackup ?? '', '--skip-safety-backup');
  expect(workflows()).toBe(0);
});

test('[B7] to a moment: the newest backup before it is taken, and later ones are not', async () => {
  run(`INSERT INTO workflows (state) VALUES ('a'), ('b'), ('c'), ('d'), ('e')`);
  await backup();
  const moment = new Date().toISOString();
  run(`INSERT INTO workflows (state) VALUES ('f')`);
  await backup();
  const result = await restoreApproved('--before', moment);
  expect(result.outcome).toBe('restored');
  expect(workflows()).toBe(5);
});

test('[B1] a required table is gone: the capture fails and says which', async () => {
  run('ALTER TABLE audit_logs RENAME TO audit_logs_gone');
  const failed = await holdfast.run('backup', SYSTEM, 'hourly');
  expect(failed.code).not.toBe(0);
  expect(failed.stderr).toContain('audit_logs');
});
