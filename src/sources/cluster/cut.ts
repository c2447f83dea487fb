/**
 * Where the tar of a base backup is cut into chunks, so that the next one stores what changed and little else. Contents
 * of a file are cut at fixed offsets that are multiples of every page size; headers and small files are gathered in
 * groups whose ends depend on names alone. The chunks, concatenated, are the tar byte for byte.
 */
import { createHash } from 'node:crypto';
import type { ChunkRecipe, Piece } from '../../part.ts';
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

export interface TarFile {
  readonly path: ByteString;
  readonly sizeBytes: number;
}

export interface CutObserver {
  /** A file begins. True: its contents are wanted. */
  file(file: TarFile): boolean;
  /** Valid for as long as the buffer is. */
  contents(bytes: Uint8Array): void;
}

type Phase = 'header' | 'contents' | 'padding' | 'end';

/** Give it all bytes with `push`, then call `finish`. Throws ArchiveBroken for what is no plain tar, or none to its end. */
export class ClusterCutter {
  private readonly observer: CutObserver;
  private phase: Phase = 'header';
  private missing = BLOCK_BYTES;
  private header: Uint8Array[] = [];
  private paddingBytes = 0;
  private wanted = false;
  private endsGroup = false;
  /** Length of the runs that the current contents are cut into; undefined: they belong to the group. */
  private runBytes: number | undefined;
  private runMissing = 0;
  private pieces: Piece[] = [];
  private lengthBytes = 0;

  constructor(observer: CutObserver) {
    this.observer = observer;
  }

  *push(buffer: Uint8Array): Generator<ChunkRecipe> {
    let at = 0;
    while (at < buffer.length) {
      const limit = this.phase === 'contents' && this.runBytes !== undefined ? this.runMissing : Infinity;
      const bytes = buffer.subarray(at, at + Math.min(limit, this.phase === 'end' ? Infinity : this.missing));
      at += bytes.length;
      if (this.phase === 'end' && bytes.some((byte) => byte !== 0)) throw broken('there is data behind its end');
      this.add(bytes);
      if (this.phase === 'contents') {
        if (this.wanted) this.observer.contents(bytes);
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

  *finish(): Generator<ChunkRecipe> {
    if (this.phase !== 'end') throw broken('it ends in the middle');
    yield* this.flush();
  }

  private *step(): Generator<ChunkRecipe> {
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

  private *entry(block: Buffer): Generator<ChunkRecipe> {
    const raw = parseBlock(block);
    if (raw === undefined) {
      this.next('end', Infinity);
      return;
    }
    const { path, sizeBytes } = entryOf(raw, NO_RECORDS);
    this.wanted = this.observer.file({ path, sizeBytes });
    this.paddingBytes = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    this.runBytes = sizeBytes < SMALL_FILE_BYTES ? undefined : runBytesOf(path);
    this.runMissing = this.runBytes ?? 0;
    this.endsGroup = this.runBytes === undefined && endsGroup(path);
    if (this.runBytes !== undefined) {
      if (sizeBytes >= LARGE_FILE_BYTES) yield* this.flush();
      else yield* this.flushBut(BLOCK_BYTES);
    }
    this.next('contents', sizeBytes);
  }

  private add(bytes: Uint8Array): void {
    this.pieces.push({ kind: 'bytes', bytes });
    this.lengthBytes += bytes.length;
  }

  private next(phase: Phase, bytes: number): void {
    this.phase = phase;
    this.missing = bytes;
  }

  private *flush(): Generator<ChunkRecipe> {
    if (this.lengthBytes === 0) return;
    yield { pieces: this.pieces, lengthBytes: this.lengthBytes };
    this.pieces = [];
    this.lengthBytes = 0;
  }

  /** The last so many bytes begin the next chunk. */
  private *flushBut(bytes: number): Generator<ChunkRecipe> {
    const kept: Piece[] = [];
    for (let left = bytes; left > 0;) {
      const piece = this.pieces.pop();
      if (piece?.kind !== 'bytes') throw broken('a header is missing');
      const taken = piece.bytes.subarray(Math.max(0, piece.bytes.length - left));
      if (taken.length < piece.bytes.length) {
        this.pieces.push({ kind: 'bytes', bytes: piece.bytes.subarray(0, piece.bytes.length - taken.length) });
      }
      kept.unshift({ kind: 'bytes', bytes: taken });
      left -= taken.length;
    }
    this.lengthBytes -= bytes;
    yield* this.flush();
    this.pieces = kept;
    this.lengthBytes = bytes;
  }
}

const NO_RECORDS = new Map<string, ByteString>();

function runBytesOf(path: ByteString): number {
  return path.startsWith('pg_wal/') || path === 'backup_manifest' ? LOG_RUN_BYTES : PAGE_RUN_BYTES;
}

function endsGroup(path: ByteString): boolean {
  return ((createHash('sha256').update(path, 'latin1').digest()[0] ?? 0) & GROUP_END_MASK) === 0;
}
