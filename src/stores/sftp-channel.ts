/** One SFTP session: the requests that a store needs, as promises that end when the session does. */
import type { Attributes, FileEntryWithStats, OpenMode, SFTPWrapper } from 'ssh2';
import { HoldfastError } from '../failures.ts';
import { ConnectionLostError, statusOf, STATUS } from './sftp-errors.ts';

/** Every server takes that much in one piece (draft-ietf-secsh-filexfer-02, section 3). */
const PIECE_BYTES = 32 * 1024;
/** Pieces under way at once: 2 MiB, the window of an SSH channel. */
const PIECES_UNDER_WAY = 64;
/** What ssh2 throws for an extension that the server has not offered. */
const NO_EXTENSION = 'Server does not support this extended request';

export interface SpaceOfServer {
  readonly freeBytes: number;
  readonly freeFiles: number;
}

type Done<T> = (error: Error | null | undefined, value: T) => void;

/** Requests reject with the server's status as ssh2 gives it, ConnectionLostError, or StoreUnfit for a missing extension. */
export class SftpChannel {
  /** Requests that are not answered yet. */
  underWay = 0;
  readonly #sftp: SFTPWrapper;
  readonly #waiting = new Set<(cause: Error) => void>();
  #lost: ConnectionLostError | undefined;

  constructor(sftp: SFTPWrapper) {
    this.#sftp = sftp;
    sftp.on('error', (cause: Error) => this.lose(cause));
    sftp.on('close', () => this.lose());
    sftp.on('end', () => this.lose());
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Ends the session for us: whatever is under way is rejected. */
  lose(cause?: unknown): void {
    this.#lost ??= new ConnectionLostError('the connection was lost', { cause });
    for (const reject of this.#waiting) reject(this.#lost);
    this.#waiting.clear();
  }

  open(path: string, mode: OpenMode): Promise<Buffer> {
    return this.#ask<Buffer>((done) => this.#sftp.open(path, mode, { mode: 0o600 }, done));
  }

  closeHandle(handle: Buffer): Promise<void> {
    return this.#ask((done) => this.#sftp.close(handle, done));
  }

  async writeAll(handle: Buffer, bytes: Uint8Array, progress: () => void): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await inPieces(bytes.length, async (from, length) => {
      await this.#ask((done) => this.#sftp.write(handle, buffer, from, length, from, done));
      progress();
    });
  }

  /** Fills `bytes` from the beginning of the file. False when the file is shorter. */
  async readAll(handle: Buffer, bytes: Buffer, progress: () => void): Promise<boolean> {
    let whole = true;
    await inPieces(bytes.length, async (from, length) => {
      // A server may give less than it was asked for.
      for (let got = 0; got < length && whole;) {
        const count = await this.#readPiece(handle, bytes, from + got, length - got);
        progress();
        if (count === 0) whole = false;
        got += count;
      }
    });
    return whole;
  }

  fsync(handle: Buffer): Promise<void> {
    return this.#ask((done) => this.#sftp.ext_openssh_fsync(handle, done));
  }

  /** Fails when the new name is taken. */
  hardLink(from: string, to: string): Promise<void> {
    return this.#ask((done) => this.#sftp.ext_openssh_hardlink(from, to, done));
  }

  /** Replaces what has the new name. */
  replace(from: string, to: string): Promise<void> {
    return this.#ask((done) => this.#sftp.ext_openssh_rename(from, to, done));
  }

  unlink(path: string): Promise<void> {
    return this.#ask((done) => this.#sftp.unlink(path, done));
  }

  makeDirectory(path: string): Promise<void> {
    return this.#ask((done) => this.#sftp.mkdir(path, { mode: 0o700 }, done));
  }

  lstat(
    path: string,
  ): Promise<{ readonly size: number; readonly mtime: number; isFile: boolean; isDirectory: boolean }> {
    return this.#ask<Attributes & { isFile(): boolean; isDirectory(): boolean }>((done) =>
      this.#sftp.lstat(path, done),
    ).then((stats) => ({
      size: stats.size,
      mtime: stats.mtime,
      isFile: stats.isFile(),
      isDirectory: stats.isDirectory(),
    }));
  }

  async readDirectory(path: string): Promise<FileEntryWithStats[]> {
    const handle = await this.#ask<Buffer>((done) => this.#sftp.opendir(path, done));
    const entries: FileEntryWithStats[] = [];
    for (;;) {
      try {
        entries.push(...(await this.#ask<FileEntryWithStats[]>((done) => this.#sftp.readdir(handle, done))));
      } catch (cause) {
        if (this.isLost) throw cause;
        await this.closeHandle(handle);
        if (statusOf(cause) === STATUS.eof) return entries;
        throw cause;
      }
    }
  }

  /** Undefined where the server does not tell. */
  async space(path: string): Promise<SpaceOfServer | undefined> {
    try {
      const facts = await this.#ask<Readonly<Record<string, unknown>>>((done) =>
        this.#sftp.ext_openssh_statvfs(path, (error, value) => done(error, value as Record<string, unknown>)),
      );
      const { f_frsize: blockBytes, f_bavail: blocks, f_favail: files } = facts;
      return { freeBytes: Number(blockBytes) * Number(blocks), freeFiles: Number(files) };
    } catch (cause) {
      if (cause instanceof HoldfastError || statusOf(cause) !== undefined) return undefined;
      throw cause;
    }
  }

  async #readPiece(handle: Buffer, bytes: Buffer, at: number, length: number): Promise<number> {
    try {
      return await this.#ask<number>((done) =>
        this.#sftp.read(handle, bytes, at, length, at, (error, count) => done(error, count)),
      );
    } catch (cause) {
      if (statusOf(cause) === STATUS.eof) return 0;
      throw cause;
    }
  }

  /** A request on a session that has ended would never be answered. */
  #ask<T = void>(send: (done: Done<T>) => void): Promise<T> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      this.underWay += 1;
      const answered = (): void => {
        this.underWay -= 1;
        this.#waiting.delete(reject);
      };
      try {
        send((error, value) => {
          answered();
          if (error === undefined || error === null) resolve(value);
          else reject(statusOf(error) === undefined ? new ConnectionLostError(error.message, { cause: error }) : error);
        });
      } catch (cause) {
        answered();
        reject(unfitOr(cause));
      }
    });
  }
}

function unfitOr(cause: unknown): Error {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  if (error.message !== NO_EXTENSION) return error;
  return new HoldfastError('StoreUnfit', 'The SFTP server lacks an extension of OpenSSH that a vault needs.', {
    cause,
    hint: 'Use a server with hardlink@openssh.com, fsync@openssh.com and posix-rename@openssh.com, such as OpenSSH.',
  });
}

/** Runs `each` over pieces of a length, a number of them at once. When one fails the others are still awaited. */
async function inPieces(length: number, each: (from: number, length: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < length) {
      const from = next;
      next += PIECE_BYTES;
      try {
        await each(from, Math.min(PIECE_BYTES, length - from));
      } catch (cause) {
        next = length;
        throw cause;
      }
    }
  };
  const lanes = Math.min(PIECES_UNDER_WAY, Math.ceil(length / PIECE_BYTES));
  const ended = await Promise.allSettled(Array.from({ length: lanes }, lane));
  for (const outcome of ended) if (outcome.status === 'rejected') throw outcome.reason;
}
