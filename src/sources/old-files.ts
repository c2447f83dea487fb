/** What a component holds, in the units in which housekeeping removes it, and the removal of one that is as it was seen. */
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import type { FilesComponent } from '../system/types.ts';
import { displayName, pathArgument, type ByteString } from './byte-string.ts';
import { errorCode, isMissing } from './io-errors.ts';
import { isAsSeen, type SeenFile } from './tree/compare-stored.ts';
import { matcherOf } from './tree/globs.ts';
import { liveEntries, type LiveEntry } from './tree/live.ts';

export interface FoundFile extends SeenFile {
  /** In the component's tar. */
  readonly path: ByteString;
  readonly device: bigint;
}

/** A file, or all that lies below one name of the component's directory. */
export interface Unit {
  readonly path: ByteString;
  readonly absolute: ByteString;
  /** Of its newest file. */
  readonly mtimeMs: number;
  readonly sizeBytes: number;
  readonly files: readonly FoundFile[];
  /** It holds something that is no plain file, or a file with other names. */
  readonly special: boolean;
  /** Deepest first. */
  readonly directories: readonly ByteString[];
}

/** What of a component counts, and in which units. */
export interface UnitRule {
  readonly units: 'files' | 'entries';
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/**
 * What the component's own patterns take and those of the rule do not leave out. The component's `minimumAge` does not
 * count: a file too young to be captured is one of the newest. Throws SourceMissing, PermissionDenied.
 */
export async function unitsOf(component: FilesComponent, rule: UnitRule, signal: AbortSignal): Promise<Unit[]> {
  const included = rule.include.length === 0 ? () => true : matcherOf(rule.include);
  const excluded = matcherOf(rule.exclude);
  const gathered = new Map<ByteString, Gathered>();
  const linked = new Set<bigint>();
  for await (const found of liveEntries(component, signal)) {
    const { entry } = found;
    if (entry.type === 'hardlink') linked.add(entry.inode);
    const shown = displayName(entry.path);
    if (included(shown) && !excluded(shown)) gather(gathered, found, rule.units);
  }
  return [...gathered.values()]
    .filter(({ files, special }) => files.length > 0 || special)
    .map((one) => unitOf(one, linked));
}

interface Gathered {
  readonly path: ByteString;
  readonly absolute: ByteString;
  readonly files: FoundFile[];
  readonly directories: ByteString[];
  special: boolean;
}

function gather(into: Map<ByteString, Gathered>, { entry, absolute }: LiveEntry, units: UnitRule['units']): void {
  const { type, path, sizeBytes, mtimeNs, ctimeNs, inode, device } = entry;
  if (units === 'files' && type === 'directory') return;
  const name = units === 'files' ? path : (path.split('/')[0] ?? path);
  const unit = into.get(name) ?? {
    path: name,
    absolute: absolute.slice(0, absolute.length - path.length + name.length),
    files: [],
    directories: [],
    special: false,
  };
  into.set(name, unit);
  if (type === 'file') unit.files.push({ path, absolute, sizeBytes, mtimeNs, ctimeNs, inode, device });
  else if (type === 'directory') unit.directories.push(absolute);
  else unit.special = true;
}

function unitOf({ path, absolute, files, directories, special }: Gathered, linked: ReadonlySet<bigint>): Unit {
  const newestNs = files.reduce((newest, { mtimeNs }) => (mtimeNs > newest ? mtimeNs : newest), 0n);
  return {
    path,
    absolute,
    mtimeMs: Number(newestNs / 1_000_000n),
    sizeBytes: files.reduce((total, file) => total + file.sizeBytes, 0),
    files,
    special: special || files.some(({ inode }) => linked.has(inode)),
    // A scan comes to a directory before what is in it.
    directories: directories.toReversed(),
  };
}

/**
 * False when something of it is not what the scan saw any more, or when its directories hold what the scan left out: then
 * all of it stays, but for what changes under its hands. A repeat goes on with what is left.
 */
export async function removeIfAsSeen(unit: Unit): Promise<boolean> {
  if (!(await isAllAsSeen(unit))) return false;
  const { files, directories } = unit;
  let whole = true;
  for (const file of files) whole = (await removeFile(file)) && whole;
  for (const directory of directories) whole = (await removeEmpty(directory)) && whole;
  return whole;
}

/** A checkpoint of which a part went is worth nothing: looked through before the first one goes. */
async function isAllAsSeen({ files, directories }: Unit): Promise<boolean> {
  const known = new Set<ByteString>([...files.map(({ absolute }) => absolute), ...directories]);
  try {
    for (const file of files) {
      if (!isAsSeen(file, await lstat(pathArgument(file.absolute), { bigint: true }))) return false;
    }
    for (const directory of directories) {
      const names = await readdir(pathArgument(directory), { encoding: 'latin1' });
      if (!names.every((name) => known.has(`${directory}/${name}`))) return false;
    }
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function removeFile(file: SeenFile): Promise<boolean> {
  const path = pathArgument(file.absolute);
  try {
    if (!isAsSeen(file, await lstat(path, { bigint: true }))) return false;
    await unlink(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function removeEmpty(directory: ByteString): Promise<boolean> {
  try {
    await rmdir(pathArgument(directory));
    return true;
  } catch (error) {
    if (isMissing(error) || errorCode(error) === 'ENOTEMPTY') return false;
    throw error;
  }
}
