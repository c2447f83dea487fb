/** Trees of stored checksums: what objects a backup names, and what their stored bytes were. Read without any key. */
import { zstdDecompressSync } from 'node:zlib';

import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { parseRecord, sumsNodeSchema, type SumsNode } from './formats.ts';
import { objectKey, sha256Hex } from './names.ts';
import type { ArtifactRef } from './types.ts';
import { Verdict } from './verify/verdict.ts';

export const MAX_SUMS_BYTES = 64 * 1024 * 1024;

export interface Expected {
  readonly sizeBytes: number;
  readonly sha256: string | null;
}

/** Reads trees of checksums; shared nodes once. Each node's name is the SHA-256 of its content, down from the manifest. */
export class SumsWalk {
  private readonly named = new Map<string, Expected>();
  private readonly seen = new Set<string>();
  private readonly store: Store;
  private readonly verdict: Verdict;
  private readonly signal: AbortSignal;

  constructor(store: Store, verdict: Verdict, signal: AbortSignal) {
    this.store = store;
    this.verdict = verdict;
    this.signal = signal;
  }

  async walk(artifacts: readonly ArtifactRef[]): Promise<Map<string, Expected>> {
    for (const { name, root, sums } of artifacts) {
      if (sums === undefined) {
        const what = `no checksums were stored for ${name}; verify its content instead`;
        this.verdict.bad(objectKey('lists', root), 'ObjectMissing', what);
      } else await this.node(sums);
    }
    return this.named;
  }

  private async node(id: string): Promise<void> {
    if (this.seen.has(id)) return;
    this.seen.add(id);
    this.signal.throwIfAborted();
    const node = await this.verdict.try(objectKey('sums', id), () => readSums(this.store, id));
    if (node === undefined) return;
    for (const [key, sizeBytes, sha256] of node.objects) this.named.set(key, { sizeBytes, sha256 });
    for (const child of node.children) await this.node(child);
  }
}

/** Where sealed objects are read from: a store, or one whose bytes are compared with the stored checksums first. */
export interface ObjectSource {
  get(key: string, options?: { signal?: AbortSignal }): Promise<Uint8Array>;
  localPath?(key: string): string;
}

/**
 * For a vault that lost its chunk-id key: names can't be checked then, but the manifest leads to the checksum of every
 * object. Throws ObjectMissing when checksums are missing as well, because then nothing tells a swapped chunk.
 */
export async function checkedBySums(
  store: Store,
  artifacts: readonly ArtifactRef[],
  signal: AbortSignal,
): Promise<ObjectSource> {
  const verdict = new Verdict({ vaultId: '', manifestKey: '', manifestSha256: '', level: 'presence' });
  const named = await new SumsWalk(store, verdict, signal).walk(artifacts);
  const bad = verdict.proof().bad[0];
  if (bad !== undefined)
    throw new HoldfastError('ObjectMissing', `without the chunk-id key, ${bad.key} is needed: ${bad.what}`);
  return {
    async get(key, options) {
      const bytes = await store.get(key, options);
      const expected = named.get(key)?.sha256;
      if (expected === undefined || expected === null || sha256Hex(bytes) !== expected) {
        throw new HoldfastError('ObjectCorrupt', `${key} does not have the checksum it was stored with`, {
          details: { key },
        });
      }
      return bytes;
    },
  };
}

/** Throws ObjectMissing, ObjectCorrupt. */
export async function readSums(store: Store, id: string): Promise<SumsNode> {
  return checkSumsBytes(id, await store.get(objectKey('sums', id)));
}

/** The same of bytes at hand. Throws ObjectCorrupt, VaultFormat. */
export function checkSumsBytes(id: string, packed: Uint8Array): SumsNode {
  const key = objectKey('sums', id);
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(packed, { maxOutputLength: MAX_SUMS_BYTES, rejectGarbageAfterEnd: true });
  } catch (cause) {
    throw new HoldfastError('ObjectCorrupt', `${key} cannot be decompressed`, { cause });
  }
  if (sha256Hex(bytes) !== id) throw new HoldfastError('ObjectCorrupt', `${key} does not have the content of its name`);
  return parseRecord(sumsNodeSchema, bytes, key);
}
