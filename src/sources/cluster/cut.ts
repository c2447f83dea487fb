/**
 * Where the tar of a base backup is cut into chunks, so that the next one stores what changed and little else. Contents
 * of a file are cut at fixed offsets that are multiples of every page size; headers and small files are gathered in
 * groups whose ends depend on names alone. The chunks, concatenated, are the tar byte for byte.
 */
import { createHash } from 'node:crypto';
import type { ByteString } from '../byte-string.ts';
import { BLOCK_BYTES, broken, entryOf, parseBlock } from '../extract/tar-format.ts';

/** What a single changed page costs, before compression (docs/decisions has the figures for other sizes). */
export const PAGE_RUN_BYTES = 256 * 1024;
/** The log is new in each backup: there is nothing to gain by small chunks. */
const LOG_RUN_BYTES = 1024 * 1024;
/** From here on a file's header lies in the group before it, so that a new time alone costs nothing of its contents. */
const LARGE_FILE_BYTES = 1024 * 1024;
const SMALL_FILE_BYTES = 64 * 1024;
const GROUP_BYTES = 256 * 1024;
/** About every sixteenth name ends a group, so that a new file moves the others of its group only. */
const GROUP_END_MASK = 0x0f;

type Phase = 'header' | 'contents' | 'padding' | 'end';

/** Give it all bytes with `push`, then call `finish`. Throws ArchiveBroken for what is no plain tar, or none to its end. */
export class ClusterCutter {
  private phase: Phase = 'header';
  private missing = BLOCK_BYTES;
  private header: Uint8Array[] = [];
  private paddingBytes = 0;
  private endsGroup = false;
  /** Length of the runs that the current contents are cut into; undefined: they belong to the group. */
  private runBytes: number | undefined;
  private runMissing = 0;
  /** Of the chunk so far. */
  private lengthBytes = 0;

  /** The lengths of the chunks that these bytes complete, which must not change before the chunk after them is. */
  *push(buffer: Uint8Array): Generator<number> {
    let at = 0;
    while (at < buffer.length) {
      const limit = this.phase === 'contents' && this.runBytes !== undefined ? this.runMissing : Infinity;
      const bytes = buffer.subarray(at, at + Math.min(limit, this.phase === 'end' ? Infinity : this.missing));
      at += bytes.length;
      if (this.phase === 'end' && bytes.some((byte) => byte !== 0)) throw broken('there is data behind its end');
      this.lengthBytes += bytes.length;
      if (this.phase === 'contents') {
        this.runMissing -= bytes.length;
        if (this.runBytes !== undefined && this.runMissing === 0) {
          yield* this.flush();
          this.runMissing = this.runBytes;
        }
      } else if (this.phase === 'header') this.header.push(bytes);
      this.missing -= bytes.length;
      while (this.missing === 0 && this.phase !== 'end') yield* this.step();
    }
  }

  *finish(): Generator<number> {
    if (this.phase !== 'end') throw broken('it ends in the middle');
    yield* this.flush();
  }

  private *step(): Generator<number> {
    switch (this.phase) {
      case 'header':
        yield* this.entry(Buffer.concat(this.header.splice(0)));
        return;
      case 'contents':
        // The last run of a file may be shorter.
        if (this.runBytes !== undefined) yield* this.flush();
        this.next('padding', this.paddingBytes);
        return;
      case 'padding':
        if (this.endsGroup || this.lengthBytes >= GROUP_BYTES) yield* this.flush();
        this.next('header', BLOCK_BYTES);
        return;
      case 'end':
    }
  }

  private *entry(block: Buffer): Generator<number> {
    const raw = parseBlock(block);
    if (raw === undefined) {
      this.next('end', Infinity);
      return;
    }
    const { path, sizeBytes } = entryOf(raw, NO_RECORDS);
    this.paddingBytes = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    this.runBytes = sizeBytes < SMALL_FILE_BYTES ? undefined : runBytesOf(path);
    this.runMissing = this.runBytes ?? 0;
    this.endsGroup = this.runBytes === undefined && endsGroup(path);
    if (this.runBytes !== undefined) {
      yield* this.flush(sizeBytes >= LARGE_FILE_BYTES ? 0 : BLOCK_BYTES);
    }
    this.next('contents', sizeBytes);
  }

  private next(phase: Phase, bytes: number): void {
    this.phase = phase;
    this.missing = bytes;
  }

  /** Ends the chunk, but for its last so many bytes, which begin the next one. */
  private *flush(keptBytes = 0): Generator<number> {
    const ended = this.lengthBytes - keptBytes;
    this.lengthBytes = keptBytes;
    if (ended > 0) yield ended;
  }
}

const NO_RECORDS = new Map<string, ByteString>();

function runBytesOf(path: ByteString): number {
  return path.startsWith('pg_wal/') || path === 'backup_manifest' ? LOG_RUN_BYTES : PAGE_RUN_BYTES;
}

function endsGroup(path: ByteString): boolean {
  return ((createHash('sha256').update(path, 'latin1').digest()[0] ?? 0) & GROUP_END_MASK) === 0;
}
