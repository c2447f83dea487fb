/** Which pieces of a write-ahead log nobody needs any more, because a longer piece holds all of them. */
import type { Store } from '../../stores/store.ts';
import { componentPrefix, parseWalKey, type WalRange } from './names.ts';

/** One stored piece, as a listing tells it. */
export interface WalPiece extends WalRange {
  readonly key: string;
  /** By the store's clock. */
  readonly storedAtMs: number;
}

export interface SupersededPiece {
  readonly key: string;
  /** The piece that holds it whole, which is superseded by none itself. Names only: it is to be read before `key` goes. */
  readonly by: string;
  /** Since when `by` has been there; a reader that began before may still want `key`. */
  readonly sinceMs: number;
}

/**
 * Of pieces of one timeline of one cluster. Pure: the same pieces in any order give the same answer, and what is not in it
 * covers every position that all of them cover. Several pieces together supersede none, so that each that goes has one
 * piece to be compared with.
 */
export function supersededRanges(pieces: readonly WalPiece[]): SupersededPiece[] {
  const superseded: SupersededPiece[] = [];
  let longest: WalPiece | undefined;
  for (const piece of pieces.toSorted(byStartThenLongest)) {
    if (longest !== undefined && piece.to <= longest.to) {
      superseded.push({ key: piece.key, by: longest.key, sinceMs: longest.storedAtMs });
    } else longest = piece;
  }
  return superseded;
}

function byStartThenLongest(a: WalPiece, b: WalPiece): number {
  if (a.from !== b.from) return a.from < b.from ? -1 : 1;
  if (a.to !== b.to) return a.to > b.to ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}

/** Of everything that a store holds of a component's log, a segment at a time, as the listing comes. */
export async function* listSuperseded(
  store: Store,
  component: string,
  signal: AbortSignal,
): AsyncGenerator<SupersededPiece> {
  let segment = '';
  let pieces: WalPiece[] = [];
  for await (const { key, modifiedAtMs } of store.list(componentPrefix(component), { signal })) {
    const found = parseWalKey(component, key);
    if (found?.kind !== 'range') continue;
    const own = `${found.systemIdentifier}/${found.segment}`;
    if (own !== segment) {
      yield* supersededRanges(pieces);
      [segment, pieces] = [own, []];
    }
    const { timeline, from, to } = found;
    pieces.push({ key, timeline, from, to, storedAtMs: modifiedAtMs });
  }
  yield* supersededRanges(pieces);
}
