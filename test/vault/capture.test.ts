import { access, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';

import { sha256Hex as digest } from '../../src/vault/names.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { HoldfastError } from '../../src/failures.ts';
import type { Store } from '../../src/stores/index.ts';
import { openWriterVault, parseChunkIdKey } from '../../src/vault/index.ts';
import {
  artifactOf,
  backUp,
  captureInto,
  commitOf,
  makeTestVault,
  noise,
  readAll,
  recipeSegment,
  streamSegment,
  SYSTEM,
} from '../support/vault.ts';
import type { TestVault } from '../support/vault.ts';
import { watched } from '../support/watched-store.ts';

const signal = new AbortController().signal;
const MIB = 1024 * 1024;

let vault: TestVault;
beforeEach(async () => {
  vault = await makeTestVault();
});
afterEach(() => vault[Symbol.asyncDispose]());

describe('what did not change', () => {
  test('a second backup of the same: nothing read, nothing stored but its own records', async () => {
    const store = watched(vault.store);
    const segments = [recipeSegment('one', [noise(1, MIB), noise(2, MIB)]), recipeSegment('two', [noise(3, 1000)])];
    for (const captureId of ['run-1', 'run-2']) {
      const writer = await vault.writer({ store });
      await backUp(writer, { captureId, artifacts: [artifactOf('tree.tar', segments)] });
      await writer.close();
      if (captureId === 'run-1') store.reset();
    }
    expect(segments.map(({ reads }) => reads)).toEqual([1, 1]);
    expect(store.written.map((key) => key.split('/')[0]).sort()).toEqual(['backups', 'captures']);
    expect(store.listed).not.toContain('chunks/');
    // One for the manifest: there was nothing else to make durable.
    expect(store.syncs).toBe(1);
  });

  test('[T4] one segment of many changed: only it is read, and both backups read back', async () => {
    const segments = (version: number) =>
      Array.from({ length: 20 }, (_, index) => {
        const seed = index === 7 ? 1_000 + version : index;
        return recipeSegment(`s${seed}`, [noise(seed + 1, 200_000)]);
      });
    const [before, after] = [segments(1), segments(2)];
    const writer = await vault.writer();
    const one = await backUp(writer, { captureId: 'run-1', artifacts: [artifactOf('a', before)] });
    const two = await backUp(writer, { captureId: 'run-2', artifacts: [artifactOf('a', after)] });
    await writer.close();
    expect(after.reduce((sum, { reads }) => sum + reads, 0)).toBe(1);
    expect(two.counts[0]).toMatchObject({ chunksNew: 1, chunksReused: 19, readBytes: 200_000 });
    expect(await contentOf(one.manifestKey)).toBe(plainOf(before));
    expect(await contentOf(two.manifestKey)).toBe(plainOf(after));
  });

  test('a segment whose file changed while it was read, or is not settled: read again next time', async () => {
    const unsettled = { ...recipeSegment('young', [noise(1, 5_000)]), settled: false };
    const writer = await vault.writer();
    for (const captureId of ['run-1', 'run-2']) {
      const made = await backUp(writer, { captureId, artifacts: [artifactOf('a', [unsettled])] });
      expect(made.counts[0]?.readBytes).toBe(5_000);
    }
    await writer.close();
  });

  test('the cache was lost: nothing is stored twice, and presence is still told by checksums', async () => {
    const artifacts = [artifactOf('a', [streamSegment(noise(9, 5 * MIB))])];
    const first = await vault.writer();
    const one = await backUp(first, { captureId: 'run-1', artifacts });
    await first.close();
    await rm(vault.statePath, { recursive: true });
    const store = watched(vault.store);
    const second = await vault.writer({ store });
    const two = await backUp(second, { captureId: 'run-2', artifacts });
    expect(store.written.filter((key) => key.startsWith('chunks/'))).toEqual([]);
    expect(two.refs[0]?.sums).toBe(one.refs[0]?.sums);
    expect(await second.verifyPresence(two.manifestKey, { signal })).toMatchObject({ ok: true });
    await second.close();
    const [newest] = await catalogue();
    expect(newest?.body.sequence).toBe(2);
    expect(newest?.notes).toBeUndefined();
  });

  test('a damaged cache: read as far as it is whole, and the backup is right', async () => {
    const artifacts = [artifactOf('a', [recipeSegment('one', [noise(1, MIB), noise(2, MIB)])])];
    const first = await vault.writer();
    await backUp(first, { captureId: 'run-1', artifacts });
    await first.close();
    const directory = join(vault.statePath, 'vaults', vault.vaultId);
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      const bytes = await readFile(path);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x40;
      await writeFile(path, bytes.subarray(0, bytes.length - 3));
    }
    const second = await vault.writer();
    const made = await backUp(second, { captureId: 'run-2', artifacts });
    await second.close();
    expect(await contentOf(made.manifestKey)).toBe(digest(Buffer.concat([noise(1, MIB), noise(2, MIB)])));
    const [newest] = await catalogue();
    expect(newest?.body.sequence).toBe(2);
  });
});

