/**
 * Writes the entries of a tar into an empty directory. The directory is held open and everything is reached through
 * that handle; directories are made by this writer itself, closed to others until the end, and links are made but never
 * followed: so nothing is written outside, whatever the archive says. Synchronous, for a worker thread.
 */
import { closeSync, linkSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { HoldfastError } from '../../failures.ts';
import type { ByteString } from '../byte-string.ts';
import { bytesOf, pathArgument } from '../byte-string.ts';
import { errorCode, failureOf } from '../io-errors.ts';
import { makeNode, syncFilesystem, systemCallsProblem } from '../system-calls.ts';
import { making, twice } from './entry-errors.ts';
import { FileContents } from './file-contents.ts';
import type { Privileges, Warn } from './owners.ts';
import { finishFile, finishPath } from './owners.ts';
import { parentOf, safePath, Selection, unsafe } from './safe-paths.ts';
import { CREATE, creationMode, SMALL_BYTES, SmallFiles } from './small-files.ts';
import { makePlain, openTarget, readUmask, syncPath } from './target.ts';
import type { TarEntry } from './tar-format.ts';
import { shown } from './tar-format.ts';
import type { TarHandler } from './tar-parser.ts';

export interface WriterOptions {
  /** Relative paths; empty means all. */
  readonly paths: readonly ByteString[];
  /** What to do with device nodes: an archive from outside has no business making them. */
  readonly devices: 'make' | 'skip' | 'refuse';
}

export interface WriterReport {
  files: number;
  directories: number;
  links: number;
  others: number;
  bytes: number;
  /** The archive has an entry for the target itself: it is of a directory, not of a single file. */
  rootWasNamed: boolean;
}

const NODE_BITS = { fifo: 0o010000, character: 0o020000, block: 0o060000 } as const;

interface OpenFile {
  readonly contents: FileContents;
  readonly path: ByteString;
  readonly entry: TarEntry;
  readonly createdMode: number;
  /** Further names of it, of the second pass. */
  links: readonly ByteString[];
}

export class TreeWriter implements TarHandler {
  readonly report: WriterReport = { files: 0, directories: 0, links: 0, others: 0, bytes: 0, rootWasNamed: false };
  /** Wanted hard links to files that are not wanted themselves: the file's path to the links'. */
  private readonly unresolved = new Map<ByteString, ByteString[]>();
  private secondPass = false;
  private readonly rootFd: number;
  private readonly root: string;
  private readonly options: WriterOptions;
  private readonly selection: Selection;
  private readonly warn: Warn;
  private readonly by: Privileges;
  private readonly umask = readUmask();
  private readonly small: SmallFiles;
  /** The contents that come are those of a small file. */
  private isSmall = false;
  /** Directories made here, outer ones first, with the entry that names them: done last, from the inside out. */
  private readonly made = new Map<ByteString, TarEntry | undefined>([['', undefined]]);
  private open: OpenFile | undefined;
  /** The files so far, while they are few. */
  private few: ByteString[] | undefined = [];

  /** Throws TargetNotEmpty, SourceMissing, PermissionDenied. */
  constructor(target: string | Buffer, options: WriterOptions, warn: Warn) {
    this.options = options;
    this.selection = new Selection(options.paths);
    this.warn = warn;
    const uid = process.geteuid?.() ?? 0;
    this.by = { uid, gid: process.getegid?.() ?? 0, canChown: uid === 0, calls: systemCallsProblem() === undefined };
    this.rootFd = openTarget(target);
    this.root = `/proc/self/fd/${this.rootFd}`;
    makePlain(this.rootFd, this.root, this.by);
    this.small = new SmallFiles({ root: this.root, by: this.by, umask: this.umask }, warn);
  }

  begin(entry: TarEntry): void {
    const path = safePath(entry.path);
    if (this.secondPass) {
      const [first, ...others] = this.unresolved.get(path) ?? [];
      if (first === undefined) return;
      making(entry.path, () => this.make(first, entry));
      if (this.open === undefined) this.linkAll(first, others, entry);
      else this.open.links = others;
      return;
    }
    if (!this.selection.takes(path, entry.type === 'directory')) return;
    for (const warning of entry.warnings) this.warn(warning, shown(entry.path));
    making(entry.path, () => this.make(path, entry));
  }

  data(bytes: Buffer): void {
    if (this.isSmall) this.small.data(bytes);
    if (this.isSmall || this.open !== undefined) this.report.bytes += bytes.length;
    if (this.open === undefined) return;
    try {
      this.open.contents.write(bytes);
    } catch (error) {
      throw failureOf(error, `write ${shown(this.open.entry.path)}`);
    }
  }

  finish(): void {
    this.isSmall = false;
    const open = this.open;
    if (open === undefined) return;
    this.open = undefined;
    try {
      open.contents.finish();
      finishFile(open.contents.fd, this.at(open.path), open.entry, open.createdMode, this.by, this.warn);
    } catch (error) {
      throw failureOf(error, `finish ${shown(open.entry.path)}`);
    } finally {
      open.contents.close();
    }
    this.linkAll(open.path, open.links, open.entry);
  }

  /**
   * Call it when the archive has ended. True: give the same archive once more, because wanted hard links stand for
   * files that were passed over. Throws BadInput when a wanted path was not in the archive.
   */
  needsSecondPass(): boolean {
    const missing = this.selection.missing();
    if (missing.length > 0) {
      throw new HoldfastError('BadInput', `Not in this backup: ${missing.map((path) => shown(path)).join(', ')}`);
    }
    this.small.settle();
    this.secondPass = !this.secondPass && this.unresolved.size > 0;
    return this.secondPass;
  }

  /** Sets what is left for the end, and makes all of it durable. */
  complete(): void {
    for (const [path, named] of [...this.made].reverse()) {
      const entry = named ?? this.implied(path);
      if (path === '' && named === undefined) continue;
      try {
        finishPath(this.at(path), entry, this.by, this.warn);
      } catch (error) {
        throw failureOf(error, `finish the directory ${shown(entry.path)}`);
      }
    }
    this.makeDurable();
  }

  close(): void {
    this.small.close();
    this.open?.contents.close();
    this.open = undefined;
    closeSync(this.rootFd);
  }

  /** A few files alone; many with all else that waits on their filesystem, which is one call. */
  private makeDurable(): void {
    if (this.by.calls && (this.few === undefined || this.made.size > FEW)) {
      syncFilesystem(this.rootFd);
      return;
    }
    for (const path of [...(this.few ?? []), ...[...this.made.keys()].reverse()]) syncPath(this.at(path));
  }

  private at(path: ByteString): ByteString {
    return path === '' ? `${this.root}/.` : `${this.root}/${path}`;
  }

  private make(path: ByteString, entry: TarEntry): void {
    if (path === '' && entry.type !== 'directory') throw unsafe(entry.path, 'stands for the target itself');
    if (path !== '') this.makeParents(parentOf(path), entry);
    switch (entry.type) {
      case 'directory':
        this.directory(path, entry);
        return;
      case 'file':
        this.file(path, entry);
        return;
      case 'symlink':
        symlinkSync(bytesOf(entry.link), pathArgument(this.at(path)));
        finishPath(this.at(path), entry, this.by, this.warn);
        this.report.links += 1;
        return;
      case 'hardlink':
        this.hardlink(path, entry);
        return;
      case 'fifo':
      case 'character':
      case 'block':
        this.node(path, entry, entry.type);
    }
  }

  /** Only what was made here counts as a directory: a link that the archive made can't stand in for one. */
  private makeParents(path: ByteString, entry: TarEntry): void {
    if (this.made.has(path)) return;
    this.makeParents(parentOf(path), entry);
    try {
      mkdirSync(pathArgument(this.at(path)), 0o700);
    } catch (error) {
      if (errorCode(error) === 'EEXIST') throw unsafe(entry.path, 'leads through something that is no directory');
      throw error;
    }
    this.made.set(path, undefined);
  }

  private directory(path: ByteString, entry: TarEntry): void {
    if (!this.made.has(path)) mkdirSync(pathArgument(this.at(path)), 0o700);
    else if (this.made.get(path) !== undefined) throw twice(entry.path);
    this.made.set(path, entry);
    if (path === '') this.report.rootWasNamed = true;
    this.report.directories += 1;
  }

  private file(path: ByteString, entry: TarEntry): void {
    this.report.files += 1;
    this.few?.push(path);
    if (this.report.files > FEW && this.by.calls) this.few = undefined;
    if (entry.sizeBytes <= SMALL_BYTES && !this.secondPass) {
      this.small.begin(path, entry);
      this.isSmall = true;
      return;
    }
    const mode = creationMode(entry);
    const fd = openSync(pathArgument(this.at(path)), CREATE, mode);
    const contents = new FileContents(fd, entry.sizeBytes, { hasCalls: this.by.calls });
    this.open = { contents, path, entry, createdMode: mode & ~this.umask, links: [] };
  }

  private hardlink(path: ByteString, entry: TarEntry): void {
    const target = safePath(entry.link);
    this.small.settle();
    try {
      if (!this.made.has(parentOf(target))) throw Object.assign(new Error('not made here'), { code: 'ENOENT' });
      linkSync(pathArgument(this.at(target)), pathArgument(this.at(path)));
      this.report.links += 1;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      if (this.options.paths.length === 0) {
        throw unsafe(entry.path, `links to ${shown(entry.link)}, which the archive has not brought`);
      }
      this.unresolved.set(target, [...(this.unresolved.get(target) ?? []), path]);
    }
  }

  private linkAll(first: ByteString, others: readonly ByteString[], entry: TarEntry): void {
    for (const other of others) {
      making(entry.path, () => linkSync(pathArgument(this.at(first)), pathArgument(this.at(other))));
      this.report.links += 1;
    }
  }

  /** A directory that only the paths below it name. */
  private implied(path: ByteString): TarEntry {
    const mtimeNs = BigInt(Date.now()) * 1_000_000n;
    return { ...IMPLIED, path, uid: this.by.uid, gid: this.by.gid, mtimeNs };
  }

  private node(path: ByteString, entry: TarEntry, type: keyof typeof NODE_BITS): void {
    if (type !== 'fifo' && this.options.devices !== 'make') {
      if (this.options.devices === 'refuse') throw unsafe(entry.path, 'is a device node');
      this.warn('device nodes were not restored', shown(entry.path));
      return;
    }
    if (type !== 'fifo' && !this.by.canChown) throw unsafe(entry.path, 'is a device node, which only root can make');
    const device = type === 'fifo' ? 0n : deviceNumber(BigInt(entry.deviceMajor), BigInt(entry.deviceMinor));
    makeNode(pathArgument(this.at(path)), NODE_BITS[type] | 0o600, device);
    finishPath(this.at(path), entry, this.by, this.warn);
    this.report.others += 1;
  }
}

const IMPLIED = {
  type: 'directory',
  link: '',
  mode: 0o755,
  sizeBytes: 0,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: [],
  warnings: [],
} as const;

/** As the C library's makedev puts it together. */
function deviceNumber(major: bigint, minor: bigint): bigint {
  return ((major & 0xfffn) << 8n) | (minor & 0xffn) | ((minor & ~0xffn) << 12n) | ((major & ~0xfffn) << 32n);
}

/** Up to so many files or directories are synced one by one. */
const FEW = 32;
