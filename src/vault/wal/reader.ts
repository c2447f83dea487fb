/** Reading a write-ahead log back: the files of pg_wal, put together from their pieces. */
import { HoldfastError } from '../../failures.ts';
import type { WalFile, WalSource } from '../../part.ts';
import type { Store } from '../../stores/store.ts';
import { historyName, isSegmentSize, parseSegmentName } from '../../policy/lsn.ts';
import { openEpochReader, type EpochReader } from '../epoch-reader.ts';
import { readHead } from '../head.ts';
import { readTrustRoots, type TrustRoots } from '../trust.ts';
import type { ReaderKeys } from '../types.ts';
import { judgeWalObject, readWalObject, type WalObject } from './format.ts';
import { clusterPrefix, historyKey, parseWalKey, type WalPlace } from './names.ts';

export interface WalReaderOptions extends WalPlace {
  readonly store: Store;
  readonly keys: ReaderKeys;
  /** Refused when the vault belongs to another system. */
  readonly system?: string;
}

export interface ClosableWalSource extends WalSource {
  close(): Promise<void>;
}

interface Piece {
  readonly key: string;
  readonly from: bigint;
  readonly to: bigint;
}

interface Segment {
  readonly timeline: number;
  readonly pieces: Piece[];
  storedAtMs: number;
}

const ZEROS_BYTES = 1024 * 1024;

/**
 * Undefined when the vault has nothing of this cluster. Looks into the store again with each `files()`. Throws NotAVault,
 * VaultFormat, BadInput.
 */
export async function openWalSource(options: WalReaderOptions): Promise<ClosableWalSource | undefined> {
  const { store, keys, system } = options;
  const { vaultId } = await readHead(store, system);
  const roots = await readTrustRoots(store, vaultId, keys.rootFingerprint);
  const reader = new Reader(options, vaultId, roots);
  if (!(await reader.holdsAny())) return undefined;
  return reader;
}

class Reader implements ClosableWalSource {
  private readonly options: WalReaderOptions;
  private readonly vaultId: string;
  private readonly roots: TrustRoots;
  private readonly epochs = new Map<string, Promise<EpochReader>>();
  private segmentSize: number | undefined;

  constructor(options: WalReaderOptions, vaultId: string, roots: TrustRoots) {
    this.options = options;
    this.vaultId = vaultId;
    this.roots = roots;
  }

  async holdsAny(): Promise<boolean> {
    for await (const { key } of this.options.store.list(clusterPrefix(this.options))) {
      if (parseWalKey(this.options.component, key) !== undefined) return true;
    }
    return false;
  }

