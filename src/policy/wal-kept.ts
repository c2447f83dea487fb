/** What of a write-ahead log is needed by the base backups that are kept. Pure. */
import type { BasePoint } from './reachable.ts';

/** A piece of a log, or the note of a gap in it. */
export interface LogPiece {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly storedAtMs: number;
}

/** A block is stored whole when it is full, soon after its pieces; what covers them much later is no such block. */
const FILLING_MS = 24 * 3600 * 1000;

/**
 * Of an older timeline only what a base backup of it needs; of a later one everything, since it branched off. A log of
 * whose cluster no base backup is kept here is kept: its base may lie in another store, or be under way.
 */
export function isLogNeeded(
  piece: Pick<LogPiece, 'systemIdentifier' | 'timeline' | 'to'>,
  bases: readonly Pick<BasePoint, 'systemIdentifier' | 'timeline' | 'startLsn'>[],
): boolean {
  const own = bases.filter(({ systemIdentifier }) => systemIdentifier === piece.systemIdentifier);
  if (own.length === 0) return true;
  return own.some(
    ({ timeline, startLsn }) => piece.timeline > timeline || (piece.timeline === timeline && piece.to > startLsn),
  );
}

/** True when the block says all that the piece says, and more. */
export function supersedes(block: LogPiece, piece: LogPiece): boolean {
  const sameLog = block.systemIdentifier === piece.systemIdentifier && block.timeline === piece.timeline;
  const longer = block.to - block.from > piece.to - piece.from;
  const covers = sameLog && longer && block.from <= piece.from && block.to >= piece.to;
  return covers && Math.abs(block.storedAtMs - piece.storedAtMs) <= FILLING_MS;
}
