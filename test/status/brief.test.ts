/** Manifests and proofs are read once: what is kept counts only for the same object, judged by the same signers. */
import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { BriefCache } from '../../src/status/brief-cache.ts';
import { counts } from '../../src/policy/backup-seen.ts';
import { withAuthority } from '../../src/sites/authority.ts';
import { readSeen } from '../../src/status/brief.ts';
import { stateDirectory } from '../../src/system/home.ts';
import type { System } from '../../src/system/types.ts';
import { signerOf } from '../../src/vault/envelope.ts';
import { raiseGeneration } from '../../src/vault/sites/generation.ts';
import { makeTestVault, SYSTEM, type TestVault } from '../support/vault.ts';
import { storedBackup, systemOf } from './vault-system.ts';

let vault: TestVault;
let system: System;
let home: string;
const before = process.env['HOLDFAST_HOME'];

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'holdfast-brief-'));
  process.env['HOLDFAST_HOME'] = home;
  vault = await makeTestVault();
  system = systemOf(vault);
});

afterEach(async () => {
  await vault[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
  if (before === undefined) delete process.env['HOLDFAST_HOME'];
  else process.env['HOLDFAST_HOME'] = before;
});

const RULES = 'fencing: attested, assess: { from: { here: { command: ["true"] } } }';
const STORED_AT = new Date('2026-11-01T00:00:00Z');

/** Other bytes of the same length, as if they were written then. */
async function overwrite(key: string, at: Date): Promise<void> {
  const file = path.join(vault.storePath, key);
  await writeFile(file, Buffer.alloc((await stat(file)).size, 'x'));
  await utimes(file, at, at);
}

describe('backups in brief', () => {
  test('what was read once is not read again while its object is the same', async () => {
    const key = await storedBackup(vault, { proof: true });
    await utimes(path.join(vault.storePath, key), STORED_AT, STORED_AT);
    const first = await readSeen(system);
    expect(first.backups).toMatchObject([
      { plan: 'daily', trusted: true, stores: ['vault'], verdicts: [{ store: 'vault', level: 'content', ok: true }] },
    ]);
    expect(first.backups[0]?.verdicts[0]?.provedAtMs).toBeTypeOf('number');
    await overwrite(key, STORED_AT);
    expect(await readSeen(system)).toEqual(first);
  });

  test('an object that changed: it is read and judged again', async () => {
    const key = await storedBackup(vault, {});
    expect((await readSeen(system)).backups).toMatchObject([{ trusted: true }]);
    await overwrite(key, new Date());
    expect((await readSeen(system)).backups).toMatchObject([{ trusted: false }]);
  });

  test('another root: what the first one vouched for counts no more', async () => {
    await storedBackup(vault, {});
    expect((await readSeen(system)).backups).toMatchObject([{ trusted: true }]);
    const rootFingerprint = `SHA256:${'A'.repeat(43)}`;
    const strict = { ...system, keys: { ...system.keys, rootFingerprint } };
    expect((await readSeen(strict)).backups).toMatchObject([{ trusted: false }]);
    expect((await readSeen(system)).backups).toMatchObject([{ trusted: true }]);
  });

  test('a torn and a forged line: both are read from the store again', async () => {
    await storedBackup(vault, {});
    const first = await readSeen(system);
    const file = path.join(stateDirectory(SYSTEM), 'seen-vault.jsonl');
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text.replace('"trusted":true', '"trusted":false')}\n0123456789abcdef {"k":`);
    expect(await readSeen(system)).toEqual(first);
  });

  test('what a fenced site has made since the other went on: it is seen, and counts for nothing', async () => {
    const at = Date.now() - 120_000;
    await storedBackup(vault, { atMs: at, generation: 1 });
    await storedBackup(vault, { atMs: at + 60_000, generation: 1 });
    const sites = systemOf(vault, [
      '  identity: { env: NOT_NEEDED }',
      'site: ohio',
      `failover: { sites: [ohio, dublin], authority: vault, ${RULES} }`,
    ]);
    const by = { signer: signerOf(vault.keys.signer.privateKey), atMs: at + 90_000 };
    const origin = { generation: 1, backup: 'b', pointAt: new Date(at).toISOString() };
    await withAuthority(sites, async (authority) => {
      await raiseGeneration(authority, { n: 1, site: 'dublin', raiseId: 'first' }, by);
      await raiseGeneration(authority, { n: 2, site: 'ohio', raiseId: 'second', origin }, by);
    });
    const { backups } = await readSeen(sites);
    expect(backups.map(({ pointAtMs, apart }) => [pointAtMs - at, apart === undefined])).toEqual([
      [60_000, false],
      [0, true],
    ]);
    expect(backups.map(counts)).toEqual([false, true]);
  });

  test('a store that is gone: it is told, and nothing is thrown', async () => {
    await rm(vault.storePath, { recursive: true });
    const { backups, unread } = await readSeen(system);
    expect(backups).toEqual([]);
    expect(unread).toMatchObject([{ store: 'vault' }]);
  });
});

describe('the cache of records', () => {
  const info = (n: number) => ({ key: `k${n}`, sizeBytes: n, modifiedAtMs: n });

  test('two processes add at once: each finds what both have added', async () => {
    const file = path.join(home, 'cache');
    const [a, b] = [new BriefCache(file, 't'), new BriefCache(file, 't')];
    await Promise.all([a.open(), b.open()]);
    for (let n = 0; n < 500; n += 1) (n % 2 === 0 ? a : b).add(info(n), n);
    await Promise.all([a.save(), b.save()]);
    const both = new BriefCache(file, 't');
    await both.open();
    for (let n = 0; n < 500; n += 1) expect(both.get(info(n), z.number())).toBe(n);
  });

  test('objects that are gone: the file does not grow for ever', async () => {
    const file = path.join(home, 'cache');
    for (let round = 0; round < 5; round += 1) {
      const cache = new BriefCache(file, 't');
      await cache.open();
      for (let n = 0; n < 300; n += 1) cache.add(info(round * 1000 + n), 'x'.repeat(100));
      await cache.save();
    }
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
    expect(lines.length).toBeLessThan(1000);
  });
});
