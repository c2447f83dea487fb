/**
 * Chunks that captures on this host have stored and that no capture has read back yet: those of one that failed, was
 * abandoned, or was only to be safe. Who meets one again reads it back, although it is in the store. One file of ids,
 * which is empty, and gone, while every capture comes to its end.
 */
import {
  closeSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

import type { IdSet } from './id-set.ts';
import { IdTable } from './id-table.ts';

const ID_BYTES = 32;
const NOTHING = { sizeBytes: 0, sha256: undefined };

export class UnreadChunks {
  private readonly path: string;
  private table: IdTable;
  private fd: number | undefined;

  constructor(path: string) {
    this.path = path;
    this.table = readTable(path);
  }

  get size(): number {
    return this.table.size;
  }

  has(id: string): boolean {
    return this.table.size > 0 && this.table.find(Buffer.from(id, 'hex')) !== undefined;
  }

  /** Before it is known to be stored: there after a crash of this process, after a power cut when `sync` returned. */
  add(id: string): void {
    const bytes = Buffer.from(id, 'hex');
    if (this.table.find(bytes) !== undefined) return;
    this.fd ??= openSync(this.path, 'a', 0o600);
    writeSync(this.fd, bytes);
    this.table.set(bytes, NOTHING);
  }

  sync(): void {
    if (this.fd !== undefined) fdatasyncSync(this.fd);
  }

  /** They were read back. A crash before this ends has them read once more. */
  remove(ids: IdSet): void {
    let removed = 0;
    for (const id of ids.hexes()) if (this.table.delete(Buffer.from(id, 'hex'))) removed += 1;
    if (removed === 0) return;
    this.close();
    if (this.table.size === 0) {
      // What was deleted keeps its room in a table.
      this.table = new IdTable();
      rmSync(this.path, { force: true });
      return;
    }
    writeFileSync(`${this.path}.new`, Buffer.concat([...this.table.ids()]), { mode: 0o600, flush: true });
    renameSync(`${this.path}.new`, this.path);
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}

function readTable(path: string): IdTable {
  const table = new IdTable();
  const bytes = readIfThere(path);
  for (let at = 0; at + ID_BYTES <= bytes.length; at += ID_BYTES) table.set(bytes.subarray(at, at + ID_BYTES), NOTHING);
  // A torn one would shift those that come after it.
  if (bytes.length % ID_BYTES !== 0) writeFileSync(path, bytes.subarray(0, bytes.length - (bytes.length % ID_BYTES)));
  return table;
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}
