/**
 * Walks a tree in the order of its tar: a directory, then what is in it, names sorted by their bytes. Only names below
 * the root are looked at, links are never followed, other filesystems are not entered. Synchronous, for a worker thread.
 */
import type { BigIntStats } from 'node:fs';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { ByteString } from '../byte-string.ts';
import { byteString, bytesOf, displayName, isAscii, pathArgument } from '../byte-string.ts';
import { errorCode, failureOf } from '../io-errors.ts';
import { readXattrs } from '../system-calls.ts';
import type { EntryType, TreeEntry } from './entry.ts';
import { NO_XATTRS } from './entry.ts';
import { matcherOf } from './globs.ts';
import type { PathMatcher } from './globs.ts';
import { ScanNotes } from './notes.ts';

export interface WalkOptions {
  /** Patterns of globs.ts. Without any, everything is included. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Regular files modified later than this are left out; null: none. */
  readonly newestMtimeMs: number | null;
  readonly xattrs: boolean;
}

/** Larger ones would not fit into a header that a careful reader accepts. */
const MAX_XATTR_BYTES = 1024 * 1024;

const TYPE_BITS = 0o170000n;
const TYPES: Readonly<Record<string, EntryType | 'socket'>> = {
  [String(0o100000)]: 'file',
  [String(0o040000)]: 'directory',
  [String(0o120000)]: 'symlink',
  [String(0o010000)]: 'fifo',
  [String(0o020000)]: 'character',
  [String(0o060000)]: 'block',
  [String(0o140000)]: 'socket',
};

/** Calls `emit` for every entry, in order. Throws SourceMissing and PermissionDenied. */
export function walkTree(root: ByteString, options: WalkOptions, emit: (entry: TreeEntry) => void): ScanNotes {
  const walk = new Walk(root, options, emit);
  walk.start();
  return walk.notes;
}

class Walk {
  readonly notes = new ScanNotes();
  private readonly root: ByteString;
  private readonly emit: (entry: TreeEntry) => void;
  private readonly options: WalkOptions;
  private readonly included: PathMatcher | undefined;
  private readonly excluded: PathMatcher;
  /** First names of files with several, by device and inode. */
  private readonly firstNames = new Map<string, ByteString>();
  private rootDevice = 0n;
  /** Directories entered whose entry waits for the first thing included below them. */
  private pending: TreeEntry[] = [];

  constructor(root: ByteString, options: WalkOptions, emit: (entry: TreeEntry) => void) {
    this.root = root;
    this.options = options;
    this.emit = emit;
    this.included = options.include.length === 0 ? undefined : matcherOf(options.include);
    this.excluded = matcherOf(options.exclude);
  }

  start(): void {
    const stats = this.stat(this.root);
    if (stats === undefined) {
      throw failureOf(
        new Error('there is no such file or directory'),
        `read ${displayName(this.root)}`,
        'SourceMissing',
      );
    }
    this.rootDevice = stats.dev;
    if (typeOf(stats) === 'directory') {
      this.emit(this.entry('directory', '.', this.root, stats));
      this.directory('', this.root, this.included === undefined);
    } else {
      this.leaf(this.root.slice(this.root.lastIndexOf('/') + 1), this.root, stats, true);
    }
  }

  private directory(relative: ByteString, absolute: ByteString, wholly: boolean): void {
    for (const name of this.names(absolute)) {
      const path = relative === '' ? name : `${relative}/${name}`;
      const shown = isAscii(path) ? path : displayName(path);
      if (this.excluded(shown)) continue;
      this.child(path, `${absolute}/${name}`, wholly || (this.included?.(shown) ?? true));
    }
  }

  private child(path: ByteString, absolute: ByteString, wanted: boolean): void {
    const stats = this.stat(absolute);
    if (stats === undefined) this.notes.count('vanished', path);
    else if (typeOf(stats) !== 'directory') {
      if (wanted) this.leaf(path, absolute, stats, false);
    } else this.subdirectory(path, absolute, stats, wanted);
  }

