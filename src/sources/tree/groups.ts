/** Collects the entries of a walk into groups: what one segment of the tar is made of. */
import { createHash } from 'node:crypto';
import { encodedBytes, encodeEntry, END_ENTRY } from './entry.ts';
import type { TreeEntry } from './entry.ts';
import { endsGroup, LARGE_FILE_BYTES, mustStartGroup } from './grouping.ts';
import { headerBytes, paddedBytes } from './headers.ts';

/** Entries that follow each other in the tar, in their compact form: half a million files stay a few dozen MiB. */
export interface EntryGroup {
  readonly records: Uint8Array<ArrayBuffer>;
  /** Covers every fact that decides a byte of the group. */
  readonly fingerprint: string;
  /** Length of the group in the tar. Not counted: the contents of a large file at its end. */
  readonly tarBytes: number;
  /** How much of it is contents of files. */
  readonly contentBytes: number;
  readonly files: number;
  /** All entries: directories and links too. */
  readonly entries: number;
  /** The newest modification of a file, in milliseconds since 1970; 0 without one. */
  readonly newestMtimeMs: number;
  /** True when all times of all entries are at least SETTLE_MS older than the scan. */
  readonly settled: boolean;
  /** The last entry is a large file: its contents follow the group. */
  readonly large: boolean;
}

/** Younger changes may share their time with a later one (coarse clocks of filesystems). */
export const SETTLE_MS = 2000;

/** Part of every fingerprint: another form of headers or groups must not be taken for this one. */
const FORM = 'holdfast tree 1\n';

const FIRST_BUFFER_BYTES = 64 * 1024;

export class GroupBuilder {
  private readonly emit: (group: EntryGroup) => void;
  private readonly settledBeforeNs: bigint;
  private buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES);
  private used = 0;
  private tarBytes = 0;
  private contentBytes = 0;
  private files = 0;
  private entries = 0;
  private newestMtimeNs = 0n;
  private settled = true;

  /** `scanStartMs`: the wall clock before the first entry was looked at. */
  constructor(scanStartMs: number, emit: (group: EntryGroup) => void) {
    this.emit = emit;
    this.settledBeforeNs = BigInt(scanStartMs - SETTLE_MS) * 1_000_000n;
  }

  add(entry: TreeEntry): void {
    const large = entry.type === 'file' && entry.sizeBytes >= LARGE_FILE_BYTES;
    const bytes = headerBytes(entry) + (large ? 0 : paddedBytes(entry.sizeBytes));
    if (mustStartGroup(this.tarBytes, bytes, large)) this.flush(false);
    this.append(entry, bytes);
    if (!large) this.contentBytes += entry.sizeBytes;
    if (large || endsGroup(this.tarBytes, bytes, entry.path)) this.flush(large);
  }

  /** Closes the tar. */
  end(): void {
    this.append(END_ENTRY, headerBytes(END_ENTRY));
    this.flush(false);
  }

  private append(entry: TreeEntry, bytes: number): void {
    const needed = this.used + encodedBytes(entry);
    if (needed > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
      this.buffer.copy(larger, 0, 0, this.used);
      this.buffer = larger;
    }
    this.used = encodeEntry(entry, this.buffer, this.used);
    this.tarBytes += bytes;
    if (entry.type !== 'end') this.entries += 1;
    if (entry.type === 'file') {
      this.files += 1;
      if (entry.mtimeNs > this.newestMtimeNs) this.newestMtimeNs = entry.mtimeNs;
    }
    if (entry.mtimeNs > this.settledBeforeNs || entry.ctimeNs > this.settledBeforeNs) this.settled = false;
  }

  private flush(large: boolean): void {
    const records = new Uint8Array(this.buffer.subarray(0, this.used));
    this.emit({
      records,
      fingerprint: createHash('sha256').update(FORM).update(records).digest('hex'),
      tarBytes: this.tarBytes,
      contentBytes: this.contentBytes,
      files: this.files,
      entries: this.entries,
      newestMtimeMs: Number(this.newestMtimeNs / 1_000_000n),
      settled: this.settled,
      large,
    });
    this.used = 0;
    this.tarBytes = 0;
    this.contentBytes = 0;
    this.files = 0;
    this.entries = 0;
    this.newestMtimeNs = 0n;
    this.settled = true;
  }
}
