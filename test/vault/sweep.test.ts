/** Prunes of a real vault in a directory: what stays restores, what goes is gone, whoever runs beside or dies. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import type { HoldfastError } from '../../src/failures.ts';
import type { Store } from '../../src/stores/index.ts';
import type { RetentionConfig } from '../../src/system/types.ts';
import { NAMESPACES, signerOf, signRecord } from '../../src/vault/envelope.ts';
import { readHolds, writeHold } from '../../src/vault/sweep/holds.ts';
import { readAtManifestKey } from '../../src/vault/manifest.ts';
import { backupIdOf, manifestKeyOf } from '../../src/vault/names.ts';
import { planPrune, type PrunePlan } from '../../src/vault/sweep/prune-plan.ts';
import { readSweeps, sweepNameOf } from '../../src/vault/sweep/sweep-records.ts';
import { condemn, sweep, tidy, type SweepContext, type Swept } from '../../src/vault/sweep/sweep.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import {
  artifactOf,
  backUp,
  captureInto,
  commitOf,
  makeTestVault,
  noise,
  recipeSegment,
  type TestVault,
} from '../support/vault.ts';

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const never = new AbortController().signal;

/** The prune of a plan that keeps so much, looked at two days from now. */
class Pruner {
  private readonly vault: TestVault;
  private readonly keep: RetentionConfig;
  private runs = 0;

  constructor(vault: TestVault, keep: RetentionConfig) {
    this.vault = vault;
    this.keep = keep;
  }

  async context(store: Store = this.vault.store): Promise<SweepContext> {
    this.runs += 1;
    const { vaultId, keys } = this.vault;
    const roots = await readTrustRoots(store, vaultId, keys.root.fingerprint);
    return {
      from: { store, vaultId, roots },
      author: { vaultId, signer: signerOf(keys.signer.privateKey), host: 'host-a' },
      name: sweepNameOf(Date.now() + this.runs * 1000, `run-${this.runs}`),
      signal: never,
      report: () => undefined,
      lingerMs: 0,
    };
  }

  async plan(context: SweepContext): Promise<PrunePlan> {
    const plan = {
      name: 'daily',
      components: [],
      onChange: false,
      stores: ['nas'],
      keep: this.keep,
      keepIn: {},
      verify: 'presence',
    } as const;
    const system = { plans: [plan], keepAsideSeconds: 3600 };
    return planPrune(context.from, {
      system,
      storeName: 'nas',
      nowMs: Date.now() + 2 * DAY,
      minimumAgeSeconds: 0,
      signal: never,
    });
  }

  async run(store?: Store): Promise<{ plan: PrunePlan; swept: Swept }> {
    const context = await this.context(store);
    const plan = await this.plan(context);
    await condemn(context, { manifests: plan.removes, minimumAgeSeconds: -DAY / 1000 });
    const swept = await sweep(context, { patienceMs: 50, pollMs: 10 });
    await tidy(context);
    return { plan, swept };
  }
}

const SHARED = noise(1, 40_000);

/** Six backups, an hour apart: each has a chunk that all share and one of its own. */
async function sixBackups(vault: TestVault): Promise<string[]> {
  const writer = await vault.writer();
  const keys: string[] = [];
  for (let index = 0; index < 6; index += 1) {
    const artifacts = [artifactOf('tree.tar', [recipeSegment(`f${index}`, [SHARED, noise(10 + index, 30_000)])])];
    const startedAtMs = Date.now() - (6 - index) * HOUR;
    keys.push((await backUp(writer, { captureId: `run-${index}`, artifacts, startedAtMs })).manifestKey);
  }
  await writer.close();
  return keys;
}

async function objects(vault: TestVault): Promise<number> {
  const files = await readdir(join(vault.storePath, 'chunks'), { recursive: true, withFileTypes: true });
  return files.filter((file) => file.isFile()).length;
}

async function expectWhole(vault: TestVault, keys: readonly string[]): Promise<void> {
  const reader = await vault.reader();
  const entries = await reader.catalogue();
  expect(entries.map(({ key }) => key).toSorted()).toEqual([...keys].toSorted());
  for (const entry of entries) {
    expect(entry.trust).toEqual({ ok: true });
    expect(await reader.verifyContent(entry.key, { signal: never })).toMatchObject({ ok: true, bad: [] });
  }
  await reader.close();
}