  async files(): Promise<readonly WalFile[]> {
    const files: WalFile[] = [];
    const segments = new Map<string, Segment>();
    const { store, component } = this.options;
    for await (const { key, modifiedAtMs } of store.list(clusterPrefix(this.options))) {
      const found = parseWalKey(component, key);
      if (found?.kind === 'range') addPiece(segments, found.segment, { ...found, key }, modifiedAtMs);
      else if (found?.kind === 'history') {
        const { timeline } = found;
        const lengthBytes = (await this.object(key)).record.body.fileBytes;
        files.push({ name: historyName(timeline), timeline, lengthBytes, complete: true, storedAtMs: modifiedAtMs });
      }
    }
    const segmentBytes = await this.segmentBytes(segments);
    for (const [name, segment] of segments) {
      const file = fileOf(name, segment, segmentBytes);
      if (file !== undefined) files.push(file);
    }
    return files.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async *read(name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (name.endsWith('.history')) yield* this.readHistory(name, signal);
    else yield* this.readSegment(name, signal);
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.epochs.values());
    this.epochs.clear();
    await Promise.all(opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value.pool.close()] : [])));
  }

  private async *readHistory(name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const timeline = /^[0-9A-F]{8}\.history$/.test(name) ? Number.parseInt(name.slice(0, 8), 16) : Number.NaN;
    if (Number.isNaN(timeline)) throw missing(name);
    yield await this.open(historyKey(this.options, timeline), signal);
  }

  private async *readSegment(name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const segments = new Map<string, Segment>();
    const { store, component } = this.options;
    const prefix = `${clusterPrefix(this.options)}${name.slice(0, 8)}/${name}.`;
    for await (const { key, modifiedAtMs } of store.list(prefix, { signal })) {
      const found = parseWalKey(component, key);
      if (found?.kind === 'range') addPiece(segments, found.segment, { ...found, key }, modifiedAtMs);
    }
    const pieces = segments.get(name)?.pieces ?? [];
    const segmentBytes = await this.segmentBytes(segments);
    const start = parseSegmentName(name, segmentBytes)?.start;
    if (start === undefined || !pieces.some(({ from }) => from === start)) throw missing(name);
    const end = start + BigInt(segmentBytes);
    let at = start;
    while (at < end) {
      const bytes = await this.bytesFrom(pieces, at, signal);
      if (bytes === undefined) break;
      at += BigInt(bytes.length);
      yield bytes;
    }
    yield* zeros(Number(end - at));
  }

  /** What is stored from a position on, from the longest piece that holds; undefined where nothing is. */
  private async bytesFrom(pieces: readonly Piece[], at: bigint, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const covering = pieces.filter(({ from, to }) => from <= at && to > at).sort((a, b) => (a.to > b.to ? -1 : 1));
    let trouble: unknown;
    for (const { key, from } of covering) {
      signal.throwIfAborted();
      try {
        const bytes = await this.open(key, signal);
        return bytes.subarray(Number(at - from));
      } catch (error) {
        // A shorter piece of the same place may be whole: it was stored by itself.
        const isBad =
          error instanceof HoldfastError && ['ObjectCorrupt', 'Untrusted', 'ObjectMissing'].includes(error.code);
        if (!isBad) throw error;
        trouble ??= error;
      }
    }
    if (trouble !== undefined) throw trouble as HoldfastError;
    return undefined;
  }

  /** Throws ObjectMissing, ObjectCorrupt, Untrusted, WrongIdentity. */
  private async open(key: string, signal: AbortSignal): Promise<Uint8Array> {
    const object = await this.object(key, signal);
    const { epoch, contentId, start, end } = object.record.body;
    const { pool } = await this.epoch(epoch);
    // A copy, because the thread takes the memory with it.
    return pool.open(object.sealed.slice(), { id: contentId, lengthBytes: end - start });
  }

  private async object(key: string, signal?: AbortSignal): Promise<WalObject> {
    const object = readWalObject(await this.options.store.get(key, signal === undefined ? {} : { signal }), key);
    try {
      judgeWalObject(this.roots, this.vaultId, key, object);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      throw new HoldfastError('Untrusted', `${key}: ${error.message}`, { cause: error, details: { key } });
    }
    return object;
  }

  /** All segments of a cluster are of one size, which the record of any of them names. */
  private async segmentBytes(segments: ReadonlyMap<string, Segment>): Promise<number> {
    const [first] = segments.values();
    const key = first?.pieces[0]?.key;
    if (this.segmentSize !== undefined || key === undefined) return this.segmentSize ?? 0;
    const { fileBytes } = (await this.object(key)).record.body;
    if (!isSegmentSize(fileBytes)) {
      throw new HoldfastError('ObjectCorrupt', `${key} names a segment of ${fileBytes} bytes`, { details: { key } });
    }
    this.segmentSize = fileBytes;
    return fileBytes;
  }

  private epoch(name: string): Promise<EpochReader> {
    const known = this.epochs.get(name);
    if (known !== undefined) return known;
    const opening = openEpochReader(this.options.store, name, this.options.keys.identities, 1);
    this.epochs.set(name, opening);
    opening.catch(() => this.epochs.delete(name));
    return opening;
  }
}

function addPiece(
  segments: Map<string, Segment>,
  name: string,
  { key, from, to, timeline }: Piece & { readonly timeline: number },
  storedAtMs: number,
): void {
  const segment = segments.get(name) ?? { timeline, pieces: [], storedAtMs: 0 };
  segment.pieces.push({ key, from, to });
  segment.storedAtMs = Math.max(segment.storedAtMs, storedAtMs);
  segments.set(name, segment);
}

/** Undefined for a segment whose beginning is missing: nothing of it can be replayed. */
function fileOf(name: string, { timeline, pieces, storedAtMs }: Segment, segmentBytes: number): WalFile | undefined {
  const start = parseSegmentName(name, segmentBytes)?.start;
  if (start === undefined) return undefined;
  const end = start + BigInt(segmentBytes);
  let at = start;
  // Listed by start, so that one pass finds how far they reach without a hole.
  for (const { from, to } of pieces) if (from <= at && to > at) at = to;
  if (at === start) return undefined;
  return { name, timeline, lengthBytes: segmentBytes, complete: at >= end, storedAtMs };
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= ZEROS_BYTES) yield new Uint8Array(Math.min(left, ZEROS_BYTES));
}

function missing(name: string): HoldfastError {
  return new HoldfastError('ObjectMissing', `the vault has no write-ahead log file ${name}`, { details: { name } });
}
