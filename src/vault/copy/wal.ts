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
    let batch: Piece[] = [];
    for await (const piece of longest(this.component, source.list(prefix, { signal }))) {
      const { key } = piece;
      if (!this.isNeeded(piece.parsed)) continue;
      while (next.done !== true && next.value.key < key) next = await there.next();
      if (next.done !== true && next.value.key === key) continue;
      batch.push(piece);
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

  private async copyAll(pieces: readonly Piece[]): Promise<void> {
    await mapBounded(pieces, PIECES_AT_ONCE, async ({ key, covered }) => {
      this.the.signal.throwIfAborted();
      if (await this.copyWhole(key)) return;
      // Those that it grew from may be whole: they were stored by themselves.
      for (const shorter of covered) await this.copyWhole(shorter);
    });
    this.the.onProgress(this.pieces);
  }

  /** False when no source holds it whole, which is told. */
  private async copyWhole(key: string): Promise<boolean> {
    try {
      await this.copyOne(key);
      return true;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
      this.refusedCount += 1;
      if (this.refused.length < 20) this.refused.push({ key, why: error.message });
      return false;
    }
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
  /** Keys of shorter pieces of the same place. */
  readonly covered: readonly string[];
}

/** A listing without pieces that one beside them covers: they grow while a block fills. */
async function* longest(component: string, listing: AsyncIterable<{ readonly key: string }>): AsyncGenerator<Piece> {
  let held: Piece | undefined;
  for await (const { key } of listing) {
    const parsed = parseWalKey(component, key);
    if (parsed === undefined) continue;
    if (held !== undefined && covers(held.parsed, parsed)) {
      held = { ...held, covered: [...held.covered, key] };
      continue;
    }
    const grew = held !== undefined && covers(parsed, held.parsed);
    if (held !== undefined && !grew) yield held;
    held = { key, parsed, covered: held !== undefined && grew ? [...held.covered, held.key] : [] };
  }
  if (held !== undefined) yield held;
}

function covers(long: WalKey, short: WalKey): boolean {
  if (long.kind !== 'range' || short.kind !== 'range') return false;
  const sameLog = long.systemIdentifier === short.systemIdentifier && long.timeline === short.timeline;
  return sameLog && long.from <= short.from && long.to >= short.to;
}
