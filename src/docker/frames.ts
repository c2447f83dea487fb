/** The engine's way of putting two streams into one: frames of `[stream, 0, 0, 0, length]`. Pure. */

const HEADER_BYTES = 8;
const STDERR = 2;
const STDERR_LIMIT_BYTES = 16 * 1024;

/** Splits as it comes: standard output is handed on, the end of standard error is kept. */
export class Frames {
  private readonly headingLines: number;
  private header = Buffer.alloc(0);
  private left = 0;
  private kind = 0;
  private errors = Buffer.alloc(0);
  private first: string | undefined;

  /** `headingLines` 1: the first line of standard error is the caller's own, and no message. */
  constructor(headingLines: 0 | 1) {
    this.headingLines = headingLines;
  }

  *push(bytes: Buffer): Generator<Uint8Array> {
    let at = 0;
    while (at < bytes.length) {
      if (this.left === 0) {
        const taken = bytes.subarray(at, at + HEADER_BYTES - this.header.length);
        this.header = Buffer.concat([this.header, taken]);
        at += taken.length;
        if (this.header.length < HEADER_BYTES) return;
        this.kind = this.header[0] ?? 0;
        this.left = this.header.readUInt32BE(4);
        this.header = Buffer.alloc(0);
        continue;
      }
      const body = bytes.subarray(at, at + this.left);
      at += body.length;
      this.left -= body.length;
      if (this.kind === STDERR) this.keep(body);
      else yield new Uint8Array(body);
    }
  }

  /** The last 16 KiB. */
  stderr(): string {
    return this.errors.toString('utf8');
  }

  heading(): string | undefined {
    return this.first;
  }

  private keep(body: Buffer): void {
    this.errors = Buffer.concat([this.errors, body]);
    if (this.headingLines > 0 && this.first === undefined) {
      const end = this.errors.indexOf('\n');
      if (end < 0) return;
      this.first = this.errors.subarray(0, end).toString('utf8').trim();
      this.errors = this.errors.subarray(end + 1);
    }
    if (this.errors.length > STDERR_LIMIT_BYTES) this.errors = this.errors.subarray(-STDERR_LIMIT_BYTES);
  }
}
