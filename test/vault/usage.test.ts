/** What lies in a store: every byte counted once, under the component whose backups need it. */
import { readFileSync } from 'node:fs';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { usageOf } from '../../src/cli/storage-report.ts';
import { storageText } from '../../src/cli/storage-texts.ts';
import { coloursFor } from '../../src/observe/colours.ts';
import { monthlyCost, priceOf, thawCost } from '../../src/policy/prices.ts';
import { parsePrices } from '../../src/system/prices.ts';
import type { StoreConfig } from '../../src/system/types.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { OTHERS, readUsage, type Usage } from '../../src/vault/usage.ts';
import { artifactOf, backUp, makeTestVault, noise, recipeSegment, type TestVault } from '../support/vault.ts';

const GIB = 1024 ** 3;
const PRICES = parsePrices(readFileSync(new URL('../../examples/prices.yaml', import.meta.url), 'utf8'), 'prices.yaml');

let vault: TestVault;

beforeAll(async () => {
  vault = await makeTestVault();
  const writer = await vault.writer();
  for (const captureId of ['run-1', 'run-2', 'run-3']) {
    const chunks = [noise(1, 200_000), noise(2, 100_000), Buffer.alloc(100_000)];
    await backUp(writer, { captureId, artifacts: [artifactOf('data', [recipeSegment('same', chunks)])] });
  }
  await writer.close();
});

afterAll(async () => {
  await vault[Symbol.asyncDispose]();
});

async function usage(withIdentity = true): Promise<Usage> {
  const { store, vaultId, keys } = vault;
  const roots = await readTrustRoots(store, vaultId, keys.root.fingerprint);
  const signal = new AbortController().signal;
  return readUsage({ store, vaultId, roots, signal }, withIdentity ? [keys.operations.identity] : undefined);
}

async function bytesOnDisk(path: string): Promise<number> {
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  const files = names.filter((name) => name.isFile() && !name.parentPath.includes('.tmp'));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(name.parentPath, name.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

const config: StoreConfig = {
  name: 'nas',
  kind: 'directory',
  path: '/nas',
  mustBeMounted: false,
  place: 'home',
  medium: 'disk',
  maintainedBy: 'local',
  verifyEverySeconds: 1,
};

describe('[T11] storage', () => {
  test('three equal backups: stored once, every byte of the store in one row', async () => {
    const found = await usage();
    expect(found.rows.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(await bytesOnDisk(vault.storePath));
    expect(found).toMatchObject({ backups: 3, unread: 0 });
    expect(found.plainBytes).toBe(3 * (400_000 + `system: stack-under-test\n`.length));
    expect(found.uniquePlainBytes).toBe(400_000 + `system: stack-under-test\n`.length);
    expect(found.rows.map(({ of }) => of)).toEqual(
      expect.arrayContaining(['ledger', OTHERS.system, OTHERS.records] as string[]),
    );
    expect(found.rows.some(({ of }) => of === OTHERS.unnamed)).toBe(false);
    const { dedupRatio = 0, compressionRatio = 0, ratio = 0 } = usageOf(config, found, undefined);
    expect(dedupRatio).toBeCloseTo(3, 5);
    expect(ratio).toBeCloseTo(dedupRatio * compressionRatio, 5);
    expect(compressionRatio).toBeGreaterThan(1.2);
    expect(found.growth).toHaveLength(1);
    expect(found.growth[0]).toMatchObject({ backups: 3, plainBytes: found.plainBytes });
  });

  test('no identity: all but what is unique; an object that no backup names: told as what a prune frees', async () => {
    const orphan = 'ab'.repeat(32);
    await vault.store.put(`chunks/ab/${orphan}`, new Uint8Array(1000), { createOnly: true });
    const found = await usage(false);
    expect(found.uniquePlainBytes).toBeUndefined();
    const shown = usageOf(config, found, PRICES);
    expect(shown).toMatchObject({ prunableBytes: 1000 });
    expect(shown.costPerMonth).toBeCloseTo((shown.bytes / GIB) * 0.01, 10);
    const text = storageText(
      { system: 's', currency: 'USD', stores: [shown], unread: [] },
      coloursFor({ isTTY: false }),
    );
    expect(text).toContain('less than 0.01 USD');
    expect(text).toContain('named by no backup: 1000 B');
    await vault.store.delete(`chunks/ab/${orphan}`);
  });

  test('a damaged manifest: the report goes on and says that something was not read', async () => {
    const names = await readdir(join(vault.storePath, 'backups'), { recursive: true });
    const manifest = join(vault.storePath, 'backups', names.find((name) => name.endsWith('.json')) ?? '');
    const before = readFileSync(manifest);
    await writeFile(manifest, 'nothing');
    expect(await usage()).toMatchObject({ backups: 2, unread: 1 });
    await writeFile(manifest, before);
  });

  test('prices: the row that says most counts, and what it does not say is not made up', () => {
    const s3 = { kind: 's3', store: 'any', region: 'us-east-1' } as const;
    expect(priceOf(PRICES, s3)?.gibMonth).toBe(0.023);
    const deep = priceOf(PRICES, { ...s3, class: 'DEEP_ARCHIVE' });
    expect(deep?.gibMonth).toBe(0.00099);
    expect(priceOf(PRICES, { ...s3, store: 'nas-s3', class: 'STANDARD' })?.gibMonth).toBe(0.005);
    expect(priceOf({ ...PRICES, rows: [] }, s3)).toBeUndefined();
    if (deep === undefined) throw new Error('the example has no row for DEEP_ARCHIVE');
    expect(monthlyCost(deep, 1000 * GIB)).toBeCloseTo(0.99, 5);
    expect(thawCost(deep, 'bulk', { bytes: 100 * GIB, objects: 2000 })).toBeCloseTo(0.25 + 0.05, 5);
    expect(thawCost(deep, 'expedited', { bytes: 1, objects: 1 })).toBeUndefined();
    expect(() => parsePrices('rows: 3', 'p.yaml')).toThrow(/p\.yaml/);
  });
});