  private subdirectory(path: ByteString, absolute: ByteString, stats: BigIntStats, wanted: boolean): void {
    const entry = this.entry('directory', path, absolute, stats);
    const depth = this.pending.length;
    this.pending.push(entry);
    if (wanted) this.flush();
    if (stats.dev !== this.rootDevice) {
      if (wanted) this.notes.count('mount', path);
    } else this.directory(path, absolute, wanted);
    // Nothing below it was included.
    if (this.pending.length > depth) this.pending.length = depth;
  }

  private leaf(path: ByteString, absolute: ByteString, stats: BigIntStats, isRoot: boolean): void {
    const type = typeOf(stats);
    if (type === 'socket') {
      this.notes.count('socket', path);
      return;
    }
    const { newestMtimeMs } = this.options;
    if (type === 'file' && newestMtimeMs !== null && Number(stats.mtimeMs) > newestMtimeMs) {
      this.notes.count('young', path);
      return;
    }
    this.flush();
    if (type === 'file' && stats.nlink > 1n && !isRoot) {
      const identity = `${stats.dev}:${stats.ino}`;
      const first = this.firstNames.get(identity);
      if (first !== undefined) {
        this.emit({ ...this.entry('hardlink', path, absolute, stats), link: first, sizeBytes: 0 });
        return;
      }
      this.firstNames.set(identity, path);
    }
    this.emit(this.entry(type, path, absolute, stats));
  }

  private flush(): void {
    if (this.pending.length === 0) return;
    for (const directory of this.pending) this.emit(directory);
    this.pending = [];
  }

  private entry(type: EntryType, path: ByteString, absolute: ByteString, stats: BigIntStats): TreeEntry {
    const isDevice = type === 'character' || type === 'block';
    return {
      type,
      path,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      sizeBytes: type === 'file' ? Number(stats.size) : 0,
      mtimeNs: stats.mtimeNs,
      ctimeNs: stats.ctimeNs,
      inode: stats.ino,
      device: stats.dev,
      deviceMajor: isDevice ? Number((stats.rdev >> 8n) & 0xfffn) : 0,
      deviceMinor: isDevice ? Number((stats.rdev & 0xffn) | ((stats.rdev >> 12n) & 0xfff00n)) : 0,
      link: type === 'symlink' ? this.linkTarget(absolute) : '',
      xattrs: this.options.xattrs && type !== 'hardlink' ? this.xattrs(path, absolute) : NO_XATTRS,
    };
  }

  private linkTarget(absolute: ByteString): ByteString {
    return byteString(attempt(absolute, () => readlinkSync(pathArgument(absolute), 'buffer')));
  }

  private xattrs(path: ByteString, absolute: ByteString): TreeEntry['xattrs'] {
    const found = attempt(absolute, () => readXattrs(pathArgument(absolute)));
    if (found.length === 0) return NO_XATTRS;
    const bytes = found.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
    if (bytes > MAX_XATTR_BYTES) {
      this.notes.count('hugeXattrs', path);
      return NO_XATTRS;
    }
    return found.map(({ name, value }) => ({ name: name.toString('latin1'), value: value.toString('latin1') }));
  }

  /** Sorted: one character is one byte, so the natural order of strings is the order of bytes. */
  private names(absolute: ByteString): ByteString[] {
    try {
      return readdirSync(pathArgument(absolute), { encoding: 'latin1' }).sort();
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw failureOf(error, `read the directory ${displayName(absolute)}`);
    }
  }

  private stat(absolute: ByteString): BigIntStats | undefined {
    return attempt(absolute, () => lstatSync(pathArgument(absolute), { bigint: true, throwIfNoEntry: false }));
  }
}

function typeOf(stats: BigIntStats): EntryType | 'socket' {
  return TYPES[String(stats.mode & TYPE_BITS)] ?? 'socket';
}

function attempt<T>(absolute: ByteString, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw failureOf(error, `read ${bytesOf(absolute).toString()}`);
  }
}