describe('an object vanished from the store', () => {
  test('presence names it, and the next capture stores it again instead of believing its cache', async () => {
    const artifacts = [artifactOf('a', [recipeSegment('one', [noise(61, MIB), noise(62, MIB)])])];
    const store = watched(vault.store);
    const writer = await vault.writer({ store });
    const before = await backUp(writer, { captureId: 'run-1', artifacts });
    const gone = [before.refs[0]?.root ?? '', ...store.written.filter((key) => key.startsWith('chunks/')).slice(0, 1)];
    const list = `lists/${gone[0]?.slice(0, 2) ?? ''}/${gone[0] ?? ''}`;
    const chunk = gone[1] ?? '';
    await vault.store.delete(list);
    await vault.store.delete(chunk);
    const bad = (await writer.verifyPresence(before.manifestKey, { signal })).bad.map(({ key }) => key);
    expect(bad.sort()).toEqual([chunk, list].sort());
    const after = await backUp(writer, { captureId: 'run-2', artifacts });
    expect(await writer.verifyPresence(after.manifestKey, { signal })).toMatchObject({ ok: true });
    await writer.close();
    expect(await contentOf(after.manifestKey)).toBe(digest(Buffer.concat([noise(61, MIB), noise(62, MIB)])));
  });
});

describe('[M10] interrupted captures', () => {
  const data = noise(21, 8 * MIB);
  /** Writes: the capture's record, 8 chunks, list and sums, the system file's three, the manifest. */
  const artifacts = () => [artifactOf('a', [streamSegment(data, 'fixed')])];

  test.each([1, 6, 10, 12, 15])(
    'the store fails at write %i, then the capture is repeated: no object twice',
    async (at) => {
      const store = watched(vault.store);
      store.failAtWrite = at;
      const broken = await vault.writer({ store });
      await expect(backUp(broken, { captureId: 'run-1', artifacts: artifacts(), startedAtMs: 1e12 })).rejects.toThrow();
      await broken.close();
      store.failAtWrite = undefined;
      const again = await vault.writer({ store });
      const made = await backUp(again, { captureId: 'run-1', artifacts: artifacts(), startedAtMs: 1e12 });
      await again.close();
      expect(new Set(store.written).size).toBe(store.written.length);
      // What was there is found without sending it again; only the capture's own record is tried twice.
      expect(store.refused.filter((key) => !key.startsWith('captures/'))).toEqual([]);
      expect(await contentOf(made.manifestKey)).toBe(digest(data));
      expect(await catalogue()).toHaveLength(1);
    },
  );

  test('the process ends without closing anything: what it stored is found by the next', async () => {
    const store = watched(vault.store);
    store.failAtWrite = 6;
    const dead = await vault.writer({ store });
    const ticket = await dead.begin({ captureId: 'run-1', plan: 'daily', startedAtMs: 1e12 });
    await expect(captureInto(dead, ticket, { artifacts: artifacts() })).rejects.toThrow();
    store.failAtWrite = undefined;
    const stored = store.written.filter((key) => key.startsWith('chunks/'));
    const next = await vault.writer({ store });
    await backUp(next, { captureId: 'run-1', artifacts: artifacts(), startedAtMs: 1e12 });
    expect(stored.length).toBeGreaterThan(0);
    expect(store.refused.filter((key) => key.startsWith('chunks/'))).toEqual([]);
    await next.close();
    await dead.close();
  });

  test('a capture that is cancelled: it ends with the reason, and a repeat completes', async () => {
    const controller = new AbortController();
    const writer = await vault.writer();
    const ticket = await writer.begin({ captureId: 'run-1', plan: 'daily', startedAtMs: 1e12 });
    const endless = artifactOf('a', [
      {
        kind: 'stream',
        cut: 'fixed',
        async *open() {
          for (let seed = 1; ; seed += 1) {
            if (seed === 5) controller.abort(new Error('cancelled by the test'));
            yield await Promise.resolve(noise(seed, MIB));
          }
        },
      },
    ]);
    const cancelled = captureInto(writer, ticket, { artifacts: [endless], signal: controller.signal });
    await expect(cancelled).rejects.toThrow('cancelled by the test');
    const made = await backUp(writer, { captureId: 'run-1', artifacts: artifacts(), startedAtMs: 1e12 });
    await writer.close();
    expect(await contentOf(made.manifestKey)).toBe(digest(data));
  });

  test('begin and commit repeated, also by another process: the same ticket and manifest, durable when answered', async () => {
    const writer = await vault.writer();
    const made = await backUp(writer, { captureId: 'run-1', artifacts: artifacts(), startedAtMs: 1e12 });
    await writer.close();
    const store = watched(vault.store);
    const other = await vault.writer({ store });
    const ticket = await other.begin({ captureId: 'run-1', plan: 'daily', startedAtMs: 2e12 });
    expect(ticket).toEqual(made.ticket);
    store.reset();
    const again = await commitOf(other, ticket, made.refs, made.counts);
    expect(again).toMatchObject({ manifestKey: made.manifestKey, sha256: made.sha256 });
    // The first may have ended between its write and its sync.
    expect(store).toMatchObject({ written: [], syncs: 1 });
    await other.close();
  });
});