describe('a prune of a real vault', () => {
  it('[G4] last 2 of six: four go with their own chunks, two restore, the gap is explained, and a second prune does nothing', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    const before = await objects(vault);
    const pruner = new Pruner(vault, { last: 2 });
    const { plan, swept } = await pruner.run();
    expect(
      plan.decisions
        .filter(({ keep }) => keep)
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(keys.slice(4));
    expect(plan.asks).toEqual(['4 of 6 backups of daily would go at once']);
    // Each backup's own chunk, list and checksums: the estimate of the plan is what was deleted.
    expect(swept).toMatchObject({ outcome: 'swept', objects: plan.frees.objects, bytes: plan.frees.bytes, locked: 0 });
    expect(before - (await objects(vault))).toBe(4);
    await expectWhole(vault, keys.slice(4));
    const reader = await vault.reader();
    expect((await reader.catalogue()).map(({ notes }) => notes)).toEqual([undefined, undefined]);
    await reader.close();
    const again = await pruner.run();
    expect(again.plan.removes).toEqual([]);
    expect(again.swept).toMatchObject({ outcome: 'swept', objects: 0 });
  });

  it('a capture after the sweep, on a host whose cache knew what is gone: it stores that again', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    await new Pruner(vault, { last: 1 }).run();
    const writer = await vault.writer();
    const artifacts = [artifactOf('tree.tar', [recipeSegment('again', [SHARED, noise(10, 30_000)])])];
    const made = await backUp(writer, { captureId: 'later', artifacts });
    await writer.close();
    await expectWhole(vault, [...keys.slice(5), made.manifestKey]);
  });

  it('a capture is open and relies on a condemned chunk: the sweep gives way, and the backup is whole', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    const writer = await vault.writer();
    const ticket = await writer.begin({ captureId: 'beside', plan: 'daily', startedAtMs: Date.now() });
    const { refs, counts } = await captureInto(writer, ticket, {
      artifacts: [artifactOf('tree.tar', [recipeSegment('beside', [SHARED, noise(10, 30_000)])])],
    });
    const pruner = new Pruner(vault, { last: 2 });
    const { swept } = await pruner.run();
    expect(swept).toMatchObject({ outcome: 'gave-way', to: [ticket.backupId], objects: 0 });
    const { manifestKey } = await commitOf(writer, ticket, refs, counts);
    await writer.close();
    await expectWhole(vault, [...keys.slice(4), manifestKey]);
    expect((await pruner.run()).swept.outcome).toBe('swept');
    await expectWhole(vault, [keys[5] ?? '', manifestKey]);
  });

  it('a capture that is dead for a week: settled by a tombstone, so that its late commit is refused', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    const writer = await vault.writer();
    const ticket = await writer.begin({ captureId: 'dead', plan: 'daily', startedAtMs: Date.now() });
    const { refs, counts } = await captureInto(writer, ticket, {
      artifacts: [artifactOf('tree.tar', [recipeSegment('dead', [SHARED, noise(10, 30_000)])])],
    });
    const older = agedStore(vault.store, (key) => (key.startsWith('captures/') ? 8 * DAY : 0));
    const { swept } = await new Pruner(vault, { last: 2 }).run(older);
    expect(swept).toMatchObject({ outcome: 'swept', settled: 1 });
    await expect(commitOf(writer, ticket, refs, counts)).rejects.toMatchObject({ code: 'CaptureSuperseded' });
    await writer.close();
    await expectWhole(vault, keys.slice(4));
  });

  it('a sweep is closing: a capture that has not begun waits, and goes on when the sweep is done', async () => {
    await using vault = await makeTestVault();
    await sixBackups(vault);
    const writer = await vault.writer();
    const open = await writer.begin({ captureId: 'open', plan: 'daily', startedAtMs: Date.now() });
    const pruner = new Pruner(vault, { last: 2 });
    const context = await pruner.context();
    await condemn(context, { manifests: (await pruner.plan(context)).removes, minimumAgeSeconds: -DAY / 1000 });
    const sweeping = sweep(context, { patienceMs: 60_000, pollMs: 10 });
    await expect.poll(async () => (await readSweeps(vault.store)).some(({ closing }) => closing)).toBe(true);
    const begin = (): Promise<unknown> => writer.begin({ captureId: 'next', plan: 'daily', startedAtMs: Date.now() });
    await expect(begin()).rejects.toMatchObject({ code: 'SweepRunning' });
    // The one that had begun is not held up by it.
    const { refs, counts } = await captureInto(writer, open, {
      artifacts: [artifactOf('a', [recipeSegment('a', [SHARED])])],
    });
    await commitOf(writer, open, refs, counts);
    expect((await sweeping).outcome).toBe('swept');
    await begin();
    await writer.close();
  });

  it('the process dies at any request: the next prune ends what it left, and every backup that stays is whole', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    const pruner = new Pruner(vault, { last: 2 });
    let died = 0;
    const reader = await vault.reader();
    for (let requests = 1; ; requests += 2) {
      const dying = dyingStore(vault.store, requests);
      const outcome = await pruner.run(dying).catch((error: unknown) => error as HoldfastError);
      if (!(outcome instanceof Error)) break;
      expect(outcome.message).toContain('the process died');
      died += 1;
      // Wherever it stopped: those that are kept restore.
      if (died % 5 !== 0) continue;
      for (const key of keys.slice(4)) {
        expect(await reader.verifyContent(key, { signal: never })).toMatchObject({ ok: true });
      }
    }
    await reader.close();
    expect(died).toBeGreaterThan(10);
    expect((await pruner.run()).swept.outcome).toBe('swept');
    await expectWhole(vault, keys.slice(4));
    const { plan } = await pruner.run();
    expect(plan.frees).toEqual({ objects: 0, bytes: 0 });
    expect((await readSweeps(vault.store)).every(({ done }) => done)).toBe(true);
  });

  it('[B9] backups forged with the capturing key, old-dated, future-dated and in floods: what the policy keeps stays and restores', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    const pruner = new Pruner(vault, { last: 2, hourly: 3, daily: 30, monthly: 12 });
    const kept = (plan: PrunePlan): string[] =>
      plan.decisions.filter((one) => one.keep && keys.includes(one.key)).map(({ key }) => key);
    const before = kept(await pruner.plan(await pruner.context()));
    await forge(vault, keys[5] ?? '');
    const { plan } = await pruner.run();
    expect(kept(plan)).toEqual(expect.arrayContaining(before));
    expect(plan.anomalies.length).toBeGreaterThan(80);
    const reader = await vault.reader();
    for (const key of before) expect(await reader.verifyContent(key, { signal: never })).toMatchObject({ ok: true });
    await reader.close();
  });

  it('a manifest that nobody can read: no object is deleted, and the reason is told', async () => {
    await using vault = await makeTestVault();
    await sixBackups(vault);
    const before = await objects(vault);
    await vault.store.put('backups/daily/20260101T000000Z-aaaaaaaaaaaa.json', Buffer.from('rotten'), {
      createOnly: true,
    });
    const pruner = new Pruner(vault, { last: 2 });
    const { blocked } = await pruner.plan(await pruner.context());
    expect(blocked.join()).toContain('backups/daily/20260101T000000Z-aaaaaaaaaaaa.json cannot be read');
    await expect(pruner.run()).rejects.toMatchObject({ code: 'ObjectCorrupt' });
    expect(await objects(vault)).toBe(before);
  });

  it('a backup is held: it stays, and goes when the hold is released', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    const { vaultId, store } = vault;
    const given = { vaultId, signer: signerOf(vault.keys.signer.privateKey), atMs: Date.now() };
    const hold = { manifestKey: keys[0] ?? '', why: 'legal: case 7', by: 'anna' };
    const key = await writeHold(store, given, hold);
    const pruner = new Pruner(vault, { last: 2 });
    const held = await pruner.run();
    expect(held.plan.decisions.find((one) => one.key === keys[0])?.reasons).toEqual(['held: legal: case 7']);
    await expectWhole(vault, [keys[0] ?? '', ...keys.slice(4)]);
    await writeHold(store, given, { ...hold, why: 'case closed', releases: key });
    const roots = await readTrustRoots(store, vaultId, vault.keys.root.fingerprint);
    expect((await readHolds(store, { vaultId, roots })).size).toBe(0);
    await pruner.run();
    await expectWhole(vault, keys.slice(4));
  });

  it('a hold comes after the decision: the backup stays, and the others go', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    const pruner = new Pruner(vault, { last: 2 });
    const context = await pruner.context();
    const { removes } = await pruner.plan(context);
    const given = { vaultId: vault.vaultId, signer: signerOf(vault.keys.signer.privateKey), atMs: Date.now() };
    await writeHold(vault.store, given, { manifestKey: keys[1] ?? '', why: 'case 7', by: 'anna' });
    const condemned = await condemn(context, { manifests: removes, minimumAgeSeconds: -DAY / 1000 });
    expect(condemned).toMatchObject({ manifests: 3, lockedManifests: 1 });
    expect((await sweep(context, { patienceMs: 50, pollMs: 10 })).outcome).toBe('swept');
    await expectWhole(vault, [keys[1] ?? '', ...keys.slice(4)]);
  });

  it('a copy brings a removed backup back: no prune takes away what announces it, and sweeps give way to it', async () => {
    await using vault = await makeTestVault();
    const keys = await sixBackups(vault);
    const record = async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const { key } of vault.store.list('captures/')) found.push(key);
      return found;
    };
    const announced = (await record()).find((key) => key.includes(backupIdOf(vault.vaultId, 'run-0'))) ?? '';
    const bytes = await vault.store.get(announced);
    const pruner = new Pruner(vault, { last: 3 });
    const context = await pruner.context();
    const { removes } = await pruner.plan(context);
    const wanted = { manifests: removes, minimumAgeSeconds: -DAY / 1000 };
    await condemn(context, wanted);
    expect(await record()).not.toContain(announced);
    await vault.store.put(announced, bytes, { createOnly: true });
    // The removal is repeated, and a later prune tidies up.
    await condemn(context, wanted);
    await tidy(context);
    expect(await record()).toContain(announced);
    const { swept } = await pruner.run();
    expect(swept).toMatchObject({ outcome: 'gave-way', to: [backupIdOf(vault.vaultId, 'run-0')], objects: 0 });
    expect(await record()).toContain(announced);
    await expectWhole(vault, keys.slice(3));
  });
});

