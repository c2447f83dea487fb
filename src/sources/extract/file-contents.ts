/** Writes one file's contents: in as few calls as possible, and with holes where the contents are zeros. */
import { closeSync, ftruncateSync } from 'node:fs';
import { beginWritingOut } from '../system-calls.ts';
import { DirectWrites, writeAll } from './direct-writes.ts';

const BLOCK = 4096;
/** A shorter run of zeros is written: a hole costs more than it saves. */
const SHORTEST_HOLE = 4 * BLOCK;
/** Smaller files are written as they come. */
const SPARSE_FROM_BYTES = 64 * 1024;
/** The kernel is asked to begin writing whenever this much is new. */
const WRITE_OUT_BYTES = 16 * 1024 * 1024;
/** Larger files are written past the page cache, where that is possible. */
const DIRECT_FROM_BYTES = 8 * 1024 * 1024;

const ZEROS = Buffer.alloc(SHORTEST_HOLE);

export interface ContentOptions {
  /** The system calls beyond Node's are there. */
  readonly hasCalls: boolean;
}

export class FileContents {
  readonly fd: number;
  private readonly sizeBytes: number;
  private readonly options: ContentOptions;
  private readonly direct: DirectWrites | undefined;
  /** Where the next byte belongs. */
  private position = 0;
  /** Zeros just before the position that are not written yet. */
  private zeros = 0;
  private writtenOut = 0;

  constructor(fd: number, sizeBytes: number, options: ContentOptions) {
    this.fd = fd;
    this.sizeBytes = sizeBytes;
    this.options = options;
    if (options.hasCalls && sizeBytes >= DIRECT_FROM_BYTES) this.direct = DirectWrites.open(fd);
  }

  write(bytes: Buffer): void {
    let from = 0;
    let at = this.sizeBytes < SPARSE_FROM_BYTES ? bytes.length : 0;
    while (at < bytes.length) {
      const zeros = zeroRun(bytes, at, this.position + at);
      const touchesEnd = at + zeros === bytes.length;
      const continues = at === 0 && this.zeros > 0;
      if (zeros >= SHORTEST_HOLE || (zeros > 0 && (touchesEnd || continues))) {
        this.put(bytes.subarray(from, at), this.position + from);
        this.zeros += zeros;
        from = at + zeros;
      }
      at += zeros > 0 ? zeros : BLOCK - ((this.position + at) % BLOCK);
    }
    this.put(bytes.subarray(from), this.position + from);
    this.position += bytes.length;
  }

  /** Brings the file to its full length. The descriptor stays open for its owner, mode and times. */
  finish(): void {
    this.direct?.flush();
    if (this.zeros > 0) ftruncateSync(this.fd, this.sizeBytes);
  }

  close(): void {
    this.direct?.close();
    closeSync(this.fd);
  }

  private put(bytes: Buffer, offset: number): void {
    if (bytes.length === 0) return;
    if (this.zeros > 0 && this.zeros < SHORTEST_HOLE) this.writeAt(ZEROS.subarray(0, this.zeros), offset - this.zeros);
    this.zeros = 0;
    this.writeAt(bytes, offset);
    const end = offset + bytes.length;
    if (this.direct === undefined && this.options.hasCalls && end - this.writtenOut >= WRITE_OUT_BYTES) {
      beginWritingOut(this.fd, this.writtenOut, end - this.writtenOut);
      this.writtenOut = end;
    }
  }

  private writeAt(bytes: Buffer, offset: number): void {
    if (this.direct === undefined) writeAll(this.fd, bytes, offset);
    else this.direct.write(bytes, offset);
  }
}

/** How many bytes from `at` on are zero, in whole blocks of the file (the last one may be cut off by the buffer). */
function zeroRun(bytes: Buffer, at: number, offset: number): number {
  let end = at;
  while (end < bytes.length) {
    const blockEnd = Math.min(bytes.length, end + BLOCK - ((offset + end - at) % BLOCK));
    if (bytes[end] !== 0 || bytes[blockEnd - 1] !== 0) break;
    if (bytes.compare(ZEROS, 0, blockEnd - end, end, blockEnd) !== 0) break;
    end = blockEnd;
  }
  return end - at;
}
