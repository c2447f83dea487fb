/** A store in a directory of an SFTP server, as OpenSSH is one: durable when answered, and of racing writers one wins. */
import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { HoldfastError } from '../failures.ts';
import type { SecretRef } from '../system/types.ts';
import { unlessAborted } from './abandon.ts';
import { checkKey, checkPrefix, TEMPORARY_AREA } from './keys.ts';
import { SilenceError, STORE_RETRIES, withRetries } from './retry.ts';
import type { Attempt, RetryPolicy } from './retry.ts';
import type { SftpChannel } from './sftp-channel.ts';
import { SftpConnection } from './sftp-connection.ts';
import { SftpDirectories } from './sftp-directories.ts';
import { isMissingFile, isTransientSftp, sftpFailure, STATUS, statusOf, VanishedError } from './sftp-errors.ts';
import { sftpLogin } from './sftp-login.ts';
import type { SftpConfig } from './sftp-login.ts';
import type { ObjectInfo, PutOptions, PutOutcome, Store } from './store.ts';
import { isKeyName, walk } from './walk.ts';
import type { Tree, TreeEntry } from './walk.ts';

const MAX_OBJECT_BYTES = 256 * 1024 * 1024;
/** An upload slower than this is taken for a hanging one. */
const SLOWEST_UPLOAD_BYTES_PER_SECOND = 16 * 1024;
const DEFAULT_CHANNELS = 4;
/** OpenSSH's MaxSessions is 10, and somebody else may share the connection's account. */
const MOST_CHANNELS = 8;

/** Opens no connection yet. Throws BadInput, and what `resolveSecret` throws. */
export async function openSftpStore(
  config: SftpConfig,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  retries: RetryPolicy = STORE_RETRIES,
): Promise<Store> {
  return new SftpStore(
    config,
    new SftpConnection(config, await sftpLogin(config, resolveSecret), channels(config)),
    retries,
  );
}

function channels({ parallelism }: SftpConfig): number {
  return Math.min(parallelism ?? DEFAULT_CHANNELS, MOST_CHANNELS);
}

interface FoundFile extends TreeEntry {
  readonly info: ObjectInfo;
}

class SftpStore implements Store {
  readonly kind = 'sftp';
  readonly label: string;
  readonly #root: string;
  readonly #connection: SftpConnection;
  readonly #directories: SftpDirectories;
  readonly #retries: RetryPolicy;

