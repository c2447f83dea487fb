import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Artifact } from '../../src/part.ts';
import { keysIn } from '../../src/vault/listed.ts';
import type { CaptureSession, StoredArtifact } from '../../src/vault/types.ts';
import { artifactOf, makeTestVault, noise, recipeSegment, streamSegment } from '../support/vault.ts';
import type { TestVault } from '../support/vault.ts';
import { watched } from '../support/watched-store.ts';

const signal = new AbortController().signal;
const CHUNK = 300_000;

let vault: TestVault;
beforeEach(async () => {
  vault = await makeTestVault();
});
afterEach(() => vault[Symbol.asyncDispose]());

async function capture(captureId: string, artifacts: readonly Artifact[], tracked?: 'proved' | 'left') {
  const writer = await vault.writer();
  const ticket = await writer.begin({ captureId, plan: 'daily', startedAtMs: Date.now() });
  const session: CaptureSession = await writer.session(ticket, 'ledger', { signal, readBack: tracked !== undefined });
  const stored: StoredArtifact[] = [];
  for (const artifact of artifacts) stored.push(await session.store(artifact));
  await session.finish();
  if (tracked === 'proved') session.wasReadBack();
  await session.close();
  await writer.close();
  return { epoch: ticket.epoch, stored };
}

async function check({
  epoch,
  stored,
}: Awaited<ReturnType<typeof capture>>): Promise<{ chunks: number; bytes: number }> {
  const store = watched(vault.store);
  const reader = await vault.reader({ store });
  let bytes = 0;
  try {
    await reader.checkAdded(epoch, stored, { signal, onProgress: (done) => (bytes = done) });
    return { chunks: store.got.filter((key) => key.startsWith('chunks/')).length, bytes };
  } finally {
    await reader.close();
  }
}

/** One chunk each, so that a version tells which of them are new. */
const versions = (...seeds: number[]): Artifact =>
  artifactOf('a', [
    recipeSegment(
      seeds.join(' '),
      seeds.map((seed) => noise(seed, CHUNK)),
    ),
  ]);

test('a second capture: what it added is read back, what was there before is not', async () => {
  const first = await capture('run-1', [versions(1, 2, 3, 2), artifactOf('b', [streamSegment(noise(9, 2_000_000))])]);
  expect((await check(first)).bytes).toBe(3 * CHUNK + 2_000_000);
  const second = await capture('run-2', [versions(1, 4, 3, 5)]);
  expect(await check(second)).toEqual({ chunks: 2, bytes: 2 * CHUNK });
  expect(await check(await capture('run-3', [versions(1, 4, 3, 5)]))).toEqual({ chunks: 0, bytes: 0 });
});

test('what a capture left that nobody read back: the next one that meets it reads it back, and then no other', async () => {
  const unread = async (): Promise<string[]> =>
    (await readdir(vault.statePath, { recursive: true })).filter((name) => name.endsWith('.unread'));
  await capture('run-1', [versions(1, 2, 2, 3), artifactOf('b', [streamSegment(noise(9, 400_000))])], 'left');
  expect(await unread()).toHaveLength(1);
  const second = await capture('run-2', [versions(2, 3, 4, 2)], 'left');
  expect(await check(second)).toEqual({ chunks: 3, bytes: 3 * CHUNK });
  const third = await capture('run-3', [versions(2, 3, 4, 2), versions(4, 3)], 'proved');
  expect(await check(third)).toEqual({ chunks: 3, bytes: 3 * CHUNK });
  expect(await check(await capture('run-4', [versions(2, 3, 4, 1)], 'proved'))).toEqual({ chunks: 1, bytes: CHUNK });
  expect(await unread()).toHaveLength(1);
  await capture('run-5', [artifactOf('b', [streamSegment(noise(9, 400_000))])], 'proved');
  expect(await unread()).toEqual([]);
});

test('an added chunk that is damaged or gone: the check names it', async () => {
  const before = await objects();
  const made = await capture('run-1', [versions(1, 2, 3)]);
  const [damaged = '', gone = ''] = (await objects()).filter((key) => !before.includes(key));
  const path = join(vault.storePath, damaged);
  const bytes = await readFile(path);
  const intact = Buffer.from(bytes);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  await writeFile(path, bytes);
  await expect(check(made)).rejects.toMatchObject({ code: 'ObjectCorrupt', details: { key: damaged } });
  await writeFile(path, intact);
  expect((await check(made)).chunks).toBe(3);
  await rm(join(vault.storePath, gone));
  await expect(check(made)).rejects.toMatchObject({ code: 'ObjectMissing' });
});

test('lists that name other chunks, or the same in another order: refused', async () => {
  const { epoch, stored } = await capture('run-1', [versions(1, 2, 3), versions(1, 3, 2)]);
  const [one, other] = stored;
  if (one === undefined || other === undefined) throw new Error('two were stored');
  await expect(check({ epoch, stored: [{ ref: one.ref, added: other.added }] })).rejects.toMatchObject({
    code: 'ObjectCorrupt',
  });
});

function objects(): Promise<string[]> {
  return keysIn(vault.store, 'chunks/');
}
