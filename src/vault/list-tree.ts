/**
 * Trees of content-addressed nodes that say which chunks make an artifact. A node ends where its last entry's id says
 * so, hence an unchanged run of chunks gives the same nodes whatever came before it. Beside each node goes a node of
 * checksums of the stored bytes, which can be read without any key.
 */
import { FORMAT, objectKey, sha256Hex } from './names.ts';
import type { ListNode, SumsNode } from './formats.ts';
import type { Stored } from './id-table.ts';
import type { ChunkRef } from './reuse-cache.ts';

/** A node ends after an entry whose id's first 32 bits are a multiple of this: about so many entries. */
const AVERAGE_ENTRIES = 1024;
const MIN_ENTRIES = 128;
const MAX_ENTRIES = 8192;

/** Stores the bytes of nodes; the tree is made above it. */
export interface NodeSink {
  /** Stores a list node and returns its id. */
  list(bytes: Buffer): Promise<string>;
  /** Stores a node of checksums under its own SHA-256. */
  sums(id: string, bytes: Buffer): Promise<void>;
  stored(room: 'chunks' | 'lists', id: string): Stored | undefined;
}

export interface TreeRoot {
  readonly root: string;
  readonly depth: number;
  readonly sums: string;
  readonly lengthBytes: number;
  readonly chunks: number;
}

interface Entry {
  readonly id: string;
  readonly lengthBytes: number;
  readonly chunks: number;
  /** Of the node's checksums; a chunk has none. */
  readonly sums?: string;
}

/** Takes chunks in order and gives the root. Holds one unfinished node for each level. */
export class ListTreeBuilder {
  private readonly levels: Entry[][] = [[]];
  private readonly sink: NodeSink;

  constructor(sink: NodeSink) {
    this.sink = sink;
  }

  async add(chunk: ChunkRef): Promise<void> {
    await this.push(0, { id: chunk.id, lengthBytes: chunk.lengthBytes, chunks: 1 });
  }

  /** Closes the open nodes. A tree of one node at a level has its root there. */
  async finish(): Promise<TreeRoot> {
    for (let level = 0; ; level += 1) {
      const entries = this.levels[level] ?? [];
      const isTop = level === this.levels.length - 1;
      const only = entries[0];
      if (isTop && level > 0 && entries.length === 1 && only !== undefined) return rootOf(only, level);
      if (entries.length > 0 || isTop) await this.flush(level);
    }
  }

  private async push(level: number, entry: Entry): Promise<void> {
    const entries = (this.levels[level] ??= []);
    entries.push(entry);
    if (endsNode(entry.id, entries.length)) await this.flush(level);
  }

  private async flush(level: number): Promise<void> {
    const entries = this.levels[level] ?? [];
    this.levels[level] = [];
    const node = await this.store(level, entries);
    await this.push(level + 1, node);
  }

  private async store(level: number, entries: readonly Entry[]): Promise<Entry> {
    const id = await this.sink.list(nodeBytes(level, entries));
    const sums = sumsBytes(id, level, entries, this.sink);
    const sumsId = sha256Hex(sums);
    await this.sink.sums(sumsId, sums);
    return {
      id,
      lengthBytes: entries.reduce((sum, entry) => sum + entry.lengthBytes, 0),
      chunks: entries.reduce((sum, entry) => sum + entry.chunks, 0),
      sums: sumsId,
    };
  }
}

function rootOf(entry: Entry, depth: number): TreeRoot {
  return { root: entry.id, depth, sums: entry.sums ?? '', lengthBytes: entry.lengthBytes, chunks: entry.chunks };
}

function endsNode(id: string, length: number): boolean {
  if (length >= MAX_ENTRIES) return true;
  return length >= MIN_ENTRIES && Number.parseInt(id.slice(0, 8), 16) % AVERAGE_ENTRIES === 0;
}

function nodeBytes(level: number, entries: readonly Entry[]): Buffer {
  const node: ListNode = {
    format: FORMAT,
    level,
    entries: entries.map((entry) => [entry.id, entry.lengthBytes, entry.chunks]),
  };
  return Buffer.from(JSON.stringify(node));
}

function sumsBytes(id: string, level: number, entries: readonly Entry[], sink: NodeSink): Buffer {
  const objects: SumsNode['objects'] = [objectSum('lists', id, sink)];
  if (level === 0) for (const entry of entries) objects.push(objectSum('chunks', entry.id, sink));
  const children = level === 0 ? [] : entries.map((entry) => entry.sums ?? '');
  return Buffer.from(JSON.stringify({ format: FORMAT, objects, children } satisfies SumsNode));
}

function objectSum(room: 'chunks' | 'lists', id: string, sink: NodeSink): [string, number, string | null] {
  const stored = sink.stored(room, id);
  return [objectKey(room, id), stored?.sizeBytes ?? 0, stored?.sha256 ?? null];
}