  constructor(config: SftpConfig, connection: SftpConnection, retries: RetryPolicy) {
    this.#root = posix.normalize(config.path).replace(/(?<=.)\/+$/, '');
    this.#connection = connection;
    this.#retries = retries;
    this.label = `sftp ${config.user}@${config.host}:${this.#root}`;
    this.#directories = new SftpDirectories(this.#root, this.label);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const target = this.#path(key);
    const extraMs = (bytes.length / SLOWEST_UPLOAD_BYTES_PER_SECOND) * 1000;
    const doing = { text: `write ${key}`, signal: options.signal, extraMs, neededBytes: bytes.length };
    // A new one each time: what an attempt had under way when its connection broke may still be carried out.
    const left: string[] = [];
    return this.#run(doing, async (channel, attempt) => {
      await this.#directories.prepare(channel, posix.dirname(target));
      const temporary = posix.join(this.#root, TEMPORARY_AREA, `${process.pid}-${randomUUID()}`);
      left.push(temporary);
      try {
        await writeDurably(channel, temporary, bytes, attempt);
        attempt.signal.throwIfAborted();
        const outcome = await this.#publish(channel, temporary, target, options.createOnly);
        // Also what is there already: whoever gave it its name, we in an attempt whose answer was lost or somebody else, may
        // not have come as far.
        await this.#directories.makeDurable(channel, posix.dirname(target));
        if (outcome === 'written' || attempt.number === 1) return outcome;
        return (await holds(channel, target, bytes, attempt)) ? 'written' : 'exists';
      } catch (cause) {
        if (!isMissingFile(cause)) throw cause;
        this.#directories.forget();
        throw new VanishedError('a directory of the store vanished while it was written to', { cause });
      } finally {
        for (const path of left) removeLater(channel, path);
      }
    });
  }

  async get(key: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const path = this.#path(key);
    return this.#run({ text: `read ${key}`, signal: options.signal }, async (channel, attempt) => {
      try {
        return await readFile(channel, path, attempt);
      } catch (cause) {
        if (!isMissingFile(cause)) throw cause;
        const details = { storeIsThere: await this.#directories.isThere(channel) };
        throw new HoldfastError('ObjectMissing', `The ${this.label} has no ${key}.`, { cause, details });
      }
    });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const path = this.#path(key);
    return this.#run({ text: `look at ${key}` }, async (channel) => {
      try {
        const { isFile, size, mtime } = await channel.lstat(path);
        return isFile ? { key, sizeBytes: size, modifiedAtMs: mtime * 1000 } : undefined;
      } catch (cause) {
        if (!isMissingFile(cause)) throw cause;
        await this.#directories.isThere(channel);
        return undefined;
      }
    });
  }

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo, void, undefined> {
    checkPrefix(prefix);
    const { startAfter = '', signal } = options;
    const tree: Tree<FoundFile> = {
      read: (base) => this.#run({ text: `list ${base}`, signal }, (channel) => this.#readEntries(channel, base)),
      describe: ({ info }) => Promise.resolve(info),
    };
    yield* walk(tree, { prefix, startAfter, signal });
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#run({ text: `delete ${key}` }, async (channel) => {
      try {
        await channel.unlink(path);
      } catch (cause) {
        if (!isMissingFile(cause)) throw cause;
        await this.#directories.isThere(channel);
      }
    });
  }

  /** File and name are synced on the server before a write is answered. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #path(key: string): string {
    return posix.join(this.#root, checkKey(key));
  }

  async #publish(channel: SftpChannel, from: string, to: string, createOnly: boolean): Promise<PutOutcome> {
    if (!createOnly) {
      await channel.replace(from, to);
      return 'written';
    }
    try {
      await channel.hardLink(from, to);
      return 'written';
    } catch (cause) {
      // OpenSSH says no more than that it failed when the name is taken; so it is looked.
      if (statusOf(cause) !== STATUS.failure || (await lstatOrMissing(channel, to)) === undefined) throw cause;
      return 'exists';
    }
  }

  async #readEntries(channel: SftpChannel, base: string): Promise<FoundFile[]> {
    try {
      const found = await channel.readDirectory(posix.join(this.#root, base));
      return found.flatMap(({ filename, attrs }): FoundFile[] => {
        if (!isKeyName(base, filename)) return [];
        const key = base + filename;
        const info = { key, sizeBytes: attrs.size, modifiedAtMs: attrs.mtime * 1000 };
        if (attrs.isDirectory()) return [{ sortKey: `${key}/`, directory: true, info }];
        // Links and special files are never objects.
        return attrs.isFile() ? [{ sortKey: key, directory: false, info }] : [];
      });
    } catch (cause) {
      if (!isMissingFile(cause)) throw cause;
      await this.#directories.isThere(channel);
      return [];
    }
  }

  async #run<T>(
    doing: { text: string; signal?: AbortSignal | undefined; extraMs?: number; neededBytes?: number },
    action: (channel: SftpChannel, attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const { text, signal, extraMs = 0, neededBytes = 0 } = doing;
    try {
      return await withRetries(this.#retries, { signal, extraMs, worthTrying: isTransientSftp }, (attempt) =>
        this.#try(attempt, async () => {
          const channel = await this.#connection.channel();
          try {
            return await action(channel, attempt);
          } catch (cause) {
            throw await this.#withSpace(channel, cause, neededBytes, text);
          }
        }),
      );
    } catch (cause) {
      signal?.throwIfAborted();
      throw sftpFailure(this.label, text, cause);
    }
  }

  /** A connection that was silent for too long is thrown away with all that is under way on it. */
  async #try<T>(attempt: Attempt, action: () => Promise<T>): Promise<T> {
    try {
      return await unlessAborted(attempt.signal, action());
    } catch (cause) {
      if (cause instanceof SilenceError) this.#connection.drop(cause);
      throw cause;
    }
  }

  /** OpenSSH answers a full disk with the same status as everything else: the space left tells. */
  async #withSpace(channel: SftpChannel, cause: unknown, neededBytes: number, text: string): Promise<unknown> {
    if (neededBytes === 0 || statusOf(cause) !== STATUS.failure) return cause;
    const space = await channel.space(this.#root).catch(() => undefined);
    if (space === undefined || (space.freeBytes > neededBytes && space.freeFiles > 0)) return cause;
    const left = `${space.freeBytes} bytes and ${space.freeFiles} files are left there`;
    return new HoldfastError('DiskFull', `The ${this.label} does not let us ${text}: ${left}.`, { cause });
  }
}

async function writeDurably(channel: SftpChannel, path: string, bytes: Uint8Array, attempt: Attempt): Promise<void> {
  const handle = await channel.open(path, 'wx');
  try {
    await channel.writeAll(handle, bytes, () => attempt.progress());
    await channel.fsync(handle);
  } finally {
    if (!channel.isLost) await channel.closeHandle(handle);
  }
}

async function readFile(channel: SftpChannel, path: string, attempt: Attempt): Promise<Uint8Array> {
  // Beside the file what bears the name: a link to somewhere else is no object.
  const [handle, { isFile, size }] = await Promise.all([channel.open(path, 'r'), channel.lstat(path)]);
  try {
    if (!isFile || size > MAX_OBJECT_BYTES) {
      throw new HoldfastError('ObjectCorrupt', `${path} is not an object: ${size} bytes, or no plain file.`);
    }
    const bytes = Buffer.allocUnsafeSlow(size);
    if (await channel.readAll(handle, bytes, () => attempt.progress())) return bytes;
    throw new VanishedError(`${path} became shorter while it was read`);
  } finally {
    if (!channel.isLost) await channel.closeHandle(handle);
  }
}

/** The answer to an earlier attempt may have been lost on its way: then what lies there is ours. */
async function holds(channel: SftpChannel, path: string, bytes: Uint8Array, attempt: Attempt): Promise<boolean> {
  const { size } = await channel.lstat(path);
  return size === bytes.length && Buffer.compare(await readFile(channel, path, attempt), bytes) === 0;
}

async function lstatOrMissing(channel: SftpChannel, path: string) {
  try {
    return await channel.lstat(path);
  } catch (cause) {
    if (isMissingFile(cause)) return undefined;
    throw cause;
  }
}

/** Not waited for. What stays, because the connection is lost, is removed a day later. */
function removeLater(channel: SftpChannel, path: string): void {
  channel.unlink(path).catch(() => undefined);
}
