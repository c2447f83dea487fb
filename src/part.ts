/**
 * What a source hands to the vault and the vault hands back: artifacts as streams of bytes, described so that worker
 * threads can read the files themselves. The one thing that sources and vault know of each other.
 */

export type MediaType =
  'application/x-tar' | 'application/vnd.sqlite3' | 'application/json' | 'application/octet-stream';

/** What must still be true of a file when it is read; a difference is reported, never hidden. */
export interface FileExpectation {
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly inode: bigint;
}

/**
 * A piece of a chunk: bytes in memory, or a range of a file that the reading thread opens by itself (O_NOFOLLOW, opened
 * once per piece). A file shorter than its range is filled up with zeros and reported in `changed`. Bytes in a
 * SharedArrayBuffer are read by threads where they lie.
 */
export type Piece =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'range';
      readonly path: string | Buffer;
      readonly offset: number;
      readonly length: number;
      readonly expect: FileExpectation;
    };

/** One chunk to be: its pieces are concatenated. At most MAX_CHUNK_BYTES long, never empty. */
export interface ChunkRecipe {
  readonly pieces: readonly Piece[];
  readonly lengthBytes: number;
  /** Called when nobody reads the pieces any more, at most once; until then their bytes must not change. */
  readonly done?: () => void;
}

/**
 * A run of chunks that is stored or reused as a whole. With a fingerprint, the vault may reuse the chunks that the same
 * fingerprint produced before without reading anything: it covers every byte-deciding fact (paths, modes, owners,
 * sizes, times, inodes, links, xattrs). `settled` is false while a file's times are younger than two seconds before the
 * read: then it is never remembered.
 */
export interface RecipeSegment {
  readonly kind: 'recipes';
  readonly fingerprint?: string;
  readonly settled: boolean;
  readonly lengthBytes: number;
  /** Made only when the segment has to be read. */
  recipes(): Iterable<ChunkRecipe> | AsyncIterable<ChunkRecipe>;
  /** Files in it, for progress. */
  readonly files: number;
}

/**
 * Bytes of unknown length, cut by content (a stream that shifts) or at fixed offsets. A buffer is its source's again when
 * the next one is asked for.
 */
export interface StreamSegment {
  readonly kind: 'stream';
  readonly cut: 'content' | 'fixed';
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Bytes of unknown length that their source cuts by itself, because it knows what they are made of. */
export interface ChunkedSegment {
  readonly kind: 'chunked';
  open(signal: AbortSignal): AsyncIterable<ChunkRecipe>;
}

export type Segment = RecipeSegment | StreamSegment | ChunkedSegment;

/** A standard stream under a name, in order. The chunks of an artifact, opened and concatenated, are that stream. */
export interface Artifact {
  /** Unique in its component, such as `tree.tar` or `agent-wallets.db`. */
  readonly name: string;
  readonly mediaType: MediaType;
  segments(): AsyncIterable<Segment>;
}

/** How an artifact is read back: in order, each buffer owned by the receiver. Aborting stops the reading threads. */
export interface ArtifactReader {
  readonly name: string;
  readonly mediaType: MediaType;
  readonly lengthBytes: number;
  /** Ordered bytes from `start` (default 0) to `end` exclusive (default the whole length). */
  read(options?: { start?: number; end?: number; signal?: AbortSignal }): AsyncIterable<Uint8Array>;
}

/** One file of a cluster's write-ahead log as the vault holds it: a segment, or a timeline's history. */
export interface WalFile {
  /** 24 hexadecimal digits, or `0000000N.history`. */
  readonly name: string;
  readonly timeline: number;
  readonly lengthBytes: number;
  /** False: only the beginning of a segment has come so far. */
  readonly complete: boolean;
  readonly storedAtMs: number;
  /** Where it is known: by the server's clock, all that was acknowledged before is in the log up to here. */
  readonly coversUntilMs?: number;
}

/** The write-ahead log of one cluster, which lies outside any backup; read for a restore to a point in time. */
export interface WalSource {
  /** Sorted by name. */
  files(): Promise<readonly WalFile[]>;
  /** A segment whose end has not come is filled up with zeros to its full length. */
  read(name: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Chunks of files that change in place, and the largest chunk there is. */
export const FIXED_CHUNK_BYTES = 1024 * 1024;
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