describe('captures beside each other', () => {
  test('two captures of the same data race: both become backups, the chain has no gap', async () => {
    const data = noise(31, 6 * MIB);
    const writers = await Promise.all([vault.writer(), vault.writer()]);
    const made = await Promise.all(
      writers.map((writer, index) =>
        backUp(writer, { captureId: `run-${index}`, artifacts: [artifactOf('a', [streamSegment(data)])] }),
      ),
    );
    await Promise.all(writers.map((writer) => writer.close()));
    for (const { manifestKey } of made) expect(await contentOf(manifestKey)).toBe(digest(data));
    const entries = await catalogue();
    expect(entries.map(({ body }) => body.sequence).sort()).toEqual([1, 2]);
    expect(entries.flatMap(({ notes = [] }) => notes)).toEqual([]);
  });

  test('the same capture runs twice at once: one manifest', async () => {
    const artifacts = [artifactOf('a', [streamSegment(noise(32, 3 * MIB))])];
    const writers = await Promise.all([vault.writer(), vault.writer()]);
    const made = await Promise.all(
      writers.map((writer) => backUp(writer, { captureId: 'run-1', artifacts, startedAtMs: 1e12 })),
    );
    await Promise.all(writers.map((writer) => writer.close()));
    expect(made[0]?.sha256).toBe(made[1]?.sha256);
    expect(await catalogue()).toHaveLength(1);
  });
});

describe('beside a sweep', () => {
  test('a capture that was settled: its commit and its repeat are superseded, and nothing is listed', async () => {
    const writer = await vault.writer();
    const ticket = await writer.begin({ captureId: 'run-1', plan: 'daily', startedAtMs: 1e12 });
    const { refs, counts } = await captureInto(writer, ticket, { artifacts: [artifactOf('a', [])] });
    await writer.abandon(ticket);
    await expect(commitOf(writer, ticket, refs, counts)).rejects.toMatchObject({ code: 'CaptureSuperseded' });
    const repeat = writer.begin({ captureId: 'run-1', plan: 'daily', startedAtMs: 1e12 });
    await expect(repeat).rejects.toMatchObject({ code: 'CaptureSuperseded' });
    await writer.close();
    expect(await catalogue()).toEqual([]);
  });

  test('a capture that was committed: abandoning it changes nothing', async () => {
    const writer = await vault.writer();
    const made = await backUp(writer, { captureId: 'run-1', artifacts: [artifactOf('a', [])] });
    await writer.abandon(made.ticket);
    await writer.close();
    expect(await catalogue()).toMatchObject([{ key: made.manifestKey, trust: { ok: true } }]);
  });

  test('a sweep that deletes: captures wait; when it is done, what it removed is stored again', async () => {
    const store = watched(vault.store);
    const artifacts = [artifactOf('a', [recipeSegment('one', [noise(41, MIB), noise(42, MIB)])])];
    const writer = await vault.writer({ store });
    await backUp(writer, { captureId: 'run-1', artifacts });
    const [gone = ''] = store.written.filter((key) => key.startsWith('chunks/'));
    await markSweep('20260101T000000Z', gone);
    const early = writer.begin({ captureId: 'run-2', plan: 'daily', startedAtMs: Date.now() });
    await expect(early).rejects.toMatchObject({ code: 'SweepRunning' });
    await vault.store.delete(gone);
    await vault.store.put('sweeps/20260101T000000Z/done.json', Buffer.from('{}'), { createOnly: true });
    store.reset();
    const made = await backUp(writer, { captureId: 'run-2', artifacts });
    await writer.close();
    expect(store.written.filter((key) => key.startsWith('chunks/'))).toEqual([gone]);
    expect(await contentOf(made.manifestKey)).toBe(digest(Buffer.concat([noise(41, MIB), noise(42, MIB)])));
  });
});

