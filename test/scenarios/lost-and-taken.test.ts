/**
 * Files are deleted by accident; records are damaged one by one and unseen; then all files are taken hostage, also those
 * that the newest backups hold. Each time what is right comes back, by the commands a person types.
 */
import { createCipheriv, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type {
  BackupResult,
  CleanPointResult,
  MissingResult,
  RestoreResult,
  RowsResult,
} from '../../src/workflows/contract.ts';
import { jsonOf } from '../activities/rows-helpers.ts';
import { makeSite, type Site } from '../activities/site.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let site: Site;
let first: string;
const uploads = (...names: string[]): string => site.data(path.join('uploads', ...names));

beforeAll(async () => {
  site = await makeSite((data) =>
    [
      'components:',
      `  uploads: { kind: files, path: ${data('uploads')} }`,
      `  shop: { kind: sqlite, path: ${data('shop.db')} }`,
      'plans:',
      '  daily: { components: [uploads, shop], stores: [disk] }',
      'cleanPoint:',
      '  queries:',
      '    no-strangers: { component: shop, query: "select count(*) from users where name = \'intruder\'", equals: 0 }',
    ].join('\n'),
  );
  await mkdir(uploads('2026'), { recursive: true });
  for (let index = 0; index < 12; index += 1) writeFileSync(uploads(`letter-${index}.txt`), letter(index));
  for (let index = 0; index < 4; index += 1) writeFileSync(uploads('2026', `bill-${index}.csv`), letter(100 + index));
  shop((database) => {
    database.exec(`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, balance INTEGER);
      INSERT INTO users VALUES (1, 'ann', 10), (2, 'bob', 20), (3, 'cat', 30), (4, 'dan', 40)`);
  });
  await site.startWorkers();
  first = await backup();
});

afterAll(() => site[Symbol.asyncDispose]());

function letter(index: number): string {
  return Array.from({ length: 200 }, (_, line) => `letter ${index}, line ${line}: all is well\n`).join('');
}

function shop<T>(use: (database: DatabaseSync) => T): T {
  using database = new DatabaseSync(site.data('shop.db'), { timeout: 60_000 });
  return use(database);
}

async function backup(): Promise<string> {
  const { outcome, backup: id = '' } = await site.run<BackupResult>('backup', { plan: 'daily' });
  expect(outcome).toBe('done');
  return id;
}

/** As a person does it: the preview first, then its digest approved. */
async function approved<T>(...args: string[]): Promise<T> {
  const { plan } = await jsonOf<{ plan: { digest: string } }>(site, ...args, '--dry-run');
  return jsonOf<T>(site, ...args, '--approve', plan.digest, '--by', 'ann');
}

test('accidental deletion: files and a directory come back, nothing else is touched, and it can be taken back [B8]', async () => {
  rmSync(uploads('2026'), { recursive: true });
  rmSync(uploads('letter-3.txt'));
  writeFileSync(uploads('letter-4.txt'), 'written since');
  const before = statSync(uploads('letter-5.txt')).ino;
  const result = await approved<MissingResult>('missing', site.system, 'uploads');
  expect(result).toMatchObject({ outcome: 'restored', done: { files: 5, directories: 1 }, left: 0, failed: 0 });
  expect(readFileSync(uploads('letter-3.txt'), 'utf8')).toBe(letter(3));
  expect(readdirSync(uploads('2026')).length).toBe(4);
  expect(readFileSync(uploads('letter-4.txt'), 'utf8')).toBe('written since');
  expect(statSync(uploads('letter-5.txt')).ino).toBe(before);
  expect(readdirSync(site.data('.')).filter((name) => name.startsWith('.holdfast'))).toEqual([]);

  writeFileSync(uploads('2026', 'bill-0.csv'), 'edited');
  const undo = ['missing', site.system, 'uploads', '--undo', result.run];
  const { plan } = await jsonOf<MissingResult>(site, ...undo, '--dry-run');
  expect(plan).toMatchObject({ missing: { files: 4 }, changedSince: 1 });
  expect(await jsonOf(site, ...undo, '--approve', plan.digest)).toMatchObject({
    outcome: 'undone',
    done: { files: 4 },
  });
  expect([existsSync(uploads('letter-3.txt')), readdirSync(uploads('2026'))]).toEqual([false, ['bill-0.csv']]);
  await approved('missing', site.system, 'uploads');
  expect(readFileSync(uploads('letter-3.txt'), 'utf8')).toBe(letter(3));
});

test('ransomware: a clean backup between bad ones is found, with what was found in each, and comes back by that name alone [B7] [B8] [T4]', async () => {
  writeFileSync(uploads('letter-good.txt'), letter(600));
  const good = await backup();
  shop((database) => {
    database.exec(`INSERT INTO users VALUES (666, 'intruder', 0)`);
  });
  const planted = await backup();
  shop((database) => {
    database.exec('DELETE FROM users WHERE id = 666');
  });
  writeFileSync(uploads('letter-new.txt'), letter(500));
  const clean = await backup();
  for (const name of readdirSync(uploads()).filter((each) => each.startsWith('letter-'))) takeHostage(uploads(name));
  const taken = await backup();
  writeFileSync(uploads('letter-after.txt'), letter(501));
  const after = await backup();

  const found = await jsonOf<CleanPointResult>(site, 'clean-point', site.system, '--backups', '6');
  expect(found).toMatchObject({
    outcome: 'found',
    backup: clean,
    notClean: [after, taken, planted],
    undecided: [first],
  });
  // Nothing older is there to compare the first one's files with; the next one is clean, and older than a bad one.
  expect(found.verdicts.find(({ backup: id }) => id === good)?.state).toBe('clean');
  const evidence = readFileSync(path.join(found.evidence, `uploads-${taken}.jsonl`), 'utf8');
  // Of fourteen one got another name, and one may be too small to tell.
  expect(evidence.match(/became unreadable/g)?.length).toBeGreaterThan(10);
  expect(evidence).toContain('named like a hostage');
  expect(evidence).toContain('letter-7.txt');
  expect(readFileSync(found.reportFile ?? '', 'utf8')).toContain(`${clean} of`);
  expect(readdirSync(path.join(site.directory, 'store/reports/clean-point')).length).toBe(1);
  expect(readdirSync(site.data('.')).filter((name) => name.startsWith('.holdfast'))).toEqual([]);

  const restore = ['restore', site.system, '--backup', 'clean', '--component', 'uploads'];
  const { plan: shown } = await jsonOf<RestoreResult>(site, ...restore, '--dry-run');
  expect(shown.backup).toBe(clean);
  expect(shown.warnings.join()).toContain('clean by the search of');
  const done = await jsonOf<RestoreResult>(site, ...restore, '--approve', shown.digest, '--by', 'ann');
  expect(done.outcome).toBe('restored');
  expect(readFileSync(uploads('letter-7.txt'), 'utf8')).toBe(letter(7));

  // A scanner of the operator's finds something in what it is asked about: none is clean, and the exit code says so.
  const scan = `touch /etc/holdfast-was-here 2>/dev/null; ! grep -rq '' "$HOLDFAST_SCRATCH" || { echo found; exit 1; }`;
  const args = [
    'clean-point',
    site.system,
    '--component',
    'uploads',
    '--backups',
    '1',
    '--no-entropy',
    '--check',
    scan,
  ];
  await expect(site.holdfast(...args)).rejects.toMatchObject({ code: 1 });
  expect(existsSync('/etc/holdfast-was-here')).toBe(false);
  // Only the newest search counts.
  await expect(site.holdfast(...restore, '--dry-run')).rejects.toMatchObject({
    stderr: expect.stringContaining('found no clean backup among 1') as string,
  });
});

test('partial loss: damaged and deleted records come from the newest backup in which each is whole [B8]', async () => {
  const set = (sql: string) =>
    shop((database) => {
      database.exec(sql);
    });
  const all = () => shop((database) => database.prepare('SELECT name, balance FROM users ORDER BY id').all());
  const older = await backup();
  set("UPDATE users SET balance = 11 WHERE name = 'ann'; UPDATE users SET balance = -1 WHERE name = 'bob'");
  const newer = await backup();
  set("UPDATE users SET balance = -7 WHERE name IN ('ann', 'bob'); DELETE FROM users WHERE name = 'cat'");
  set("UPDATE users SET balance = 41 WHERE name = 'dan'");
  const args = ['rows', site.system, 'shop', '--table', 'users', '--from', older, '--from', newer];
  const how = ['--valid', 'balance >= 0', '--on-changed', 'restore'];
  const result = await approved<RowsResult>(...args, ...how);
  expect(result).toMatchObject({ outcome: 'restored', added: 1, replaced: 2 });
  expect(result.plan.merged).toMatchObject([
    { backup: newer, taken: 3, invalid: 1, differs: 0 },
    { backup: older, taken: 1, invalid: 0, differs: 1 },
  ]);
  // Ann as in the newer one, Bob as in the older one, Cat back, Dan as he is.
  expect(all().map((row) => Object.values(row).join(' '))).toEqual(['ann 11', 'bob 20', 'cat 30', 'dan 41']);
});

/** In place, or under another name. */
function takeHostage(file: string): void {
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), randomBytes(16));
  writeFileSync(file, Buffer.concat([cipher.update(readFileSync(file)), cipher.final()]));
  if (file.endsWith('letter-0.txt')) renameSync(file, `${file}.locked`);
}
