/** A live tree against a stored tar of it: what the tree lacks, and what differs in it. Reads the tar to its end. */
import { createHash, type Hash } from 'node:crypto';
import { constants, lstatSync, type BigIntStats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ArtifactReader } from '../../part.ts';
import { pathArgument, type ByteString } from '../byte-string.ts';
import { parentOf, safePath, Selection } from '../extract/safe-paths.ts';
import { shown, type TarEntry, type TarType } from '../extract/tar-format.ts';
import { TarParser } from '../extract/tar-parser.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import { HoldfastError } from '../../failures.ts';

/** A hard link is a file with one name more; nodes of devices are never put back. */
export type EntryKind = 'file' | 'directory' | 'symlink' | 'fifo';

export interface Difference {
  readonly path: ByteString;
  readonly what: 'missing' | 'differs';
  readonly kind: EntryKind;
  readonly bytes: number;
  /** Decides with the path what would be put back. */
  readonly mtimeNs: bigint;
  readonly live?: BigIntStats;
  /** Asked for itself or with what is above it, and not only a directory that leads there. */
  readonly selected: boolean;
}

export interface CompareOptions {
  /** The component's own place, links resolved. */
  readonly root: ByteString;
  /** Relative, normal; empty for all. */
  readonly paths: readonly ByteString[];
  /** Contents of all files are compared; else only of those whose size is the same and whose time is not. */
  readonly thorough: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (bytesDone: number) => void;
}

/** What is told beside the differences. */
export interface Compared {
  /** What paths count from: the root, or the directory of a single file. */
  base: ByteString;
  same: number;
  inTheWay: number;
  devices: number;
}

/**
 * Yields what is missing or differs, a directory before what is in it. `compared` is filled on the way. Throws
 * BadInput for a path that is not in the tar, UnsafePath, ArchiveBroken, and what the reader throws.
 */
export async function* differencesOf(
  artifact: ArtifactReader,
  options: CompareOptions,
  compared: Compared,
): AsyncGenerator<Difference, void, undefined> {
  const comparison = new Comparison(options, compared);
  const parser = new TarParser(comparison);
  let bytesDone = 0;
  for await (const bytes of artifact.read({ signal: options.signal })) {
    parser.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    bytesDone += bytes.byteLength;
    options.onProgress?.(bytesDone);
    yield* comparison.settled(options.signal);
  }
  parser.end();
  yield* comparison.settled(options.signal);
  comparison.end();
}

/** Both have the same size: their contents decide. */
interface Doubtful {
  readonly difference: Difference;
  readonly sha256: string;
}

class Comparison {
  private readonly options: CompareOptions;
  private readonly compared: Compared;
  private readonly selection: Selection;
  private readonly asked: ReadonlySet<ByteString>;
  private live: LiveTree | undefined;
  private found: (Difference | Doubtful)[] = [];
  private current: { difference: Difference; hash: Hash } | undefined;

  constructor(options: CompareOptions, compared: Compared) {
    this.options = options;
    this.compared = compared;
    this.selection = new Selection(options.paths);
    this.asked = new Set(options.paths);
  }

  begin(entry: TarEntry): void {
    const path = safePath(entry.path);
    // A tar of a directory names it first; one of a single file has only that.
    this.live ??= this.open(path === '');
    if (!this.selection.takes(path, entry.type === 'directory')) return;
    const kind = kindOf(entry.type);
    if (kind === undefined) {
      this.compared.devices += 1;
      return;
    }
    const looked = this.live.look(path);
    const facts = { path, kind, bytes: entry.sizeBytes, mtimeNs: entry.mtimeNs, selected: this.isSelected(path) };
    if (looked === 'blocked') this.compared.inTheWay += 1;
    else if (looked === 'missing') this.found.push({ ...facts, what: 'missing' });
    else this.compare(entry, { ...facts, what: 'differs', live: looked });
  }

  data(bytes: Buffer): void {
    this.current?.hash.update(bytes);
  }

  finish(): void {
    if (this.current === undefined) return;
    const { difference, hash } = this.current;
    this.current = undefined;
    this.found.push({ difference, sha256: hash.digest('hex') });
  }

