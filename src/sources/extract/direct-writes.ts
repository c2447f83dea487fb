/**
 * Writes a large file past the page cache (O_DIRECT): its pages would be filled once, synced, and then only stand in the
 * way of what the machine really works with. docs/decisions/restore.md has the figures.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { errorCode } from '../io-errors.ts';
import { alignedBuffer } from '../system-calls.ts';

/** What offsets, lengths and addresses must be multiples of; enough for every block device in use. */
const ALIGNMENT = 4096;
const STAGE_BYTES = 2 * 1024 * 1024;
/** The filesystem does not do it, or not for a file that only its owner's group may write. */
const NOT_POSSIBLE = new Set(['EINVAL', 'ENOTSUP', 'EACCES', 'EPERM', 'ENOENT']);

/** One for the thread: it unpacks one file at a time. */
let threadStage: Buffer | undefined;

/**
 * Gathers writes in order of their offsets and passes them on in large, aligned pieces; what has no aligned place (the end of
 * the file) goes the ordinary way. Nothing is written for certain before `flush`.
 */
export class DirectWrites {
  private readonly fd: number;
  private direct: number | undefined;
  private readonly stage = (threadStage ??= alignedBuffer(STAGE_BYTES, ALIGNMENT));
  /** Where the staged bytes belong. */
  private offset = 0;
  private used = 0;

  private constructor(fd: number, direct: number) {
    this.fd = fd;
    this.direct = direct;
  }

  /** For a file that is open for writing. Undefined where the filesystem has no such thing. */
  static open(fd: number): DirectWrites | undefined {
    try {
      return new DirectWrites(fd, openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_DIRECT));
    } catch (error) {
      if (NOT_POSSIBLE.has(errorCode(error) ?? '')) return undefined;
      throw error;
    }
  }

  write(bytes: Buffer, offset: number): void {
    if (offset !== this.offset + this.used) {
      this.flush();
      this.offset = offset;
    }
    for (let from = 0; from < bytes.length;) {
      // What begins off a boundary ends on one, so that the next piece is aligned again.
      const room = STAGE_BYTES - (this.offset % ALIGNMENT);
      const count = bytes.copy(this.stage, this.used, from, from + room - this.used);
      this.used += count;
      from += count;
      if (this.used === room) this.flush();
    }
  }

  /** Returns when the kernel has all that was given. */
  flush(): void {
    const aligned = this.offset % ALIGNMENT === 0 ? this.used - (this.used % ALIGNMENT) : 0;
    const done = this.putDirectly(aligned);
    writeAll(this.fd, this.stage.subarray(done, this.used), this.offset + done);
    this.offset += this.used;
    this.used = 0;
  }

  close(): void {
    if (this.direct !== undefined) closeSync(this.direct);
    this.direct = undefined;
  }

  /** How much of the stage was written: all that was asked for, or less when the filesystem takes no more this way. */
  private putDirectly(length: number): number {
    let done = 0;
    try {
      while (this.direct !== undefined && done < length) {
        const written = writeSync(this.direct, this.stage, done, length - done, this.offset + done);
        done += written;
        if (written % ALIGNMENT !== 0) break;
      }
    } catch (error) {
      // Some say so only when they are written to.
      if (errorCode(error) !== 'EINVAL') throw error;
      this.close();
    }
    return done;
  }
}

export function writeAll(fd: number, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
}