/** What a thief of the capturing host's key writes: copies of a manifest under other times and numbers. */
async function forge(vault: TestVault, from: string): Promise<void> {
  const found = await readAtManifestKey(vault.store, from);
  if (found.kind !== 'manifest') throw new Error('no manifest to forge from');
  const { body } = found.record;
  const signer = signerOf(vault.keys.signer.privateKey);
  const times = [
    ...Array.from({ length: 30 }, (_, index) => Date.now() - index * DAY - 2 * HOUR),
    ...Array.from({ length: 30 }, (_, index) => Date.now() + (index + 1) * DAY),
    ...Array.from({ length: 40 }, (_, index) => Date.now() - index * 1000),
  ];
  for (const [index, atMs] of times.entries()) {
    const at = new Date(atMs).toISOString();
    const id = backupIdOf(vault.vaultId, `forged-${index}`);
    const key = manifestKeyOf('daily', atMs, id);
    const lie = {
      ...body,
      key,
      id,
      captureId: `forged-${index}`,
      startedAt: at,
      pointAt: at,
      finishedAt: at,
      sequence: 7 + index,
    };
    await vault.store.put(key, signRecord(lie, NAMESPACES.manifest, signer), { createOnly: true });
  }
}

/** The store as its own clock would tell it later. */
function agedStore(store: Store, olderByMs: (key: string) => number): Store {
  return wrapped(store, {
    async *list(prefix, options) {
      for await (const info of store.list(prefix, options))
        yield { ...info, modifiedAtMs: info.modifiedAtMs - olderByMs(info.key) };
    },
  });
}

/** Every request from this one on fails, as for a process that is not there any more. */
function dyingStore(store: Store, requests: number): Store {
  let left = requests;
  const step = async (): Promise<void> => {
    left -= 1;
    if (left < 0) throw new Error('the process died');
    return Promise.resolve();
  };
  return wrapped(store, {
    put: (key, bytes, options) => step().then(() => store.put(key, bytes, options)),
    delete: (key) => step().then(() => store.delete(key)),
    async *list(prefix, options) {
      await step();
      yield* store.list(prefix, options);
    },
  });
}

function wrapped(store: Store, own: Partial<Store>): Store {
  return {
    label: store.label,
    kind: store.kind,
    put: (key, bytes, options) => store.put(key, bytes, options),
    get: (key, options) => store.get(key, options),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    delete: (key) => store.delete(key),
    sync: () => store.sync(),
    close: () => Promise.resolve(),
    ...own,
  };
}
