/** A tree as an artifact: one tar, cut by files, so that what did not change is not read again. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { Artifact, ChunkRecipe, Piece, RecipeSegment } from '../../part.ts';
import { FIXED_CHUNK_BYTES } from '../../part.ts';
import type { ByteString } from '../byte-string.ts';
import { byteString, pathArgument } from '../byte-string.ts';
import type { TreeEntry } from './entry.ts';
import { decodeEntries } from './entry.ts';
import { LARGE_FILE_BYTES } from './grouping.ts';
import type { EntryGroup } from './groups.ts';
import { paddedBytes, writeTarHeader } from './headers.ts';
import { baseOf } from './live.ts';
import type { Note } from './notes.ts';
import { warningsOf } from './notes.ts';
import { scanTree } from './scan.ts';

export interface TreeOptions {
  /** Name of the artifact; default `tree.tar`. */
  readonly name?: string;
  /** Patterns relative to the root (globs.ts); default everything. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Only regular files at least this old. */
  readonly minimumAgeSeconds?: number;
}

/** What the last complete pass over the segments saw. */
export interface TreeReport {
  readonly files: number;
  /** Directories (without the root), links and the rest too. */
  readonly entries: number;
  /** In milliseconds since 1970; 0 without a file. */
  readonly newestMtimeMs: number;
  /** Length of the tar. */
  readonly tarBytes: number;
  readonly warnings: readonly string[];
}

export interface TreeArtifact extends Artifact {
  /** Undefined until all segments were taken once. */
  report(): TreeReport | undefined;
}

/** Contents of a large file that are reused or read together. */
const RUN_BYTES = 64 * FIXED_CHUNK_BYTES;

/**
 * The tar (POSIX pax) of a directory, or of a single file. Its first entry is `./`, the others are relative to it; a
 * single file lies in it under its own name. The root may be a path of any bytes. Links are not followed, the root
 * included: resolve it before. Segments are made by a fresh scan each time; a scan fails with SourceMissing,
 * PermissionDenied.
 */
export function treeArtifact(root: string | Buffer, options: TreeOptions = {}): TreeArtifact {
  const absolute = byteString(typeof root === 'string' ? resolve(root) : root);
  let report: TreeReport | undefined;
  return {
    name: options.name ?? 'tree.tar',
    mediaType: 'application/x-tar',
    report: () => report,
    async *segments() {
      const base = await baseOf(absolute);
      const count = new Counter();
      for await (const group of scanTree(absolute, walkOptions(options), (notes) => count.notes(notes))) {
        count.group(group);
        for (const segment of segmentsOf(base, group)) {
          count.segment(segment);
          yield segment;
        }
      }
      report = count.report(base === absolute);
    },
  };
}

/** The report of a tree without making its tar: how much there is and what is left out. Fails as segments do. */
export async function surveyTree(
  root: string | Buffer,
  options: TreeOptions,
  signal: AbortSignal,
): Promise<TreeReport> {
  const artifact = treeArtifact(root, options);
  for await (const segment of artifact.segments()) {
    if (segment.kind === 'recipes') signal.throwIfAborted();
  }
  const report = artifact.report();
  if (report === undefined) throw new HoldfastError('Internal', 'A scan ended without a report');
  return report;
}

function walkOptions(options: TreeOptions): Parameters<typeof scanTree>[1] {
  const age = options.minimumAgeSeconds ?? 0;
  return {
    include: options.include ?? [],
    exclude: options.exclude ?? [],
    newestMtimeMs: age > 0 ? Date.now() - age * 1000 : null,
  };
}

class Counter {
  private files = 0;
  private entries = 0;
  private newestMtimeMs = 0;
  private tarBytes = 0;
  private warnings: readonly string[] = [];

  group(group: EntryGroup): void {
    this.files += group.files;
    this.entries += group.entries;
    this.newestMtimeMs = Math.max(this.newestMtimeMs, group.newestMtimeMs);
  }

