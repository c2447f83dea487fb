/**
 * Which objects manifests name, from their trees of checksums and without any key. Nodes are shared between backups and
 * read once, so that ten thousand backups of a hundred thousand chunks cost what differs between them.
 */
import { zstdDecompress } from 'node:zlib';
import { promisify } from 'node:util';

import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { parseRecord, sumsNodeSchema } from './formats.ts';
import { IdSet } from './id-set.ts';
import { mapBounded } from './mutex.ts';
import { objectKey, parseObjectKey, sha256Hex, type Room } from './names.ts';
import { MAX_SUMS_BYTES } from './sums.ts';

const NODES_AT_ONCE = 16;
const unpack = promisify(zstdDecompress);

export class NamedObjects {
  private readonly rooms: Record<Room, IdSet> = { chunks: new IdSet(), lists: new IdSet(), sums: new IdSet() };

  get size(): number {
    const { chunks, lists, sums } = this.rooms;
    return chunks.size + lists.size + sums.size;
  }

  /** False when it was named already. */
  add(room: Room, id: string): boolean {
    return this.rooms[room].addHex(id);
  }

  has(room: Room, id: string): boolean {
    return this.rooms[room].hasHex(id);
  }

  /** Keys in no order that means anything. */
  *keys(): Generator<string> {
    for (const room of ['chunks', 'lists', 'sums'] as const) {
      for (const id of this.rooms[room].hexes()) yield objectKey(room, id);
    }
  }

  /** Names whatever the node names; its children come back. Throws ObjectCorrupt, VaultFormat. */
  addNode(bytes: Buffer, id: string): string[] {
    const scanned = this.scan(bytes);
    if (scanned !== undefined) return scanned;
    const node = parseRecord(sumsNodeSchema, bytes, objectKey('sums', id));
    for (const [key] of node.objects) {
      const object = parseObjectKey(key);
      if (object !== undefined) this.add(object.room, object.id);
    }
    return node.children;
  }

  /**
   * A node as every writer so far writes it, read without making a string of each name. Undefined for one that looks
   * otherwise in any byte that matters: then it is parsed.
   */
  private scan(bytes: Buffer): string[] | undefined {
    if (!bytes.subarray(0, PREFIX.length).equals(PREFIX)) return undefined;
    let at = PREFIX.length;
    while (bytes[at] === OPEN) {
      const room = ROOM_OF[bytes[at + 2] as number];
      if (room === undefined) return undefined;
      const { head } = room;
      if (!bytes.subarray(at + 2, at + 2 + head.length).equals(head)) return undefined;
      const id = at + 2 + head.length + 3;
      if (bytes[at + 1] !== QUOTE || bytes[id - 1] !== SLASH || bytes[id + 64] !== QUOTE) return undefined;
      if (bytes[id - 3] !== bytes[id] || bytes[id - 2] !== bytes[id + 1]) return undefined;
      if (!this.rooms[room.name].addDigits(bytes, id)) return undefined;
      const end = bytes.indexOf(CLOSE, id + 65);
      if (end < 0 || end - id > MOST_OF_OBJECT) return undefined;
      at = end + (bytes[end + 1] === COMMA ? 2 : 1);
    }
    if (!bytes.subarray(at, at + MIDDLE.length).equals(MIDDLE)) return undefined;
    const children = bytes.toString('latin1', at + MIDDLE.length);
    if (children === ']}') return [];
    return CHILDREN.test(children) ? [...children.matchAll(ID)].map(([id]) => id) : undefined;
  }
}

const PREFIX = Buffer.from('{"format":1,"objects":[');
const MIDDLE = Buffer.from('],"children":[');
const [OPEN, CLOSE, QUOTE, SLASH, COMMA] = [...Buffer.from('[]"/,')] as [number, number, number, number, number];
const MOST_OF_OBJECT = 256;
const CHILDREN = /^"[0-9a-f]{64}"(,"[0-9a-f]{64}")*\]\}$/;
const ID = /[0-9a-f]{64}/g;
const ROOM_OF: ({ readonly name: Room; readonly head: Buffer } | undefined)[] = [];
for (const name of ['chunks', 'lists', 'sums'] as const) {
  ROOM_OF[name.charCodeAt(0)] ??= { name, head: Buffer.from(`${name}/`) };
}

export interface WalkOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: ((nodes: number, objects: number) => void) | undefined;
}

/**
 * Adds everything below these nodes. Throws ObjectMissing or ObjectCorrupt for a node that can't be read: then nobody
 * knows what its backup is made of, and nothing may be deleted.
 */
export async function addNamed(
  store: Store,
  roots: Iterable<string>,
  named: NamedObjects,
  options: WalkOptions,
): Promise<void> {
  let level = [...roots].filter((id) => named.add('sums', id));
  let nodes = 0;
  while (level.length > 0) {
    const below = await mapBounded(level, NODES_AT_ONCE, async (id) => {
      options.signal.throwIfAborted();
      const children = named.addNode(await readNode(store, id), id);
      nodes += 1;
      if (nodes % 256 === 0) options.onProgress?.(nodes, named.size);
      return children.filter((child) => named.add('sums', child));
    });
    level = below.flat();
  }
}

async function readNode(store: Store, id: string): Promise<Buffer> {
  const key = objectKey('sums', id);
  const packed = await store.get(key);
  let bytes: Buffer;
  try {
    bytes = await unpack(packed, { maxOutputLength: MAX_SUMS_BYTES });
  } catch (cause) {
    throw new HoldfastError('ObjectCorrupt', `${key} cannot be decompressed`, { cause, details: { key } });
  }
  // Its name is the hash of its content, down from the signed manifest: nothing but the true node passes.
  if (sha256Hex(bytes) !== id) {
    throw new HoldfastError('ObjectCorrupt', `${key} does not have the content of its name`, { details: { key } });
  }
  return bytes;
}
