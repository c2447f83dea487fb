/** The directories of a store on an SFTP server: made when needed, durable, never made again where they have vanished. */
import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { HoldfastError } from '../failures.ts';
import { TEMPORARY_AREA } from './keys.ts';
import type { SftpChannel } from './sftp-channel.ts';
import { isMissingFile, STATUS, statusOf } from './sftp-errors.ts';

const HALF_WRITTEN = /^\d+-/;
const LEFTOVER_AGE_SECONDS = 24 * 60 * 60;

export class SftpDirectories {
  readonly #root: string;
  readonly #label: string;
  #made = new Map<string, Promise<void>>();
  /** From then on a root that is gone was taken away: a disk of the server that is not mounted any more. */
  #seen = false;
  /** False once the server has refused to open a directory for syncing. */
  #syncable = true;

  constructor(root: string, label: string) {
    this.#root = root;
    this.#label = label;
  }

  /** After this a file can be made in `directory` and in the temporary area. */
  async prepare(channel: SftpChannel, directory: string): Promise<void> {
    await this.#once(this.#root, () => this.#makeRoot(channel));
    const area = posix.join(this.#root, TEMPORARY_AREA);
    await this.#once(area, async () => {
      await this.#make(channel, area);
      await removeLeftovers(channel, area);
    });
    await this.#makeBelow(channel, directory);
  }

  /** Something that was made is not there any more. */
  forget(): void {
    this.#made = new Map();
  }

  /** Whether the root is there. Throws StoreNotMounted when it was and is not. */
  async isThere(channel: SftpChannel): Promise<boolean> {
    const there = await this.#exists(channel, this.#root);
    if (this.#seen && !there) {
      throw new HoldfastError('StoreNotMounted', `The ${this.#label} is not there any more.`, {
        hint: 'Mount it again on the server, or move it back to its place; it is tried again.',
      });
    }
    this.#seen = there;
    return there;
  }

  /** The names in a directory survive a power cut after this, on a server that opens directories, as OpenSSH does. */
  async makeDurable(channel: SftpChannel, directory: string): Promise<void> {
    if (!this.#syncable) return;
    let handle: Buffer;
    try {
      handle = await channel.open(directory, 'r');
    } catch (cause) {
      if (statusOf(cause) === undefined || isMissingFile(cause)) throw cause;
      this.#syncable = false;
      return;
    }
    try {
      await channel.fsync(handle);
    } finally {
      if (!channel.isLost) await channel.closeHandle(handle);
    }
  }

  async #makeBelow(channel: SftpChannel, directory: string): Promise<void> {
    if (directory === this.#root) return;
    await this.#makeBelow(channel, posix.dirname(directory));
    await this.#once(directory, () => this.#make(channel, directory));
  }

  /** One level only: where nothing is above it, the server's disk is missing, or the path is wrong. */
  async #makeRoot(channel: SftpChannel): Promise<void> {
    if (await this.isThere(channel)) return;
    try {
      await this.#make(channel, this.#root);
    } catch (cause) {
      if (!isMissingFile(cause)) throw cause;
      throw new HoldfastError('StoreDenied', `On the server ${posix.dirname(this.#root)} does not exist.`, {
        cause,
        hint: `Make it there, or correct the path of the store (${this.#label}).`,
      });
    }
    this.#seen = true;
  }

  async #make(channel: SftpChannel, directory: string): Promise<void> {
    try {
      await channel.makeDirectory(directory);
    } catch (cause) {
      if (statusOf(cause) !== STATUS.failure || !(await this.#exists(channel, directory))) throw cause;
      return;
    }
    await this.makeDurable(channel, posix.dirname(directory));
  }

  async #exists(channel: SftpChannel, path: string): Promise<boolean> {
    try {
      const { isFile } = await channel.lstat(path);
      if (isFile) throw notADirectory(path);
      return true;
    } catch (cause) {
      if (isMissingFile(cause)) return false;
      throw cause;
    }
  }

  #once(directory: string, make: () => Promise<void>): Promise<void> {
    const known = this.#made.get(directory);
    if (known !== undefined) return known;
    const making = make();
    this.#made.set(directory, making);
    making.catch(() => {
      if (this.#made.get(directory) === making) this.#made.delete(directory);
    });
    return making;
  }
}

function notADirectory(path: string): HoldfastError {
  return new HoldfastError('StoreDenied', `${path} on the server is a file, where a directory of the store should be.`);
}

/** What writers that were killed left half-written, by the server's own clock long after any could still be at work. */
async function removeLeftovers(channel: SftpChannel, area: string): Promise<void> {
  const clock = posix.join(area, `${process.pid}-${randomUUID()}`);
  await channel.closeHandle(await channel.open(clock, 'w'));
  const { mtime: now } = await channel.lstat(clock);
  for (const { filename, attrs } of await channel.readDirectory(area)) {
    const old = attrs.isFile() && HALF_WRITTEN.test(filename) && now - attrs.mtime > LEFTOVER_AGE_SECONDS;
    if (old) await unlinkIfThere(channel, posix.join(area, filename));
  }
  await unlinkIfThere(channel, clock);
}

async function unlinkIfThere(channel: SftpChannel, path: string): Promise<void> {
  try {
    await channel.unlink(path);
  } catch (cause) {
    if (!isMissingFile(cause)) throw cause;
  }
}
