/** What has come of a log and is not stored yet: one block that fills, and full ones that wait. */
import { HoldfastError } from '../../failures.ts';
import { formatLsn } from '../../policy/lsn.ts';

/** Consecutive bytes of the log. */
export interface Piece {
  readonly from: bigint;
  readonly bytes: Buffer;
}

/** More full blocks than this wait only while the sender does not yet know that it should pause. */
const FULL_AT_ONCE = 2;

export class WalBlocks {
  private readonly blockBytes: number;
  private readonly full: Piece[] = [];
  private readonly spare: Buffer[] = [];
  private current: Buffer;
  private start: bigint;
  private filled = 0;
  private stored: bigint;

  /** `start` is a multiple of the block; what comes before `stored` comes once more and is only stored in whole blocks. */
  constructor(start: bigint, stored: bigint, blockBytes: number) {
    this.blockBytes = blockBytes;
    this.current = Buffer.allocUnsafe(blockBytes);
    this.start = start;
    this.stored = stored;
  }

  /** Up to here everything has come. */
  get received(): bigint {
    return this.start + BigInt(this.filled);
  }

  /** Up to here everything is in the store. */
  get storedTo(): bigint {
    return this.stored;
  }

  /** Nothing more should be sent for a while. */
  get crowded(): boolean {
    return this.full.length >= FULL_AT_ONCE;
  }

  /** Copies the bytes. Throws when they do not follow what came before. */
  append(from: bigint, bytes: Uint8Array): void {
    if (from !== this.received) {
      const expected = `the server sent ${formatLsn(from)} where ${formatLsn(this.received)} follows`;
      throw new HoldfastError('Internal', expected);
    }
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + this.blockBytes - this.filled);
      this.current.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === this.blockBytes) this.turn();
    }
  }

  /** The oldest block that has come in full, whether or not parts of it are stored. */
  fullBlock(): Piece | undefined {
    return this.full[0];
  }

  /** What of the unfinished block is not stored. */
  begun(): Piece | undefined {
    if (this.full.length > 0) return undefined;
    const from = this.stored > this.start ? this.stored : this.start;
    if (from >= this.received) return undefined;
    return { from, bytes: this.current.subarray(Number(from - this.start), this.filled) };
  }

  /** Bytes of the unfinished block that came again, to be compared with what is stored. */
  again(from: bigint, to: bigint): Piece | undefined {
    if (this.full.length > 0 || from < this.start || to > this.received) return undefined;
    return { from, bytes: this.current.subarray(Number(from - this.start), Number(to - this.start)) };
  }

  /** The piece is in the store. */
  done(piece: Piece): void {
    const to = piece.from + BigInt(piece.bytes.length);
    if (to > this.stored) this.stored = to;
    if (this.full[0] === piece) {
      this.full.shift();
      if (this.spare.length < FULL_AT_ONCE) this.spare.push(piece.bytes);
    }
  }

  private turn(): void {
    this.full.push({ from: this.start, bytes: this.current });
    this.start += BigInt(this.blockBytes);
    this.filled = 0;
    this.current = this.spare.pop() ?? Buffer.allocUnsafe(this.blockBytes);
  }
}
