/** Bad objects are replaced from another store, put aside first, and stored again by the next capture where none has them. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Store } from '../../src/stores/index.ts';
import { sealBytes } from '../../src/seal/index.ts';
import { keysIn } from '../../src/vault/listed.ts';
import { sha256Hex } from '../../src/vault/names.ts';
import { readBackOf } from '../../src/policy/read-back.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { objectOfCase } from '../../src/vault/verify/quarantine.ts';
import { parseReading, readingOf, readReadings } from '../../src/vault/verify/readings.ts';
import { badOf, DAMAGES, look, makeRottenVault, ruin, type Damage, type RottenVault } from '../support/bit-rot.ts';
import { artifactOf, backUp, noise, openDirectory, readAll, recipeSegment, streamSegment } from '../support/vault.ts';
import { watched } from '../support/watched-store.ts';

let rotten: RottenVault;
let places: string;
let twinPath: string;
let twin: Store;

beforeAll(async () => {
  rotten = await makeRottenVault();
  places = await mkdtemp(join(tmpdir(), 'holdfast-twin-'));
  twinPath = join(places, 'twin');
  await cp(rotten.vault.storePath, twinPath, { recursive: true });
  twin = await openDirectory(twinPath);
});

afterAll(async () => {
  await rm(places, { recursive: true, force: true });
  await rotten.vault[Symbol.asyncDispose]();
});

const others = () => [{ name: 'twin', store: twin }];

async function restored(store: Store = rotten.vault.store): Promise<Buffer> {
  const last = rotten.backups.at(-1);
  const reader = await rotten.vault.reader({ store });
  try {
    const backup = await reader.open(last?.manifestKey ?? '');
    const [tree] = await backup.artifacts('ledger');
    return await readAll(tree);
  } finally {
    await reader.close();
  }
}

async function casesOf(path: string, object: string): Promise<string[]> {
  const names = await readdir(join(path, 'quarantine'), { recursive: true }).catch(() => []);
  return names.map((name) => `quarantine/${name}`).filter((key) => objectOfCase(key) === object);
}

function first(kind: string): string {
  return rotten.kinds.get(kind)?.[0] ?? '';
}

describe('[M6] healing from another store', () => {
  const kinds = ['chunks', 'leaf list', 'sums', 'backups', 'signers', 'log range'];
  const cases = kinds.map((kind, index) => [kind, DAMAGES[index % 4] ?? 'flipped'] as const);

  const alone: [string, Damage][] = [
    ['chunks', 'deleted'],
    ['signers', 'deleted'],
    ['backups', 'deleted'],
    ['holds', 'deleted'],
    ['RECOVERY.md', 'deleted'],
    ['holdfast.json', 'flipped'],
  ];
  test.each([...cases, ...alone] as [string, Damage][])(
    '%s, %s: put aside, and the good one is in its place',
    async (kind, damage) => {
      const key = first(kind);
      const path = rotten.vault.storePath;
      const good = await readFile(join(path, key));
      const other = rotten.kinds.get(kind)?.at(-1) ?? key;
      const swap = other === key ? 'flipped' : damage;
      await ruin(path, key, damage === 'swapped' ? swap : damage, { position: 0.4, bit: 2, other });
      const bad = await readFile(join(path, key)).catch(() => undefined);
      const records = await look(rotten.vault, { others: others(), logsHere: ['main'] });
      expect(badOf(records)).toMatchObject([{ key, outcome: 'healed', from: 'twin' }]);
      expect(records.every(({ ok }) => ok)).toBe(true);
      expect(await readFile(join(path, key))).toEqual(good);
      const aside = await casesOf(path, key);
      const bytes = aside.filter((name) => !name.endsWith('.json'));
      expect(aside.length - bytes.length).toBeGreaterThan(0);
      if (bad !== undefined) expect(await readFile(join(path, bytes.at(-1) ?? ''))).toEqual(bad);
      expect(badOf(await look(rotten.vault))).toEqual([]);
      expect(await restored()).toEqual(rotten.tree);
    },
  );

  test('the newest pieces of a log, deleted where it was received: brought back from the store that has got them', async () => {
    const path = rotten.vault.storePath;
    const pieces = rotten.kinds.get('log range')?.slice(-2) ?? [];
    const good = await Promise.all(pieces.map((key) => readFile(join(path, key))));
    for (const key of pieces) await rm(join(path, key));
    // A store of copies may be behind; its hole in the middle is none.
    expect(badOf(await look(rotten.vault))).toEqual([]);
    const records = await look(rotten.vault, { others: others(), logsHere: ['main'] });
    expect(badOf(records).map(({ key, outcome }) => [key, outcome])).toEqual(pieces.map((key) => [key, 'healed']));
    expect(await Promise.all(pieces.map((key) => readFile(join(path, key))))).toEqual(good);
  });

  test('RECOVERY.md damaged in both stores: this program writes it anew', async () => {
    const path = rotten.vault.storePath;
    const good = await readFile(join(path, 'RECOVERY.md'));
    for (const store of [path, twinPath]) await writeFile(join(store, 'RECOVERY.md'), good.subarray(1));
    const records = await look(rotten.vault, { others: others() });
    await writeFile(join(twinPath, 'RECOVERY.md'), good);
    expect(badOf(records)).toMatchObject([{ key: 'RECOVERY.md', outcome: 'healed', from: 'this program' }]);
    expect(await readFile(join(path, 'RECOVERY.md'))).toEqual(good);
  });

  test('more bad objects than a record names: every key is kept beside it, and the totals are exact', async () => {
    const path = rotten.vault.storePath;
    const chunks = rotten.kinds.get('chunks')?.slice(0, 70) ?? [];
    const good = await Promise.all(chunks.map((key) => readFile(join(path, key))));
    for (const key of chunks) await writeFile(join(path, key), '');
    const { vaultId, store, keys } = rotten.vault;
    const roots = await readTrustRoots(store, vaultId, keys.root.fingerprint);
    const from = { store, vaultId, roots };
    const earlier = new Set((await readReadings(from)).map(({ run }) => run));
    expect(earlier).not.toContain('many');
    // Healed from nowhere, so that what is written is kept: nobody has them.
    const found = await look(rotten.vault, { others: [], run: 'many', level: 'presence' });
    expect(
      badOf(found)
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(chunks.toSorted());
    const own = (await readReadings(from)).filter(({ run }) => run === 'many');
    expect(
      badOf(own)
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(chunks.toSorted());
    const names = await readdir(join(path, 'verified/presence'));
    const records = names.filter((name) => name.endsWith('.json'));
    const stored = await Promise.all(
      records.map(async (name) => parseReading(await readFile(join(path, 'verified/presence', name)), name).body),
    );
    const short = stored.filter(({ run }) => run === 'many');
    expect(short.map(({ bad, moreBad }) => [bad.length, moreBad])).toEqual([[50, 20]]);
    for (const [index, key] of chunks.entries()) await writeFile(join(path, key), good[index] ?? '');
    // The other list damaged: the number stays, and the look at the records tells of it.
    const rest = names.find((name) => name.startsWith('rest-')) ?? '';
    await writeFile(join(path, 'verified/presence', rest), 'rotten');
    const left = (await readReadings(from)).filter(({ run }) => run === 'many');
    const { bad, unnamed } = readBackOf(left.map(readingOf), { nowMs: Date.now() });
    expect([bad.length, unnamed]).toEqual([50, 20]);
    expect(badOf(await look(rotten.vault)).map(({ key }) => key)).toEqual([`verified/presence/${rest}`]);
    await rm(join(path, 'verified/presence', rest));
  });

  test('stopped at any write: the bad object lies there or the good one, and the next try ends it', async () => {
    const key = first('chunks');
    const path = rotten.vault.storePath;
    const good = await readFile(join(path, key));
    for (let failAtWrite = 1; ; failAtWrite += 1) {
      await ruin(path, key, 'flipped', { position: 0.5, bit: 1, other: key });
      const bad = await readFile(join(path, key));
      const store = watched(rotten.vault.store);
      store.failAtWrite = failAtWrite;
      const ended = await look(rotten.vault, { store, others: others() }).then(
        () => true,
        () => false,
      );
      const there = await readFile(join(path, key));
      expect([sha256Hex(bad), sha256Hex(good)]).toContain(sha256Hex(there));
      await look(rotten.vault, { others: others() });
      expect(await readFile(join(path, key))).toEqual(good);
      if (ended) break;
      expect(failAtWrite).toBeLessThan(20);
    }
  });

  test('the other store has a bad one too: it is not taken, and the backups that need it are named', async () => {
    const [key = '', another = ''] = rotten.kinds.get('chunks') ?? [];
    const path = rotten.vault.storePath;
    const good = await readFile(join(path, key));
    await ruin(path, key, 'flipped', { position: 0.5, bit: 1, other: key });
    await writeFile(join(twinPath, key), await readFile(join(twinPath, another)));
    const records = await look(rotten.vault, { others: others() });
    await writeFile(join(twinPath, key), good);
    const [bad] = badOf(records);
    expect(bad).toMatchObject({ key, outcome: 'removed' });
    const ids = rotten.backups.map(({ ticket }) => ticket.backupId);
    expect(ids).toEqual(expect.arrayContaining([...(bad?.backups ?? [])]));
    expect(bad?.backupCount).toBeGreaterThan(0);
    expect(records.some(({ ok }) => !ok)).toBe(true);
    expect(await casesOf(path, key)).not.toEqual([]);
    // Whoever has it brings it back.
    await look(rotten.vault, { others: others() });
    expect(await readFile(join(path, key))).toEqual(good);
  });

  test('no other store: the next capture stores it again, also from a host that believes it is there', async () => {
    const { vault } = rotten;
    const data = noise(77, 50_000);
    const artifacts = () => [artifactOf('own', [streamSegment(data, 'fixed')])];
    const statePath = join(vault.directory, 'another-host');
    const writer = await vault.writer({ statePath });
    const made = await backUp(writer, { captureId: 'own-1', artifacts: artifacts() });
    await writer.close();
    const before = new Set([...rotten.kinds.values()].flat());
    const key = (await keysIn(vault.store, 'chunks/')).find((one) => !before.has(one)) ?? '';
    await ruin(vault.storePath, key, 'truncated', { position: 0.5, bit: 0, other: key });
    const [bad] = badOf(await look(vault, { others: [] }));
    expect(bad).toMatchObject({ key, outcome: 'removed', backups: [made.ticket.backupId] });

    const again = await vault.writer({ statePath });
    const second = await backUp(again, { captureId: 'own-2', artifacts: artifacts() });
    expect(second.counts[0]?.chunksNew).toBe(1);
    await again.close();
    const reader = await vault.reader();
    for (const { manifestKey } of [made, second]) {
      const [own] = await (await reader.open(manifestKey)).artifacts('ledger');
      expect((await readAll(own)).equals(Buffer.from(data))).toBe(true);
    }
    await reader.close();
    // The older backup names other bytes of the same content: nothing is wrong with either.
    expect(badOf(await look(vault))).toEqual([]);
  });

  test('sealed anew with the same content and named by nothing: without an identity unknown, with one good', async () => {
    const { vault } = rotten;
    const recipients = [vault.keys.operations.recipient, vault.keys.escrow.recipient];
    const artifacts = [artifactOf('more', [recipeSegment('more', [noise(501, 400)])])];
    const writer = await vault.writer();
    await backUp(writer, { captureId: 'more-1', artifacts });
    await writer.close();
    const known = new Set([...rotten.kinds.values()].flat());
    const keys = (await keysIn(vault.store, 'chunks/')).filter((one) => !known.has(one));
    const sizes = await Promise.all(
      keys.map(async (one) => [one, await readFile(join(vault.storePath, one))] as const),
    );
    const [key = '', sealed] =
      sizes.toSorted(([, a], [, b]) => a.length - b.length).find(([, { length }]) => length > 600) ?? [];
    await writeFile(join(vault.storePath, key), sealBytes(noise(501, 400), recipients));
    const opened = badOf(await look(vault, { withIdentity: true })).map((bad) => bad.key);
    const unopened = badOf(await look(vault)).map((bad) => bad.key);
    if (sealed !== undefined) await writeFile(join(vault.storePath, key), sealed);
    expect(opened).toEqual([]);
    expect(unopened).toEqual([key]);
  });
});
