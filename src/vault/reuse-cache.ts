/**
 * Which chunks a segment gave last time, by its fingerprint, for one component. A fingerprint covers every fact that
 * decides the bytes, so an equal one is reused unread. Losing the file costs reading, never a backup; it is checked as
 * a whole, because a damaged one would.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';

export interface ChunkRef {
  readonly id: string;
  readonly lengthBytes: number;
}

const MAGIC = Buffer.from('holdfast reuse 1\n');
const DIGEST_BYTES = 32;
const FINGERPRINT_BYTES = 32;
const REF_BYTES = 36;
const HEAD_BYTES = FINGERPRINT_BYTES + 4;

export class ReuseCache {
  private readonly path: string;
  /** The file as it was read; entries are decoded when they are asked for. */
  private readonly old: Buffer;
  private readonly oldAt = new Map<string, number>();
  private readonly seen = new Map<string, Buffer>();
  private fresh = 0;

  private constructor(path: string, old: Buffer) {
    this.path = path;
    this.old = old;
    for (let at = 0; at < old.length; at += HEAD_BYTES + countAt(old, at) * REF_BYTES) {
      this.oldAt.set(old.toString('latin1', at, at + FINGERPRINT_BYTES), at);
    }
  }

  static async open(path: string): Promise<ReuseCache> {
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return new ReuseCache(path, Buffer.alloc(0));
    }
    const body = bytes.subarray(MAGIC.length + DIGEST_BYTES);
    const digest = bytes.subarray(MAGIC.length, MAGIC.length + DIGEST_BYTES);
    const whole = bytes.subarray(0, MAGIC.length).equals(MAGIC) && sha256(body).equals(digest);
    return new ReuseCache(path, whole ? body : Buffer.alloc(0));
  }

  /** The chunks of an earlier run, in order; undefined when this fingerprint gave none. */
  find(fingerprint: string): ChunkRef[] | undefined {
    const name = nameOf(fingerprint);
    const seen = this.seen.get(name);
    if (seen !== undefined) return decode(seen, 0);
    const at = this.oldAt.get(name);
    return at === undefined ? undefined : decode(this.old, at);
  }

  /** The segment is part of the present capture and had these chunks: kept for the next. */
  remember(fingerprint: string, refs: readonly ChunkRef[]): void {
    const name = nameOf(fingerprint);
    const at = this.oldAt.get(name);
    const entry = encode(name, refs);
    const same = at !== undefined && entry.equals(this.old.subarray(at, at + entry.length));
    if (!same && !this.seen.get(name)?.equals(entry)) this.fresh += 1;
    this.seen.set(name, entry);
  }

  /**
   * Replaces the file with what was remembered; nothing is written when that is what it holds. With `all` false the
   * capture was not complete, and earlier entries are kept beside the new.
   */
  async save(all: boolean): Promise<void> {
    if (this.fresh === 0 && (!all || this.seen.size === this.oldAt.size)) return;
    const parts = [...this.seen.values()];
    if (!all) {
      for (const [name, at] of this.oldAt) {
        if (!this.seen.has(name))
          parts.push(this.old.subarray(at, at + HEAD_BYTES + countAt(this.old, at) * REF_BYTES));
      }
    }
    const digest = createHash('sha256');
    for (const part of parts) digest.update(part);
    const temporary = `${this.path}.${randomBytes(6).toString('hex')}`;
    await writeFile(temporary, Buffer.concat([MAGIC, digest.digest(), ...parts]), { mode: 0o600 });
    await rename(temporary, this.path);
  }
}

function nameOf(fingerprint: string): string {
  return sha256(Buffer.from(fingerprint)).toString('latin1');
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function countAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at + FINGERPRINT_BYTES);
}

function encode(name: string, refs: readonly ChunkRef[]): Buffer {
  const entry = Buffer.alloc(HEAD_BYTES + refs.length * REF_BYTES);
  entry.write(name, 0, 'latin1');
  entry.writeUInt32BE(refs.length, FINGERPRINT_BYTES);
  refs.forEach((ref, index) => {
    const at = HEAD_BYTES + index * REF_BYTES;
    entry.write(ref.id, at, 32, 'hex');
    entry.writeUInt32BE(ref.lengthBytes, at + 32);
  });
  return entry;
}

function decode(bytes: Buffer, at: number): ChunkRef[] {
  return Array.from({ length: countAt(bytes, at) }, (_, index) => {
    const start = at + HEAD_BYTES + index * REF_BYTES;
    return { id: bytes.toString('hex', start, start + 32), lengthBytes: bytes.readUInt32BE(start + 32) };
  });
}
