/** A store in a directory: a local disk, a NAS mount, a removable drive. */
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { lstat, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../failures.ts';
import { directoryFailure, errorCode, isMissing } from './directory-errors.ts';
import { FILE_CALLS, publish, readObject, unlessStale, unlinkIfThere } from './directory-files.ts';
import type { FileCalls } from './directory-files.ts';
import { directoryTree } from './directory-walk.ts';
import { checkKey, checkPrefix, TEMPORARY_AREA } from './keys.ts';
import { requireMount } from './mount.ts';
import type { HandedOut, ObjectInfo, PutOptions, PutOutcome, Store } from './store.ts';
import { isContentAddressed, Unsynced } from './unsynced.ts';
import { walk } from './walk.ts';

export interface DirectoryStoreOptions {
  readonly path: string;
  readonly mustBeMounted: boolean;
}

const HALF_WRITTEN = /^\d+-/;
const LEFTOVER_AGE_MS = 24 * 60 * 60 * 1000;

/** Throws StoreNotMounted. Makes nothing: the directory appears with the first object. */
export async function openDirectoryStore(
  options: DirectoryStoreOptions,
  calls: FileCalls = FILE_CALLS,
): Promise<Store> {
  const store = new DirectoryStore(options, calls);
  await store.checkMount();
  return store;
}

class DirectoryStore implements Store {
  readonly kind = 'directory';
  readonly label: string;
  readonly #calls: FileCalls;
  readonly #root: string;
  readonly #area: string;
  readonly #unsynced: Unsynced;
  readonly #mustBeMounted: boolean;
  readonly #madeDirectories = new Map<string, Promise<void>>();
  /** Device and inode of the root once it was seen: another one under its name is not this store. */
  #identity: string | undefined;
  #changes = 0;
  /** Below the first count: what an earlier process left in the page cache is synced by the first call as well. */
  #durableChanges = -1;

  constructor(options: DirectoryStoreOptions, calls: FileCalls) {
    this.#calls = calls;
    this.#root = options.path;
    this.#area = join(options.path, TEMPORARY_AREA);
    this.#unsynced = new Unsynced(this.#area);
    this.#mustBeMounted = options.mustBeMounted;
    this.label = `directory ${options.path}`;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const target = this.localPath(key);
    options.signal?.throwIfAborted();
    try {
      return await this.#steady(() =>
        isContentAddressed(key)
          ? this.#placeRepeatable(target, bytes, options)
          : this.#place(target, bytes, options, true),
      );
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw directoryFailure(this.label, `write ${key}`, cause);
    }
  }

  async get(key: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const path = this.localPath(key);
    options.signal?.throwIfAborted();
    try {
      return await this.#steady(() => readObject(this.#calls, path, options.signal));
    } catch (cause) {
      options.signal?.throwIfAborted();
      if (!isMissing(cause)) throw directoryFailure(this.label, `read ${key}`, cause);
      await this.checkMount();
      const details = { storeIsThere: await exists(this.#root) };
      throw new HoldfastError('ObjectMissing', `The ${this.label} has no ${key}.`, { cause, details });
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const path = this.localPath(key);
    try {
      const stat = await this.#steady(() => lstat(path));
      return stat.isFile() ? describe(key, stat, await this.#unsynced.judge()) : undefined;
    } catch (cause) {
      if (!isMissing(cause)) throw directoryFailure(this.label, `look at ${key}`, cause);
      await this.checkMount();
      return undefined;
    }
  }

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo, void, undefined> {
    checkPrefix(prefix);
    await this.checkMount();
    const { startAfter = '', signal } = options;
    try {
      const doubtful = await this.#unsynced.judge();
      const look = (key: string, stat: Stats) => describe(key, stat, doubtful);
      yield* walk(directoryTree(this.#root, look), { prefix, startAfter, signal });
    } catch (cause) {
      signal?.throwIfAborted();
      throw directoryFailure(this.label, `list ${prefix}`, cause);
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.localPath(key);
    try {
      await this.#steady(() => this.#calls.unlink(path));
      this.#changes += 1;
    } catch (cause) {
      if (!isMissing(cause)) throw directoryFailure(this.label, `delete ${key}`, cause);
      await this.checkMount();
    }
  }

  async sync(): Promise<void> {
    const changes = this.#changes;
    if (changes === this.#durableChanges) return;
    await this.checkMount();
    try {
      // Nothing was ever written where nothing is.
      if (await exists(this.#root)) await this.#calls.syncFilesystem(this.#root);
      if (this.#changes === changes) await this.#unsynced.settle();
    } catch (cause) {
      // The kernel tells of bytes it could not write once; a later sync that succeeds says nothing of them. Where there is
      // no room even to write that down, the next sync begins with it.
      await this.#unsynced.doubt().catch(() => undefined);
      throw directoryFailure(this.label, 'sync', cause);
    }
    this.#durableChanges = Math.max(this.#durableChanges, changes);
  }

  localPath(key: string): string {
    return join(this.#root, checkKey(key));
  }

  async handOut(key: string): Promise<HandedOut> {
    const target = this.localPath(key);
    try {
      await this.#inDirectory(this.#area, () => this.#unsynced.begin());
    } catch (cause) {
      throw directoryFailure(this.label, `write ${key}`, cause);
    }
    const over = (): void => {
      this.#changes += 1;
      this.#unsynced.end();
    };
    try {
      await this.#makeDirectory(dirname(target));
    } catch (cause) {
      over();
      throw directoryFailure(this.label, `write ${key}`, cause);
    }
    return { target, temporary: this.#temporary(), over };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Throws StoreNotMounted. Looked at whenever something is missing, because that is how a lost mount shows. */
  async checkMount(): Promise<void> {
    if (this.#mustBeMounted) await requireMount(this.#root);
    const now = await identityOf(this.#root);
    if (this.#identity !== undefined && now !== this.#identity) {
      const what = now === undefined ? 'is not there any more' : 'is not the one it was';
      throw new HoldfastError('StoreNotMounted', `The ${this.label} ${what}.`, {
        hint: 'Mount it again, or move it back to its place; it is tried again.',
      });
    }
    this.#identity = now;
  }

  /** Directories that were known may be others by the same name. */
  #steady<T>(action: () => Promise<T>): Promise<T> {
    return unlessStale(action, () => this.#madeDirectories.clear());
  }

  /** Not durable until the next sync, and remembered as such: the power may go before. */
  async #placeRepeatable(target: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    await this.#inDirectory(this.#area, () => this.#unsynced.begin());
    try {
      return await this.#place(target, bytes, options, false);
    } finally {
      this.#unsynced.end();
    }
  }

  /** With `flush` the bytes are durable before the name appears, so a record is never there without its content. */
  async #place(target: string, bytes: Uint8Array, options: PutOptions, flush: boolean): Promise<PutOutcome> {
    const temporary = this.#temporary();
    try {
      await this.#inDirectory(this.#area, () =>
        this.#calls.writeFile(temporary, bytes, { flag: 'wx', mode: 0o600, flush, signal: options.signal }),
      );
      return await this.#inDirectory(dirname(target), () => this.#publish(temporary, target, options, flush));
    } finally {
      // Counted when it is over: a sync that began before the name appeared has not covered it.
      this.#changes += 1;
      await unlinkIfThere(this.#calls, temporary);
    }
  }

  #temporary(): string {
    return join(this.#area, `${process.pid}-${randomUUID()}`);
  }

  async #publish(temporary: string, target: string, options: PutOptions, flushed: boolean): Promise<PutOutcome> {
    const outcome = await publish(this.#calls, temporary, target, options.createOnly);
    if (outcome === 'written' || flushed) return outcome;
    const doubtful = await this.#unsynced.judge();
    return doubtful((await lstat(target)).mtimeMs) ? publish(this.#calls, temporary, target, false) : outcome;
  }

  /** Runs `action`; makes the directory first when it is new, or when it has vanished since. */
  async #inDirectory<T>(directory: string, action: () => Promise<T>): Promise<T> {
    await this.#makeDirectory(directory);
    try {
      return await action();
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause;
      this.#madeDirectories.delete(directory);
      await this.#makeDirectory(directory);
      return await action();
    }
  }

  #makeDirectory(directory: string): Promise<void> {
    const known = this.#madeDirectories.get(directory);
    if (known !== undefined) return known;
    const made = this.checkMount().then(async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      if (directory === this.#area) await removeLeftovers(directory);
    });
    this.#madeDirectories.set(directory, made);
    made.catch(() => this.#madeDirectories.delete(directory));
    return made;
  }
}

function describe(key: string, stat: Stats, doubtful: (modifiedAtMs: number) => boolean): ObjectInfo {
  const info = { key, sizeBytes: stat.size, modifiedAtMs: Math.floor(stat.mtimeMs) };
  return isContentAddressed(key) && doubtful(stat.mtimeMs) ? { ...info, doubtful: true } : info;
}

async function exists(path: string): Promise<boolean> {
  return (await identityOf(path)) !== undefined;
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
}

/** Removes what writers that were killed left half-written, long after any writer could still be at work. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of (await readdir(directory)).filter((found) => HALF_WRITTEN.test(found))) {
    const path = join(directory, name);
    const stat = await lstat(path).catch(() => undefined);
    if (stat?.isFile() === true && Date.now() - stat.mtimeMs > LEFTOVER_AGE_MS) await unlinkIfThere(FILE_CALLS, path);
  }
}
