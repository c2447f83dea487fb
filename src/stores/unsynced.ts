/**
 * Which objects may have lost their bytes: a filesystem that was not synced before the power went may keep a file's name
 * and drop what was in it. While chunks are written that no sync has covered, a marker lies in the store; one that
 * outlived its machine's boot leaves a window of time whose objects are doubtful. They are stored again when somebody
 * wants them, which is harmless, because their names are hashes of their content.
 */
import { randomUUID } from 'node:crypto';
import { lstat, open, readdir, readFile, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { errorCode, isMissing } from './directory-errors.ts';

/** Objects whose key is a hash of what is in them: writing them again changes nothing. */
const CONTENT_ADDRESSED = new Set(['chunks', 'lists', 'sums']);
/** Timestamps of some filesystems are that coarse. */
const COARSE_MS = 2_000;
/** What was written in the same tick of the clock as the end of a window is not to slip out of it. */
const TICK_MS = 20;
const MARKER = /^writing_(?<host>[A-Za-z0-9.-]+)_(?<boot>[0-9a-f-]+)_(?<pid>\d+)_/;
const WINDOW = /^lost_(?<from>\d+)_/;

export function isContentAddressed(key: string): boolean {
  return CONTENT_ADDRESSED.has(key.slice(0, key.indexOf('/')));
}

/**
 * What a storage class is for: the bulk of a backup. Checksums stay where they are read at once, whatever that costs, because
 * they say what a backup needs before anything of it was thawed.
 */
export function takesStorageClass(key: string): boolean {
  return isContentAddressed(key) && !key.startsWith('sums/');
}

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The record of one store in a directory. All times are the store's own clock. */
export class Unsynced {
  readonly #area: string;
  #marker: Promise<string> | undefined;
  #writers = 0;
  #failed = false;
  #windows: Promise<readonly Window[]> | undefined;

  /** `area` is where the store keeps what is no object. */
  constructor(area: string) {
    this.#area = area;
  }

  /** Before the bytes are written; the marker is durable when this resolves. Every `begin` needs its `end`. */
  async begin(): Promise<void> {
    this.#writers += 1;
    try {
      // First, so that no window reaches into what is written now.
      await this.judge();
      this.#marker ??= this.#mark();
      await this.#marker;
    } catch (cause) {
      this.#writers -= 1;
      this.#marker = undefined;
      throw cause;
    }
  }

  end(): void {
    this.#writers -= 1;
  }

  /** After a sync that covered everything written so far; while somebody writes, the marker stays. */
  async settle(): Promise<void> {
    await this.#doubtMarked();
    if (this.#writers > 0) return;
    const marker = this.#marker;
    this.#marker = undefined;
    if (marker !== undefined) await unlinkIfThere(await marker);
    for (const name of await this.#names()) {
      if (isOfDeadProcess(name, await bootId())) await unlinkIfThere(join(this.#area, name));
    }
  }

  /** After a sync that failed: what was written since the marker is doubtful from now on. */
  async doubt(): Promise<void> {
    this.#failed = true;
    await this.#doubtMarked();
  }

  /** Tells of an object's time whether its bytes may be lost. */
  async judge(): Promise<(modifiedAtMs: number) => boolean> {
    this.#windows ??= this.#load();
    this.#windows.catch(() => (this.#windows = undefined));
    const windows = await this.#windows;
    return (at) => windows.some(({ fromMs, toMs }) => at >= fromMs - COARSE_MS && at < toMs);
  }

  /** Until it has succeeded the marker stays: on a full disk there may be no room even for this. */
  async #doubtMarked(): Promise<void> {
    if (!this.#failed) return;
    const marker = await this.#marker;
    if (marker !== undefined) {
      // Those who write now are under another marker before theirs goes.
      const next = this.#writers > 0 ? await this.#mark() : undefined;
      await this.#convert(basename(marker), TICK_MS);
      this.#marker = next === undefined ? undefined : Promise.resolve(next);
    }
    const boot = await bootId();
    for (const name of await this.#names()) if (isOfDeadProcess(name, boot)) await this.#convert(name, TICK_MS);
    this.#windows = undefined;
    this.#failed = false;
  }

  async #mark(): Promise<string> {
    const name = `writing_${ownHost()}_${await bootId()}_${process.pid}_${randomUUID()}`;
    return this.#writeDurably(name);
  }

  async #load(): Promise<Window[]> {
    const boot = await bootId();
    for (const name of await this.#names()) {
      const { host, boot: writtenIn } = MARKER.exec(name)?.groups ?? {};
      if (host === ownHost() && writtenIn !== boot) await this.#convert(name);
    }
    const windows: Window[] = [];
    for (const name of await this.#names()) {
      const from = WINDOW.exec(name)?.groups?.['from'];
      if (from !== undefined)
        windows.push({ fromMs: Number(from), toMs: (await lstat(join(this.#area, name))).mtimeMs });
    }
    return windows;
  }

  /** From a marker to a window that ends now, or so much later. */
  async #convert(marker: string, laterMs = 0): Promise<void> {
    const { mtimeMs } = await lstat(join(this.#area, marker));
    const window = await this.#writeDurably(`lost_${Math.floor(mtimeMs)}_${randomUUID()}`);
    if (laterMs > 0) {
      const end = ((await lstat(window)).mtimeMs + laterMs) / 1000;
      await utimes(window, end, end);
    }
    await unlinkIfThere(join(this.#area, marker));
  }

  async #writeDurably(name: string): Promise<string> {
    const path = join(this.#area, name);
    await writeFile(path, '', { flag: 'wx', mode: 0o600, flush: true });
    const directory = await open(this.#area, 'r');
    try {
      await directory.sync();
    } catch (cause) {
      // Network filesystems that cannot sync a directory make its entries durable by themselves.
      if (errorCode(cause) !== 'EINVAL') throw cause;
    } finally {
      await directory.close();
    }
    return path;
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#area);
    } catch (cause) {
      if (isMissing(cause)) return [];
      throw cause;
    }
  }
}

/** A process of this boot that is gone: whatever it wrote, the sync that just ended has covered. */
function isOfDeadProcess(name: string, boot: string): boolean {
  const { host, boot: writtenIn, pid } = MARKER.exec(name)?.groups ?? {};
  if (pid === undefined || host !== ownHost() || writtenIn !== boot) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (cause) {
    return errorCode(cause) === 'ESRCH';
  }
}

function ownHost(): string {
  return hostname().replace(/[^A-Za-z0-9.-]/g, '-') || 'unnamed';
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
  }
}
