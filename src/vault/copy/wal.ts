/** A write-ahead log, from the stores that have it into one that lacks it: piece by piece, as they are. */
import { HoldfastError } from '../../failures.ts';
import type { BasePoint } from '../../policy/reachable.ts';
import { isLogNeeded } from '../../policy/wal-kept.ts';
import type { Store } from '../../stores/store.ts';
import { mapBounded } from '../mutex.ts';
import { readRecord } from '../envelope.ts';
import type { TrustRoots } from '../trust.ts';
import { judgeWalGap, judgeWalObject, readWalObject, walGapSchema } from '../wal/format.ts';
import { componentPrefix, parseWalKey, type WalKey } from '../wal/names.ts';
import { Sources } from './objects.ts';
import { sha256Hex } from '../names.ts';

const PIECES_AT_ONCE = 16;
/** Pieces of one batch: a listing may be long, and what is copied of it is kept whatever happens after. */
const BATCH = 500;

export interface WalCopied {
  readonly pieces: number;
  readonly bytes: number;
  /** Keys that no source holds whole, or that can't be trusted, with the reason; at most 20, then only the count. */
  readonly refused: readonly { readonly key: string; readonly why: string }[];
  readonly refusedCount: number;
}

export interface CopyWalOptions {
  readonly sources: readonly Store[];
  readonly target: Store;
  readonly roots: TrustRoots;
  readonly vaultId: string;
  readonly signal: AbortSignal;
  readonly onProgress: (pieces: number) => void;
}

/**
 * Every piece, history and told gap that a source has and the target lacks, from the oldest of these base backups of
 * each cluster on; oldest first, so that what is there is without a gap. Pieces that a longer one covers are left out. A repeat sends nothing that is there.
 */
export async function copyWal(
  component: string,
  bases: readonly BasePoint[],
  options: CopyWalOptions,
): Promise<WalCopied> {
  const work = new WalWork(component, bases, options);
  for (const source of options.sources) await work.from(source);
  await options.target.sync();
  return { pieces: work.pieces, bytes: work.bytes, refused: work.refused, refusedCount: work.refusedCount };
}

class WalWork {
  pieces = 0;
  bytes = 0;
  refusedCount = 0;
  readonly refused: { key: string; why: string }[] = [];
  private readonly component: string;
  private readonly bases: readonly BasePoint[];
  private readonly the: CopyWalOptions;
  private readonly sources: Sources;

  constructor(component: string, bases: readonly BasePoint[], options: CopyWalOptions) {
    this.component = component;
    this.bases = bases;
    this.the = options;
    this.sources = new Sources(options.sources);
  }

  /** Two sorted listings side by side: no more of a long log is in memory than one page of each. */
  async from(source: Store): Promise<void> {
    const { target, signal } = this.the;
    const prefix = componentPrefix(this.component);
    const there = target.list(prefix, { signal })[Symbol.asyncIterator]();
    let next = await there.next();
    let batch: string[] = [];
    for await (const { key, parsed } of longest(this.component, source.list(prefix, { signal }))) {
      if (!this.isNeeded(parsed)) continue;
      while (next.done !== true && next.value.key < key) next = await there.next();
      if (next.done !== true && next.value.key === key) continue;
      batch.push(key);
      if (batch.length < BATCH) continue;
      await this.copyAll(batch);
      batch = [];
    }
    await this.copyAll(batch);
  }

  /** Of an older timeline only what a base backup of it needs; of a later one everything, since it branched off. */
  private isNeeded(key: WalKey): boolean {
    const has = this.bases.some(({ systemIdentifier }) => systemIdentifier === key.systemIdentifier);
    return has && (key.kind === 'history' || isLogNeeded(key, this.bases));
  }

  private async copyAll(keys: readonly string[]): Promise<void> {
    await mapBounded(keys, PIECES_AT_ONCE, async (key) => {
      this.the.signal.throwIfAborted();
      try {
        await this.copyOne(key);
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
        this.refusedCount += 1;
        if (this.refused.length < 20) this.refused.push({ key, why: error.message });
      }
    });
    this.the.onProgress(this.pieces);
  }

  private async copyOne(key: string): Promise<void> {
    const { target, signal } = this.the;
    const bytes = await this.sources.fetch(key, signal, (found) => (this.isWhole(found, key) ? found : undefined));
    const options = { createOnly: true, sha256: sha256Hex(bytes), signal };
    if ((await target.put(key, bytes, options)) === 'exists') return;
    this.pieces += 1;
    this.bytes += bytes.length;
  }

  /** Throws Untrusted. */
  private isWhole(bytes: Uint8Array, key: string): boolean {
    const { roots, vaultId } = this.the;
    const kind = parseWalKey(this.component, key)?.kind;
    if (kind === 'gap') judgeWalGap(roots, vaultId, key, readRecord(walGapSchema, bytes, key));
    else judgeWalObject(roots, vaultId, key, readWalObject(bytes, key));
    return true;
  }
}

interface Piece {
  readonly key: string;
  readonly parsed: WalKey;
}

/** A listing without pieces that the piece right after them covers: they grow while a block fills. */
async function* longest(component: string, listing: AsyncIterable<{ readonly key: string }>): AsyncGenerator<Piece> {
  let held: Piece | undefined;
  for await (const { key } of listing) {
    const parsed = parseWalKey(component, key);
    if (parsed === undefined) continue;
    if (held !== undefined && !covers(parsed, held.parsed)) yield held;
    held = { key, parsed };
  }
  if (held !== undefined) yield held;
}

function covers(later: WalKey, earlier: WalKey): boolean {
  if (later.kind !== 'range' || earlier.kind !== 'range') return false;
  const sameLog = later.systemIdentifier === earlier.systemIdentifier && later.timeline === earlier.timeline;
  return sameLog && later.from === earlier.from && later.to >= earlier.to;
}
