/** Reading list trees: which chunks make an artifact, in order, from any offset. Everything is checked on the way. */
import { HoldfastError } from '../failures.ts';
import { MAX_CHUNK_BYTES } from '../part.ts';
import { chunkId, openBytes } from '../seal/index.ts';
import { listNodeSchema, parseRecord, type ListNode } from './formats.ts';
import { objectKey } from './names.ts';
import type { ObjectSource } from './sums.ts';
import type { ArtifactRef } from './types.ts';

/** Nodes hold at most 8192 entries of about 80 bytes: more is a bomb. */
export const MAX_NODE_BYTES = 4 * 1024 * 1024;

export interface ListKeys {
  readonly identities: readonly string[];
  /** Undefined when the vault lost it: then names cannot be checked. */
  readonly idKey: Uint8Array | undefined;
}

/** An entry of a node, with where its bytes begin in the artifact. */
export interface Placed {
  readonly id: string;
  readonly offset: number;
  readonly lengthBytes: number;
  readonly chunks: number;
}

/** Reads one node and compares it with what is said of it. Throws ObjectMissing, ObjectCorrupt, WrongIdentity. */
export async function readListNode(
  store: ObjectSource,
  keys: ListKeys,
  expect: Placed & { readonly level: number },
): Promise<Placed[]> {
  const key = objectKey('lists', expect.id);
  const bytes = openBytes(await store.get(key), keys.identities, MAX_NODE_BYTES);
  if (keys.idKey !== undefined && chunkId(keys.idKey, bytes) !== expect.id) {
    throw new HoldfastError('ObjectCorrupt', `${key} is another list than its name says`, { details: { key } });
  }
  const node = parseRecord(listNodeSchema, bytes, key);
  const entries = place(node, expect.offset);
  const lengthBytes = entries.reduce((sum, entry) => sum + entry.lengthBytes, 0);
  const chunks = entries.reduce((sum, entry) => sum + entry.chunks, 0);
  const fits = node.level === expect.level && lengthBytes === expect.lengthBytes && chunks === expect.chunks;
  if (!fits || (node.level === 0 && !entries.every(isChunk))) {
    throw new HoldfastError('ObjectCorrupt', `${key} does not hold what the backup says it holds`, {
      details: { key },
    });
  }
  return entries;
}

/** The root of an artifact's tree, as an expectation. */
export function rootOf(ref: ArtifactRef): Placed & { readonly level: number } {
  return { id: ref.root, offset: 0, lengthBytes: ref.lengthBytes, chunks: ref.chunks, level: ref.depth - 1 };
}

/** The chunks that cover `start` to `end`, in order. Reads only the nodes above them, one at each level at a time. */
export async function* chunksOf(
  store: ObjectSource,
  keys: ListKeys,
  ref: ArtifactRef,
  range: { readonly start: number; readonly end: number },
): AsyncGenerator<Placed> {
  yield* below(store, keys, rootOf(ref), range);
}

async function* below(
  store: ObjectSource,
  keys: ListKeys,
  node: Placed & { readonly level: number },
  range: { readonly start: number; readonly end: number },
): AsyncGenerator<Placed> {
  for (const entry of await readListNode(store, keys, node)) {
    if (entry.offset + entry.lengthBytes <= range.start || entry.offset >= range.end) continue;
    if (node.level === 0) yield entry;
    else yield* below(store, keys, { ...entry, level: node.level - 1 }, range);
  }
}

function place(node: ListNode, start: number): Placed[] {
  let offset = start;
  return node.entries.map(([id, lengthBytes, chunks]) => {
    const placed = { id, offset, lengthBytes, chunks };
    offset += lengthBytes;
    return placed;
  });
}

function isChunk(entry: Placed): boolean {
  return entry.chunks === 1 && entry.lengthBytes > 0 && entry.lengthBytes <= MAX_CHUNK_BYTES;
}