  segment(segment: RecipeSegment): void {
    this.tarBytes += segment.lengthBytes;
  }

  notes(notes: readonly Note[]): void {
    this.warnings = warningsOf(notes);
  }

  report(rootIsEntry: boolean): TreeReport {
    const { files, newestMtimeMs, tarBytes, warnings } = this;
    return { files, entries: this.entries - (rootIsEntry ? 1 : 0), newestMtimeMs, tarBytes, warnings };
  }
}

function* segmentsOf(base: ByteString, group: EntryGroup): Generator<RecipeSegment> {
  yield {
    kind: 'recipes',
    fingerprint: group.fingerprint,
    settled: group.settled,
    lengthBytes: group.tarBytes,
    files: group.files,
    recipes: () => groupRecipes(base, group),
  };
  if (group.large) yield* contentRuns(base, group);
}

/** A group is at most MAX_CHUNK_BYTES long: one chunk. */
function* groupRecipes(base: ByteString, group: EntryGroup): Generator<ChunkRecipe> {
  const pieces: Piece[] = [];
  // Headers and padding, which stays zero, in one buffer: thousands of small ones would keep the collector busy.
  const loose = Buffer.alloc(group.tarBytes - group.contentBytes);
  let start = 0;
  let at = 0;
  const flush = (): void => {
    if (at > start) pieces.push({ kind: 'bytes', bytes: loose.subarray(start, at) });
    start = at;
  };
  for (const entry of decodeEntries(group.records)) {
    at = writeTarHeader(entry, loose, at);
    if (entry.type !== 'file' || entry.sizeBytes === 0 || entry.sizeBytes >= LARGE_FILE_BYTES) continue;
    flush();
    pieces.push(contentPiece(base, entry, 0, entry.sizeBytes));
    at += paddedBytes(entry.sizeBytes) - entry.sizeBytes;
  }
  flush();
  yield { pieces, lengthBytes: group.tarBytes };
}

function* contentRuns(base: ByteString, group: EntryGroup): Generator<RecipeSegment> {
  const entry = [...decodeEntries(group.records)].at(-1);
  if (entry === undefined) return;
  for (let start = 0; start < entry.sizeBytes; start += RUN_BYTES) {
    const end = Math.min(start + RUN_BYTES, entry.sizeBytes);
    yield {
      kind: 'recipes',
      fingerprint: contentFingerprint(entry, start, end),
      settled: group.settled,
      lengthBytes: (end === entry.sizeBytes ? paddedBytes(end) : end) - start,
      files: 0,
      recipes: () => contentRecipes(base, entry, start, end),
    };
  }
}

/** Name, mode and the rest stand in the header, which has its own fingerprint. */
function contentFingerprint(entry: TreeEntry, start: number, end: number): string {
  const facts = [entry.device, entry.inode, entry.sizeBytes, entry.mtimeNs, entry.ctimeNs, start, end].join(' ');
  return createHash('sha256').update(`holdfast contents 1\n${facts}`).digest('hex');
}

function* contentRecipes(base: ByteString, entry: TreeEntry, start: number, end: number): Generator<ChunkRecipe> {
  for (let at = start; at < end; at += FIXED_CHUNK_BYTES) {
    const length = Math.min(FIXED_CHUNK_BYTES, end - at);
    const pieces: Piece[] = [contentPiece(base, entry, at, length)];
    const padding = at + length === entry.sizeBytes ? paddedBytes(entry.sizeBytes) - entry.sizeBytes : 0;
    if (padding > 0) pieces.push({ kind: 'bytes', bytes: Buffer.alloc(padding) });
    yield { pieces, lengthBytes: length + padding };
  }
}

function contentPiece(base: ByteString, entry: TreeEntry, offset: number, length: number): Piece {
  return {
    kind: 'range',
    path: pathArgument(`${base}/${entry.path}`),
    offset,
    length,
    expect: { sizeBytes: entry.sizeBytes, mtimeNs: entry.mtimeNs, inode: entry.inode },
  };
}
