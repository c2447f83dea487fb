/** Storing a write-ahead log. Needs no identity; creates and never overwrites; a repeat finds what is there. */
import { HoldfastError } from '../../failures.ts';
import { chunkId, createSealPool, freeNow, sealBytes, type SealPool } from '../../seal/index.ts';
import type { Store } from '../../stores/store.ts';
import { formatLsn, historyName, segmentName, startOfSegment } from '../../policy/lsn.ts';
import { NAMESPACES, signerOf, signRecord, type Signer } from '../envelope.ts';
import { ensureKeyRecord, epochOf, idKeyOf, type Epoch } from '../epoch.ts';
import { readHead } from '../head.ts';
import { FORMAT, sha256Hex } from '../names.ts';
import { readTrustRoots, requireAdmitted, type TrustRoots } from '../trust.ts';
import type { WriterKeys } from '../types.ts';
import {
  judgeWalObject,
  readWalObject,
  walObjectBytes,
  type WalGapBody,
  type WalObject,
  type WalObjectBody,
} from './format.ts';
import { readWalInventory, type WalCluster } from './inventory.ts';
import {
  gapKey,
  historyKey,
  parseWalKey,
  rangeKey,
  timelinePrefix,
  WAL_BLOCK_BYTES,
  type WalPlace,
  type WalRange,
} from './names.ts';

/** Smaller pieces are sealed where they are: a thread would cost more than it takes. */
const TINY_BYTES = 64 * 1024;

export interface WalWriterOptions {
  readonly store: Store;
  readonly system: string;
  readonly component: string;
  readonly keys: WriterKeys;
}

export interface WalPiece {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** The cluster's wal_segment_size. */
  readonly segmentBytes: number;
  readonly from: bigint;
  /** Not over a multiple of WAL_BLOCK_BYTES or of a segment. Belongs to the caller again when the call has ended. */
  readonly bytes: Uint8Array;
  /** When the last byte had come, by this host's clock. */
  readonly receivedAtMs: number;
  /** By the server's clock: what it had acknowledged before lies at or before the end of this piece. */
  readonly coversUntilMs?: number;
}

export interface WalWriter {
  readonly vaultId: string;
  /** With `after`, only what is listed behind that key. */
  inventory(options?: { systemIdentifier?: string; after?: string; signal?: AbortSignal }): Promise<WalCluster[]>;
  /**
   * `there`: the same bytes were stored before. Durable after `sync`. Throws WalConflict when other bytes lie at this
   * place of this timeline: two servers are writing one log.
   */
  storeRange(piece: WalPiece, signal?: AbortSignal): Promise<'written' | 'there'>;
  /** The file that says where a timeline came from. Throws WalConflict like `storeRange`. */
  storeHistory(
    piece: { systemIdentifier: string; timeline: number; bytes: Uint8Array; receivedAtMs: number },
    signal?: AbortSignal,
  ): Promise<'written' | 'there'>;
  /** Whether the store lists all of a range that lies in one segment. */
  holds(range: WalRange & { systemIdentifier: string }, segmentBytes: number): Promise<boolean>;
  /** Says what is missing and why. A repeat keeps the first reason. */
  recordGap(gap: WalRange & { systemIdentifier: string; why: string }): Promise<void>;
  /** Everything stored before is durable when this resolves. */
  sync(): Promise<void>;
  /** Stops the sealing thread; the store stays the caller's. */
  close(): Promise<void>;
}

/** Throws NotAVault, VaultFormat, Untrusted when the root has not admitted this host's signer, BadInput. */
export async function openWalWriter(options: WalWriterOptions): Promise<WalWriter> {
  const { store, system, component, keys } = options;
  const { vaultId } = await readHead(store, system);
  const signer = signerOf(keys.signerKey);
  const epoch = epochOf(keys.recipients, keys.chunkIdKey);
  const roots = await readTrustRoots(store, vaultId, keys.rootFingerprint);
  requireAdmitted(roots, signer.fingerprint, store.label);
  await ensureKeyRecord(store, vaultId, keys, signer);
  return new Writer({ store, component, keys, vaultId, signer, epoch, roots });
}

interface Parts {
  readonly store: Store;
  readonly component: string;
  readonly keys: WriterKeys;
  readonly vaultId: string;
  readonly signer: Signer;
  readonly epoch: Epoch;
  readonly roots: TrustRoots;
}

type About = Pick<WalObjectBody, 'kind' | 'key' | 'file' | 'fileBytes' | 'start' | 'end' | 'timeline'> & {
  readonly systemIdentifier: string;
  readonly receivedAtMs: number;
  readonly coversUntilMs?: number | undefined;
};

class Writer implements WalWriter {
  readonly vaultId: string;
  private readonly the: Parts;
  private pool: SealPool | undefined;

  constructor(parts: Parts) {
    this.the = parts;
    this.vaultId = parts.vaultId;
  }

  inventory(options: { systemIdentifier?: string; after?: string; signal?: AbortSignal } = {}): Promise<WalCluster[]> {
    return readWalInventory(this.the.store, this.the.component, options);
  }

  async storeRange(piece: WalPiece, signal?: AbortSignal): Promise<'written' | 'there'> {
    const { systemIdentifier, timeline, segmentBytes, from, bytes, receivedAtMs, coversUntilMs } = piece;
    const to = from + BigInt(bytes.length);
    requireOneBlock(from, to, segmentBytes);
    const start = Number(from - startOfSegment(from, segmentBytes));
    const about: About = {
      kind: 'range',
      key: rangeKey(this.place(systemIdentifier), { timeline, from, to }, segmentBytes),
      file: segmentName(timeline, from, segmentBytes),
      fileBytes: segmentBytes,
      start,
      end: start + bytes.length,
      timeline,
      systemIdentifier,
      receivedAtMs,
      coversUntilMs,
    };
    return this.put(about, bytes, signal);
  }

