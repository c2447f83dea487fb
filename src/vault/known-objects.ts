/**
 * What this host knows to be stored: chunk and list ids with the size and checksum of their stored bytes. Compact,
 * because a vault may hold millions. Two files: `known` survives anything, as its entries are appended after the store
 * was synced; `pending` holds what was put since then, and is believed only within the same boot of the machine.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { idInRoom, IdTable, type Stored } from './id-table.ts';
import type { Room } from './names.ts';
import { believedEntries, PendingFile } from './pending-file.ts';

/** id, stored size (4 bytes, big-endian), checksum of the stored bytes. */
const ENTRY_BYTES = 32 + 4 + 32;
const FRAME_HEAD_BYTES = 4 + 16;
const NO_CHECKSUM = Buffer.alloc(32);

export interface KnownFiles {
  readonly directory: string;
  /** Keeps the knowledge of different vaults' epochs and stores apart. */
  readonly name: string;
  /** What tells a store from one that was made anew under its label: nothing that is known holds in another place. */
  readonly place?: string;
}

export class KnownObjects {
  private readonly table = new IdTable();
  private readonly files: KnownFiles;
  private unsynced: Buffer[] = [];
  private readonly pending: PendingFile;
  /** Some entries are known to be stored, but perhaps not durable. */
  private doubtful = false;
  /** The last sweep that was taken account of. */
  sweepSeen = '';

  private constructor(files: KnownFiles) {
    this.files = files;
    this.pending = new PendingFile(this.path('pending'));
  }

  /**
   * Reads the files. `found` is false when there was nothing to read, or when an earlier process left entries that can
   * no longer be believed: then the caller lists the store and tells what is there with `learn`.
   */
  static async open(files: KnownFiles): Promise<{ known: KnownObjects; found: boolean }> {
    await mkdir(files.directory, { recursive: true, mode: 0o700 });
    const known = new KnownObjects(files);
    await known.requirePlace();
    const durable = await readIfThere(known.path('known'));
    const pending = await readIfThere(known.path('pending'));
    if (durable !== undefined) known.readFrames(durable);
    const believed = pending === undefined || known.readPending(pending);
    return { known, found: durable !== undefined && believed };
  }

  get size(): number {
    return this.table.size;
  }

  has(room: Room, id: string): boolean {
    return this.table.find(idInRoom(room, id)) !== undefined;
  }

  stored(room: Room, id: string): Stored | undefined {
    return this.table.find(idInRoom(room, id));
  }

  /** Something was put: believed at once, after a crash when this resolves, and after the next `settle` for ever. */
  async add(room: Room, id: string, stored: Stored): Promise<void> {
    const entry = encodeEntry(idInRoom(room, id), stored);
    this.table.set(entry.subarray(0, 32), stored);
    this.unsynced.push(entry);
    await this.pending.append(entry);
  }

  /** The store says it is there; whether it is durable is not known. */
  learn(room: Room, id: string, stored: Stored): void {
    const entry = encodeEntry(idInRoom(room, id), stored);
    this.table.set(entry.subarray(0, 32), stored);
    this.unsynced.push(entry);
    this.doubtful = true;
  }

  /** A sweep may have removed it. */
  forget(room: Room, id: string): void {
    const gone = idInRoom(room, id);
    if (!this.table.delete(gone)) return;
    // An entry with the largest size stands for a removal: files are only ever appended to.
    this.unsynced.push(encodeEntry(gone, { sizeBytes: 0xffffffff, sha256: undefined }));
  }

  /** True when `store.sync` has something to do before a manifest may name what is known. */
  needsSync(): boolean {
    return this.doubtful || this.unsynced.length > 0;
  }

  /**
   * Runs `sync` when something is not durable yet, and keeps what was known before it began: what is put meanwhile waits
   * for the next time. Writes only what is new.
   */
  async settle(sync: () => Promise<void>): Promise<void> {
    if (!this.needsSync()) return;
    const entries = this.unsynced;
    const doubtful = this.doubtful;
    this.unsynced = [];
    this.doubtful = false;
    try {
      await sync();
      this.appendFrame(Buffer.concat(entries));
    } catch (error) {
      this.unsynced = [...entries, ...this.unsynced];
      if (doubtful) this.doubtful = true;
      throw error;
    }
    if (!this.needsSync()) await this.pending.remove();
  }

