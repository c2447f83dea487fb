import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { S3_ACCESS_KEY, S3_SECRET_KEY, startS3Server, type S3Server } from '../support/s3-server.ts';
import { holdfast, holdfastJson, up, type RunningUp } from './holdfast.ts';

/** The store of a lost machine is a bucket: what is left is the kit, and the credentials in the environment. */
// Whole operations of real servers, on a machine that may be busy.
vi.setConfig({ testTimeout: 300_000 });

/** As the system file names them. */
const OF_THE_FILE = { SHOP_S3_ID: S3_ACCESS_KEY, SHOP_S3_SECRET: S3_SECRET_KEY };
/** As every S3 program finds them; no file of the user who runs the tests may help out. */
const OF_THE_SDK = {
  AWS_ACCESS_KEY_ID: S3_ACCESS_KEY,
  AWS_SECRET_ACCESS_KEY: S3_SECRET_KEY,
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
};
/** Bytes that no text encoding would leave as they are. */
const BLOB = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff));

let directory: string;
let s3: S3Server;
let running: RunningUp | undefined;
const at = (...names: string[]): string => path.join(directory, ...names);

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-glass-s3-'));
  s3 = await startS3Server();
  await mkdir(at('data', 'sub'), { recursive: true });
  await writeFile(at('data', '.env'), 'KEY=1\n', { mode: 0o600 });
  await writeFile(at('data', 'sub', 'blob'), BLOB);
  const database = new DatabaseSync(at('balances.db'));
  database.exec('CREATE TABLE balances (owner TEXT PRIMARY KEY, amount INTEGER)');
  database.exec("INSERT INTO balances VALUES ('alice', 70), ('bob', 30)");
  database.close();
  await writeFile(
    at('shop.yaml'),
    [
      'system: shop',
      'stores:',
      '  bucket:',
      `    { kind: s3, bucket: ${s3.bucket}, endpoint: '${s3.url}', region: us-east-1,`,
      '      accessKeyId: { env: SHOP_S3_ID }, secretAccessKey: { env: SHOP_S3_SECRET } }',
      'components:',
      `  config: { kind: files, path: ${at('data')} }`,
      `  balances: { kind: sqlite, tier: critical, path: ${at('balances.db')}, requiredTables: [balances] }`,
      'plans:',
      '  daily: { components: [config, balances], stores: [bucket], rpo: 1d, verify: content }',
      '',
    ].join('\n'),
  );
});

afterAll(async () => {
  await running?.stop();
  await s3.stop();
  await rm(directory, { recursive: true, force: true });
});

it('[M6] the machine is lost, the vault is in a bucket: the kit and the credentials alone bring every byte back', async () => {
  const home = at('home');
  await holdfastJson(home, ['init', at('shop.yaml'), '--kit', at('kit.txt')], 0, OF_THE_FILE);
  running = await up(home, [], OF_THE_FILE);
  const backup = await holdfastJson<{ backup: string }>(home, ['backup', 'shop', 'daily'], 0, OF_THE_FILE);
  expect(backup).toMatchObject({ outcome: 'done', verified: { level: 'content', ok: true } });
  await running.stop();
  running = undefined;
  for (const lost of ['home', 'shop.yaml', 'data', 'balances.db']) await rm(at(lost), { recursive: true });

  const bare = at('bare');
  const kit = ['restore', '--kit', at('kit.txt')];
  const look = [...kit, '--dry-run', '--from-store', `s3://${s3.bucket}?endpoint=${s3.url}`];
  const { plan } = await holdfastJson<{ plan: { digest: string; backup: string } }>(bare, look, 0, OF_THE_SDK);
  expect(plan.backup).toBe(backup.backup);

  const restored = await holdfastJson<object>(bare, [...kit, '--approve', plan.digest], 0, OF_THE_SDK);
  expect(restored).toMatchObject({ outcome: 'restored', plan: { backup: backup.backup } });
  expect(await readFile(at('data', '.env'), 'utf8')).toBe('KEY=1\n');
  expect(BLOB.equals(await readFile(at('data', 'sub', 'blob')))).toBe(true);
  const database = new DatabaseSync(at('balances.db'), { readOnly: true });
  try {
    expect(database.prepare('SELECT owner, amount FROM balances ORDER BY owner').all()).toEqual([
      { owner: 'alice', amount: 70 },
      { owner: 'bob', amount: 30 },
    ]);
  } finally {
    database.close();
  }
});

it('the credentials are wrong: StoreDenied names the store, and no secret is repeated', async () => {
  const wrong = { ...OF_THE_SDK, AWS_SECRET_ACCESS_KEY: 'not-the-secret' };
  const refused = await holdfast(at('refused'), ['restore', '--kit', at('kit.txt'), '--dry-run', '--json'], wrong);
  expect(refused.code).not.toBe(0);
  const { error } = JSON.parse(refused.stdout) as { error: { code: string; message: string } };
  expect(error.code).toBe('StoreDenied');
  expect(error.message).toContain(s3.bucket);
  expect(refused.stdout + refused.stderr).not.toContain('not-the-secret');
});