  async storeHistory(
    piece: { systemIdentifier: string; timeline: number; bytes: Uint8Array; receivedAtMs: number },
    signal?: AbortSignal,
  ): Promise<'written' | 'there'> {
    const { systemIdentifier, timeline, bytes, receivedAtMs } = piece;
    const about: About = {
      kind: 'history',
      key: historyKey(this.place(systemIdentifier), timeline),
      file: historyName(timeline),
      fileBytes: bytes.length,
      start: 0,
      end: bytes.length,
      timeline,
      systemIdentifier,
      receivedAtMs,
    };
    return this.put(about, bytes, signal);
  }

  async holds(range: WalRange & { systemIdentifier: string }, segmentBytes: number): Promise<boolean> {
    const { store, component } = this.the;
    const { systemIdentifier, timeline, from, to } = range;
    const prefix = `${timelinePrefix(this.place(systemIdentifier), timeline)}${segmentName(timeline, from, segmentBytes)}.`;
    let reached = from;
    for await (const { key } of store.list(prefix)) {
      const found = parseWalKey(component, key);
      if (found?.kind === 'range' && found.from <= reached && found.to > reached) reached = found.to;
    }
    return reached >= to;
  }

  async recordGap(gap: WalRange & { systemIdentifier: string; why: string }): Promise<void> {
    const { store, vaultId, signer, component } = this.the;
    const { systemIdentifier, timeline, from, to, why } = gap;
    const key = gapKey(this.place(systemIdentifier), gap);
    const body: WalGapBody = {
      format: FORMAT,
      kind: 'gap',
      key,
      vaultId,
      component,
      systemIdentifier,
      timeline,
      fromLsn: formatLsn(from),
      toLsn: formatLsn(to),
      why,
      at: new Date().toISOString(),
      signer: signer.fingerprint,
    };
    await store.put(key, signRecord(body, NAMESPACES.wal, signer), { createOnly: true });
    await store.sync();
  }

  sync(): Promise<void> {
    return this.the.store.sync();
  }

  async close(): Promise<void> {
    await this.pool?.close();
    this.pool = undefined;
  }

  private place(systemIdentifier: string): WalPlace {
    return { component: this.the.component, systemIdentifier };
  }

  private async put(about: About, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<'written' | 'there'> {
    const { store, vaultId, signer, epoch, component } = this.the;
    const { receivedAtMs, coversUntilMs, ...what } = about;
    const { contentId, sealed } = await this.seal(bytes);
    const body: WalObjectBody = {
      format: FORMAT,
      vaultId,
      component,
      ...what,
      receivedAt: new Date(receivedAtMs).toISOString(),
      ...(coversUntilMs === undefined ? {} : { coversUntil: new Date(coversUntilMs).toISOString() }),
      epoch: epoch.name,
      contentId,
      sealedBytes: sealed.length,
      sealedSha256: sha256Hex(sealed),
      signer: signer.fingerprint,
    };
    const object = walObjectBytes(body, sealed, signer);
    freeNow(sealed);
    const options = { createOnly: true, sha256: sha256Hex(object), ...(signal === undefined ? {} : { signal }) };
    if ((await store.put(what.key, object, options)) === 'written') return 'written';
    await this.requireSame(what.key, bytes);
    return 'there';
  }

  private async seal(bytes: Uint8Array): Promise<{ contentId: string; sealed: Uint8Array }> {
    const { epoch, keys } = this.the;
    if (bytes.length <= TINY_BYTES) {
      return { contentId: chunkId(epoch.idKey, bytes), sealed: sealBytes(bytes, keys.recipients) };
    }
    this.pool ??= createSealPool({ recipients: keys.recipients, chunkIdKey: epoch.idKey, threads: 1 });
    const recipe = { pieces: [{ kind: 'bytes' as const, bytes }], lengthBytes: bytes.length };
    const { id, sealed } = await this.pool.seal(recipe, () => true);
    if (sealed === undefined) throw new HoldfastError('Internal', 'a wanted piece came back without its bytes');
    return { contentId: id, sealed };
  }

  /** What lies at the name is trusted and of the same content, or the failure says which of both does not hold. */
  private async requireSame(key: string, bytes: Uint8Array): Promise<void> {
    const { store, roots, vaultId, keys } = this.the;
    const there: WalObject = readWalObject(await store.get(key), key);
    judgeWalObject(roots, vaultId, key, there);
    const { epoch, contentId, receivedAt, signer } = there.record.body;
    if (contentId === chunkId(idKeyOf(epoch, keys.chunkIdKey), bytes)) return;
    throw new HoldfastError(
      'WalConflict',
      `${key} was stored at ${receivedAt} with other content: two servers write one log`,
      { details: { key, receivedAt, signer } },
    );
  }
}

function requireOneBlock(from: bigint, to: bigint, segmentBytes: number): void {
  const block = BigInt(Math.min(WAL_BLOCK_BYTES, segmentBytes));
  if (to > from && from / block === (to - 1n) / block) return;
  throw new HoldfastError(
    'Internal',
    `${formatLsn(from)} to ${formatLsn(to)} is not one piece of one block of the log`,
  );
}