describe('a host that only writes', () => {
  test('capturing and checking presence: neither chunks nor lists are read, nothing is overwritten or deleted', async () => {
    const store = watched(vault.store);
    const writer = await vault.writer({ store });
    const artifacts = [artifactOf('a', [streamSegment(noise(51, 3 * MIB))])];
    const made = await backUp(writer, { captureId: 'run-1', artifacts });
    const proof = await writer.verifyPresence(made.manifestKey, { signal });
    await writer.writeProof(proof);
    await writer.close();
    expect(proof.ok).toBe(true);
    expect([...new Set(store.got.map((key) => key.split('/')[0]))].sort()).toEqual([
      'backups',
      'holdfast.json',
      'keys',
      'signers',
      'sums',
    ]);
    expect(store.overwriting).toEqual([]);
    expect(store.deleted).toEqual([]);
    const [entry] = await catalogue();
    expect(entry?.proofs).toMatchObject([{ level: 'presence', ok: true }]);
  });

  test('[W6] new recipients: a new epoch, and the old backup stays readable by the old identity', async () => {
    const artifacts = [artifactOf('a', [streamSegment(noise(52, 2 * MIB))])];
    const old = await vault.writer();
    const before = await backUp(old, { captureId: 'run-1', artifacts });
    await old.close();
    const { keys } = vault;
    const changed = await openWriterVault({
      store: vault.store,
      system: SYSTEM,
      keys: {
        recipients: [keys.operations.recipient],
        chunkIdKey: parseChunkIdKey(keys.chunkIdKey),
        signerKey: keys.signer.privateKey,
        rootFingerprint: keys.root.fingerprint,
      },
      stateDirectory: vault.statePath,
    });
    const after = await backUp(changed, { captureId: 'run-2', artifacts });
    await changed.close();
    expect(after.counts[0]?.chunksReused).toBe(0);
    expect(after.ticket.epoch).not.toBe(before.ticket.epoch);
    expect(await contentOf(before.manifestKey)).toBe(await contentOf(after.manifestKey));
  });

  test('another chunk-id key, a signer nobody admitted, no vault at all: refused before anything is written', async () => {
    const { keys } = vault;
    const open = (change: object, store: Store = vault.store) =>
      openWriterVault({
        store,
        system: SYSTEM,
        keys: {
          recipients: [keys.operations.recipient, keys.escrow.recipient],
          chunkIdKey: parseChunkIdKey(keys.chunkIdKey),
          signerKey: keys.signer.privateKey,
          rootFingerprint: keys.root.fingerprint,
          ...change,
        },
        stateDirectory: vault.statePath,
      });
    await expect(open({ chunkIdKey: new Uint8Array(32) })).rejects.toMatchObject({ code: 'BadInput' });
    await expect(open({ signerKey: keys.root.privateKey })).rejects.toMatchObject({ code: 'Untrusted' });
    const elsewhere = await vault.emptyStore();
    await expect(open({}, elsewhere)).rejects.toBeInstanceOf(HoldfastError);
    await expect(open({}, elsewhere)).rejects.toMatchObject({ code: 'StoreNotMounted' });
    await expect(access(vault.statePath)).rejects.toThrow();
  });
});

async function markSweep(name: string, condemned: string): Promise<void> {
  const list = zstdCompressSync(Buffer.from(`${condemned}\n`));
  await vault.store.put(`sweeps/${name}/condemned`, list, { createOnly: true });
  await vault.store.put(`sweeps/${name}/deleting.json`, Buffer.from('{}'), { createOnly: true });
}

async function catalogue() {
  const reader = await vault.reader();
  try {
    return await reader.catalogue();
  } finally {
    await reader.close();
  }
}

/** SHA-256 of the artifact, because a difference of megabytes is not worth printing. */
async function contentOf(manifestKey: string): Promise<string> {
  const reader = await vault.reader();
  try {
    const [artifact] = await (await reader.open(manifestKey)).artifacts('ledger');
    return digest(await readAll(artifact));
  } finally {
    await reader.close();
  }
}

function plainOf(segments: readonly { recipes(): unknown }[]): string {
  const parts: Uint8Array[] = [];
  for (const segment of segments) {
    for (const { pieces } of segment.recipes() as Iterable<{ pieces: { bytes: Uint8Array }[] }>) {
      for (const { bytes } of pieces) parts.push(bytes);
    }
  }
  return digest(Buffer.concat(parts));
}