  private appendFrame(body: Buffer): void {
    const fd = openSync(this.path('known'), 'a', 0o600);
    try {
      writeSync(fd, Buffer.concat([frameHead(body), body]));
    } finally {
      closeSync(fd);
    }
  }

  /** Stops writing; what was put and not settled stays in `pending`. */
  close(): Promise<void> {
    return this.pending.close();
  }

  /** Which sweep was taken account of, kept beside the entries. */
  readSweepSeen(): string {
    try {
      this.sweepSeen = readFileSync(this.path('sweep'), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return this.sweepSeen;
  }

  /** Which cases of quarantine were taken account of. */
  readCasesSeen(): ReadonlySet<string> {
    try {
      return new Set(readFileSync(this.path('cases'), 'utf8').split('\n'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return new Set();
    }
  }

  writeCasesSeen(cases: readonly string[]): void {
    writeFileSync(this.path('cases.new'), cases.join('\n'), { mode: 0o600 });
    renameSync(this.path('cases.new'), this.path('cases'));
  }

  writeSweepSeen(sweep: string): void {
    this.sweepSeen = sweep;
    writeFileSync(this.path('sweep.new'), sweep, { mode: 0o600 });
    renameSync(this.path('sweep.new'), this.path('sweep'));
  }

  private async requirePlace(): Promise<void> {
    const { place } = this.files;
    if (place === undefined) return;
    const before = (await readIfThere(this.path('place')))?.toString();
    if (before === place) return;
    // In this order: as long as the old place is written down, what is known of it is not believed.
    if (before !== undefined) {
      for (const kind of ['known', 'pending', 'sweep', 'cases']) rmSync(this.path(kind), { force: true });
    }
    writeFileSync(this.path('place.new'), place, { mode: 0o600 });
    renameSync(this.path('place.new'), this.path('place'));
  }

  private path(kind: string): string {
    return join(this.files.directory, `${this.files.name}.${kind}`);
  }

  private readFrames(bytes: Buffer): void {
    let at = 0;
    while (at + FRAME_HEAD_BYTES <= bytes.length) {
      const length = bytes.readUInt32BE(at) * ENTRY_BYTES;
      const body = bytes.subarray(at + FRAME_HEAD_BYTES, at + FRAME_HEAD_BYTES + length);
      // A torn tail is what a power cut leaves: its entries are found again by the puts.
      if (body.length < length || !frameHead(body).equals(bytes.subarray(at, at + FRAME_HEAD_BYTES))) break;
      this.readEntries(body);
      at += FRAME_HEAD_BYTES + length;
    }
    if (at < bytes.length) writeFileSync(this.path('known'), bytes.subarray(0, at), { mode: 0o600 });
  }

  private readPending(bytes: Buffer): boolean {
    const body = believedEntries(bytes);
    if (body === undefined) {
      rmSync(this.path('pending'), { force: true });
      return false;
    }
    const whole = body.subarray(0, body.length - (body.length % ENTRY_BYTES));
    this.readEntries(whole);
    for (let at = 0; at < whole.length; at += ENTRY_BYTES) this.unsynced.push(whole.subarray(at, at + ENTRY_BYTES));
    // Cut where the last entry is torn, so that the next one begins at its place.
    truncateSync(this.path('pending'), bytes.length - (body.length - whole.length));
    this.doubtful = true;
    return true;
  }

  private readEntries(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += ENTRY_BYTES) {
      const id = bytes.subarray(at, at + 32);
      const sizeBytes = bytes.readUInt32BE(at + 32);
      if (sizeBytes === 0xffffffff) {
        this.table.delete(id);
        continue;
      }
      const checksum = bytes.subarray(at + 36, at + ENTRY_BYTES);
      this.table.set(id, { sizeBytes, sha256: checksum.equals(NO_CHECKSUM) ? undefined : checksum.toString('hex') });
    }
  }
}

function frameHead(body: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(body.length / ENTRY_BYTES);
  createHash('sha256').update(body).digest().copy(head, 4, 0, 16);
  return head;
}

function encodeEntry(id: Buffer, stored: Stored): Buffer {
  const entry = Buffer.alloc(ENTRY_BYTES);
  id.copy(entry);
  entry.writeUInt32BE(stored.sizeBytes, 32);
  if (stored.sha256 !== undefined) entry.write(stored.sha256, 36, 32, 'hex');
  return entry;
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
