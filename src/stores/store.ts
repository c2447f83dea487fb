/** Where the objects of vaults lie. One small interface; every store passes the same conformance suite. */

import type { ReplicationState } from '../policy/replica.ts';
import type { FilePlace } from '../seal/types.ts';
import type { StoreConfig } from '../system/types.ts';

export type StoreKind = StoreConfig['kind'];

/**
 * As what a store is opened: `capture` may create and list, and whatever else its credentials allow; `maintain` uses the
 * credentials for pruning, reading back and extending locks, where the system file has such.
 */
export type StoreRole = 'capture' | 'maintain';

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** The store's own clock. */
  readonly modifiedAtMs: number;
  /** The store's own name of it, where it has classes. */
  readonly storageClass?: string;
  /**
   * The machine went down before this was synced: its bytes may be gone though its name is there. Never reuse it; a
   * create-only put of a content-addressed object (chunks, lists, sums) replaces it and says 'written'.
   */
  readonly doubtful?: true;
}

export interface PutOptions {
  /** True: the write fails with outcome 'exists' when the key is taken; of several racing writers exactly one wins. */
  readonly createOnly: boolean;
  /** SHA-256 of the bytes (hex), sent to stores that check it themselves. */
  readonly sha256?: string;
  /** Called with the checksum that the store says, in its answer to this write, it has stored; never by those that don't. */
  readonly onStoredSha256?: (sha256: string) => void;
  readonly signal?: AbortSignal;
}

export interface GetOptions {
  readonly signal?: AbortSignal;
  /**
   * Memory of the caller where the bytes may be put, when they fit: then what is returned is its beginning. Nothing writes
   * there any more once the call has ended. Of use to those who read very much; a store may ignore it.
   */
  readonly room?: Uint8Array;
}

export type PutOutcome = 'written' | 'exists';

/** Where a thread of this process may put one object itself, by `placeFile` of src/seal, instead of `put`. */
export interface HandedOut extends FilePlace {
  /** To be called once, whatever became of it: from here on a sync covers it. */
  over(): void;
}

/**
 * Keys are `/`-separated, of the characters A-Z a-z 0-9 . _ - : and never contain `..` or an empty segment.
 * Every method throws HoldfastError only: StoreUnreachable (waiting helps, transient faults were already retried with
 * backoff), StoreDenied, StoreNotMounted, DiskFull, ObjectMissing. Aborting rejects with the signal's reason.
 * A repeated call is harmless.
 */
export interface Store {
  /** For people: `directory /mnt/nas/vault`, `s3 bucket/prefix`. Never a secret. */
  readonly label: string;
  readonly kind: StoreKind;

  /** After return the bytes are what `get` gives; durable only after `sync`, for stores that buffer. */
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome>;
  /** Throws ObjectMissing, ObjectFrozen. The returned buffer belongs to the caller. Bounded: objects are a few MiB. */
  get(key: string, options?: GetOptions): Promise<Uint8Array>;
  /** Undefined when there is no such object. */
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Keys under a prefix in byte order, from after `startAfter` on; listing after writing is consistent. */
  list(prefix: string, options?: { startAfter?: string; signal?: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** Succeeds also when nothing is there. */
  delete(key: string): Promise<void>;
  /** Everything put before is durable when this resolves. */
  sync(): Promise<void>;
  /**
   * The checksum the store itself computed or checked for the object, without handing out its bytes;
   * undefined when the store has none, or does not tell it to these credentials (then it is read back by those who may).
   */
  storedSha256?(key: string): Promise<string | undefined>;
  /** A path for programs on this machine to read the object by, where there is one. */
  localPath?(key: string): string;
  /**
   * For stores in a directory: a content-addressed object may be put there without its bytes going through here. It keeps
   * the promises of a create-only `put`. Throws what `put` throws.
   */
  handOut?(key: string): Promise<HandedOut>;
  /** Present when the store may keep what is deleted or replaced as older versions, which take room and can be had back. */
  readonly versions?: StoreVersions;
  /** Present when the store can lock objects against everybody, and is asked to by the system file. */
  readonly locks?: StoreLocks;
  /** Present when objects may lie in a class that must be thawed before it can be read. */
  readonly cold?: StoreCold;
  /** Present when the store itself may bring what is put here to another place. */
  readonly replication?: StoreReplication;
  close(): Promise<void>;
}

export interface StoreReplication {
  /** Undefined where it is not replicated, and when there is no such object. Throws as a store does. */
  stateOf(key: string): Promise<ReplicationState | undefined>;
}

/** The versions of objects, for those who may delete for good. Throws as a store does, and StoreLocked. */
export interface StoreVersions {
  /** In the order of the keys, of one key from new to old. Nothing beside what `list` shows when the bucket has no versions. */
  list(prefix: string, options?: { startAfter?: string; signal?: AbortSignal }): AsyncIterable<ObjectVersion>;
  /** Throws ObjectMissing, also for a mark that hides. */
  get(key: string, versionId: string, options?: { signal?: AbortSignal }): Promise<Uint8Array>;
  /** For good. Throws StoreLocked while a lock holds it. Succeeds also when it is not there. */
  delete(key: string, versionId: string): Promise<void>;
}

export interface ObjectVersion {
  readonly key: string;
  readonly versionId: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly latest: boolean;
  /** A mark that hides the object; it has no bytes. */
  readonly deleteMarker: boolean;
}

export interface StoreLocks {
  /** Undefined when nothing locks the current version. Throws ObjectMissing. */
  get(key: string): Promise<ObjectLock | undefined>;
  /** Locks the current version until then at least; a lock that holds longer stays. Throws ObjectMissing. */
  extend(key: string, untilMs: number): Promise<void>;
}

export interface ObjectLock {
  readonly mode: 'governance' | 'compliance';
  readonly untilMs: number;
}

export interface StoreCold {
  /** Throws ObjectMissing. */
  state(key: string): Promise<'ready' | 'frozen' | 'thawing'>;
  /** Asks for a readable copy that stays for so many days. Asking again, or for what is ready, is harmless. */
  thaw(key: string, options: { readonly days: number; readonly speed: ThawSpeed }): Promise<void>;
}

export type ThawSpeed = 'bulk' | 'standard' | 'expedited';
