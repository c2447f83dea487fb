/**
 * Small files are nearly all system calls and no bytes, so a second thread shares the work: they are gathered into
 * batches, and a full batch goes to the helper when it is idle, or else is written right here.
 */
import { constants, closeSync, openSync, writeSync } from 'node:fs';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort, Worker } from 'node:worker_threads';
import type { FailureCode } from '../../failures.ts';
import { HoldfastError } from '../../failures.ts';
import type { ByteString } from '../byte-string.ts';
import { pathArgument } from '../byte-string.ts';
import { making } from './entry-errors.ts';
import type { Privileges, Warn } from './owners.ts';
import { finishFile } from './owners.ts';
import type { TarEntry } from './tar-format.ts';
import { endThreadNow, startThread } from '../native-threads.ts';

/** Above this the bytes count more than the calls, and zeros may become holes. */
export const SMALL_BYTES = 64 * 1024;

const BATCH_BYTES = 1024 * 1024;
const BATCH_FILES = 256;
/** A helper costs its start; a tree of fewer batches is done before it would be ready. */
const BATCHES_BEFORE_HELPER = 3;

export const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface SmallFile extends Pick<TarEntry, 'type' | 'path' | 'mode' | 'uid' | 'gid' | 'mtimeNs' | 'xattrs'> {
  /** Below the target; judged already. */
  readonly place: ByteString;
  readonly sizeBytes: number;
}

/** Where and as whom small files are made. */
export interface Workplace {
  /** The open target, as a path. */
  readonly root: string;
  readonly by: Privileges;
  readonly umask: number;
}

/** The mode to create a file with: who may not write it may not set its extended attributes either. */
export function creationMode(entry: Pick<TarEntry, 'mode' | 'xattrs'>): number {
  return (entry.mode & 0o777) | (entry.xattrs.length > 0 ? 0o200 : 0);
}

/** Writes a batch; `bytes` are the contents, one after another. */
export function writeBatch(files: readonly SmallFile[], bytes: Buffer, at: Workplace, warn: Warn): void {
  let offset = 0;
  for (const file of files) {
    const contents = bytes.subarray(offset, offset + file.sizeBytes);
    offset += file.sizeBytes;
    making(file.path, () => writeOne(file, contents, at, warn));
  }
}

function writeOne(file: SmallFile, contents: Buffer, at: Workplace, warn: Warn): void {
  const mode = creationMode(file);
  const path = `${at.root}/${file.place}`;
  const fd = openSync(pathArgument(path), CREATE, mode);
  try {
    for (let done = 0; done < contents.length;) done += writeSync(fd, contents, done);
    finishFile(fd, path, file, mode & ~at.umask, at.by, warn);
  } finally {
    closeSync(fd);
  }
}

/** Slots of the flags shared with the helper: batches it has done; it is ready when not negative. */
export const DONE = 0;

export interface HelperOrder {
  readonly at: Workplace;
  readonly flags: SharedArrayBuffer;
  readonly port: MessagePort;
}

export interface HelperBatch {
  readonly files: readonly SmallFile[];
  readonly bytes: Uint8Array;
}

export type FromHelper =
  | { readonly kind: 'warning'; readonly what: string; readonly example: string }
  | { readonly kind: 'error'; readonly code: FailureCode; readonly message: string };

export class SmallFiles {
  private readonly at: Workplace;
  private readonly warn: Warn;
  private files: SmallFile[] = [];
  private buffer = Buffer.allocUnsafeSlow(BATCH_BYTES + SMALL_BYTES);
  private used = 0;
  private batches = 0;
  private helper: Helper | undefined;

  constructor(at: Workplace, warn: Warn) {
    this.at = at;
    this.warn = warn;
  }

  begin(place: ByteString, entry: TarEntry): void {
    if (this.used >= BATCH_BYTES || this.files.length >= BATCH_FILES) this.flush();
    const { type, path, mode, uid, gid, mtimeNs, xattrs, sizeBytes } = entry;
    this.files.push({ place, type, path, mode, uid, gid, mtimeNs, xattrs, sizeBytes });
  }

  /** Contents of the file that was begun last. */
  data(bytes: Buffer): void {
    this.used += bytes.copy(this.buffer, this.used);
  }

  /** Returns when all files that were given are there. Throws what the helper met. */
  settle(): void {
    this.flush();
    this.helper?.wait();
  }

  close(): void {
    this.helper?.close();
  }

  private flush(): void {
    if (this.files.length === 0) return;
    const { files, used } = this;
    this.files = [];
    this.used = 0;
    this.batches += 1;
    if (this.batches === BATCHES_BEFORE_HELPER) this.helper = new Helper(this.at, this.warn);
    if (this.helper?.isIdle() === true) {
      const bytes = new Uint8Array(this.buffer.buffer, 0, used);
      this.buffer = Buffer.allocUnsafeSlow(BATCH_BYTES + SMALL_BYTES);
      this.helper.give({ files, bytes });
    } else {
      writeBatch(files, this.buffer.subarray(0, used), this.at, this.warn);
    }
  }
}

/** The other thread, asked and waited for without an event loop. */
class Helper {
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly flags = new Int32Array(new SharedArrayBuffer(4));
  private readonly warn: Warn;
  private given = 0;

  constructor(at: Workplace, warn: Warn) {
    this.warn = warn;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    Atomics.store(this.flags, DONE, -1);
    const workerData: HelperOrder = { at, flags: this.flags.buffer, port: port2 };
    const url = new URL('./small-files-worker.ts', import.meta.url);
    this.worker = startThread(url, { workerData, transferList: [port2] });
    // Nothing to say: a helper that dies leaves its batch undone, and `wait` finds that.
    this.worker.on('error', () => undefined);
    this.worker.unref();
    this.port.unref();
  }

  isIdle(): boolean {
    return Atomics.load(this.flags, DONE) === this.given;
  }

  give(batch: HelperBatch): void {
    this.hear();
    this.given += 1;
    this.port.postMessage(batch, [batch.bytes.buffer as ArrayBuffer]);
  }

  wait(): void {
    const deadline = Date.now() + HELPER_LIMIT_MS;
    for (let done = Atomics.load(this.flags, DONE); this.given > 0 && done < this.given;) {
      if (Date.now() > deadline) throw new HoldfastError('Internal', 'A thread that unpacks did not answer');
      Atomics.wait(this.flags, DONE, done, 1000);
      done = Atomics.load(this.flags, DONE);
    }
    this.hear();
  }

  close(): void {
    this.port.close();
    endThreadNow(this.worker);
  }

  private hear(): void {
    for (let heard = receiveMessageOnPort(this.port); heard !== undefined; heard = receiveMessageOnPort(this.port)) {
      const message = heard.message as FromHelper;
      if (message.kind === 'error') throw new HoldfastError(message.code, message.message);
      this.warn(message.what, message.example);
    }
  }
}

/** A batch takes milliseconds; a disk that hangs for longer is an error in itself. */
const HELPER_LIMIT_MS = 15 * 60_000;
