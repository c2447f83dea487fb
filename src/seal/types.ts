/** Naming, compressing and sealing of chunks, on worker threads. The format is age v1 around zstd (RFC 8878). */
import type { ChunkRecipe } from '../part.ts';

/** Two paths of one filesystem: an object is written under the first, then gets the second as its name. */
export interface FilePlace {
  readonly temporary: string;
  readonly target: string;
}

/** What becomes of a chunk that was named: nothing, sealed and handed back, or sealed and put there by the thread. */
export type Wanted = boolean | FilePlace;

export interface SealedChunk {
  /** 64 hex digits: HMAC-SHA-256 of the plain bytes under the chunk-id key. */
  readonly id: string;
  readonly lengthBytes: number;
  /**
   * age(zstd(bytes)); undefined when `wanted` said no, and when the thread put it into its place. Owned by the receiver, who may give it to `freeNow` (free.ts) once
   * it is stored: the garbage collector takes its time, which costs a hundred MiB.
   */
  readonly sealed: Uint8Array | undefined;
  /** Length of what the thread put into its place; undefined when it did not, also when it could not. */
  readonly placedBytes?: number | undefined;
  /** SHA-256 of the sealed bytes (hex), where the thread that sealed it computed that as well. */
  readonly sealedSha256?: string | undefined;
  /** Paths that were not as their expectation said while they were read. */
  readonly changed: readonly string[];
}

/** One pool for one capture: one age file key and header, a fresh payload nonce for every chunk. */
export interface SealPool {
  /**
   * Reads the recipe on a thread, names it, asks `wanted` (on the calling thread), and seals what is wanted. Bounded:
   * resolves `ready()` when another call would not queue without end.
   */
  seal(
    recipe: ChunkRecipe,
    wanted: (id: string, lengthBytes: number) => Wanted | Promise<Wanted>,
  ): Promise<SealedChunk>;
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Bytes, which are transferred and not usable afterwards; or a file of this machine that the thread reads itself. */
export type SealedSource = Uint8Array | { readonly path: string };

export interface ExpectedChunk {
  readonly id: string;
  readonly lengthBytes: number;
  /** Its length is not known: `lengthBytes` is the most it may be. */
  readonly atMost?: true;
}

/** Opens chunks on threads. */
export interface OpenPool {
  /**
   * Throws WrongIdentity, ObjectCorrupt (age, zstd, length), ObjectMissing (no such file); never more than `lengthBytes`
   * of memory for the plain bytes. With the chunk-id key the name is checked as well.
   */
  open(sealed: SealedSource, expect: ExpectedChunk): Promise<Uint8Array>;
  /** The same checks, and nothing comes back. */
  check(sealed: SealedSource, expect: ExpectedChunk): Promise<void>;
  ready(): Promise<void>;
  close(): Promise<void>;
}

export interface SealPoolOptions {
  readonly recipients: readonly string[];
  readonly chunkIdKey: Uint8Array;
  /** Default: the number of cores. */
  readonly threads?: number;
  /** zstd level. */
  readonly level?: number;
}

export interface OpenPoolOptions {
  readonly identities: readonly string[];
  readonly chunkIdKey?: Uint8Array;
  readonly threads?: number;
}