  /** What is known so far. */
  async *settled(signal: AbortSignal): AsyncGenerator<Difference, void, undefined> {
    const found = this.found;
    this.found = [];
    for (const one of found) {
      signal.throwIfAborted();
      if (!('sha256' in one)) yield one;
      else if ((await this.digestOf(one.difference.path, signal)) === one.sha256) this.compared.same += 1;
      else yield one.difference;
    }
  }

  end(): void {
    const missing = this.selection.missing();
    if (missing.length === 0) return;
    throw new HoldfastError('BadInput', `Not in this backup: ${missing.map((path) => shown(path)).join(', ')}`);
  }

  private open(rootIsNamed: boolean): LiveTree {
    const { root } = this.options;
    this.compared.base = rootIsNamed ? root : root.slice(0, root.lastIndexOf('/'));
    return new LiveTree(this.compared.base);
  }

  private isSelected(path: ByteString): boolean {
    if (this.asked.size === 0) return true;
    for (let part = path; part !== ''; part = parentOf(part)) if (this.asked.has(part)) return true;
    return false;
  }

  private compare(entry: TarEntry, difference: Difference & { readonly live: BigIntStats }): void {
    const { live, kind } = difference;
    if (!isOfKind(live, kind)) this.compared.inTheWay += 1;
    else if (entry.type !== 'file') {
      if (kind === 'file' || kind === 'symlink') this.compared.same += 1;
    } else if (live.size !== BigInt(entry.sizeBytes)) this.found.push(difference);
    else if (!this.options.thorough && live.mtimeNs === entry.mtimeNs) this.compared.same += 1;
    else this.current = { difference, hash: createHash('sha256') };
  }

  private async digestOf(path: ByteString, signal: AbortSignal): Promise<string | undefined> {
    const absolute = `${this.compared.base}/${path}`;
    try {
      const handle = await open(pathArgument(absolute), constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const hash = createHash('sha256');
        const stream = handle.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024, signal });
        for await (const bytes of stream) hash.update(bytes as Buffer);
        return hash.digest('hex');
      } finally {
        await handle.close();
      }
    } catch (error) {
      // It went while it was compared: whoever puts back looks again.
      if (isMissing(error)) return undefined;
      throw failureOf(error, `read ${shown(path)}`);
    }
  }
}

function kindOf(type: TarType): EntryKind | undefined {
  if (type === 'hardlink') return 'file';
  return type === 'character' || type === 'block' ? undefined : type;
}

function isOfKind(live: BigIntStats, kind: EntryKind): boolean {
  switch (kind) {
    case 'file':
      return live.isFile();
    case 'directory':
      return live.isDirectory();
    case 'symlink':
      return live.isSymbolicLink();
    case 'fifo':
      return live.isFIFO();
  }
}

/** What lies under a name, without ever following a link inside the tree. */
class LiveTree {
  private readonly base: ByteString;
  private readonly directories = new Map<ByteString, 'there' | 'missing' | 'blocked'>();

  constructor(base: ByteString) {
    this.base = base;
  }

  look(path: ByteString): BigIntStats | 'missing' | 'blocked' {
    const above = path === '' ? 'there' : this.directory(parentOf(path));
    if (above !== 'there') return above;
    return this.stats(path) ?? 'missing';
  }

  private directory(path: ByteString): 'there' | 'missing' | 'blocked' {
    const known = this.directories.get(path);
    if (known !== undefined) return known;
    const above = path === '' ? 'there' : this.directory(parentOf(path));
    const stats = above === 'there' ? this.stats(path) : undefined;
    const state =
      above !== 'there' ? above : stats === undefined ? 'missing' : stats.isDirectory() ? 'there' : 'blocked';
    this.directories.set(path, state);
    return state;
  }

  private stats(path: ByteString): BigIntStats | undefined {
    const absolute = path === '' ? this.base : `${this.base}/${path}`;
    try {
      return lstatSync(pathArgument(absolute), { bigint: true });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw failureOf(error, `look at ${shown(absolute)}`);
    }
  }
}
