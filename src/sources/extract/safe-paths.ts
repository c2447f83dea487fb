/** Which names an archive may use: only such as stay below the directory it is unpacked into. */
import { HoldfastError } from '../../failures.ts';
import type { ByteString } from '../byte-string.ts';
import { shown } from './tar-format.ts';

/**
 * The path relative to the target, without `.` parts and slashes at the ends; the empty string is the target itself.
 * Throws UnsafePath for absolute paths, `..` and bytes no file name can have.
 */
export function safePath(path: ByteString): ByteString {
  if (path.startsWith('/')) throw unsafe(path, 'is absolute');
  if (path.includes('\0')) throw unsafe(path, 'contains a zero byte');
  const parts: ByteString[] = [];
  for (const part of path.split('/')) {
    if (part === '..') throw unsafe(path, 'leads out of its directory');
    if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

export function unsafe(path: ByteString, why: string): HoldfastError {
  return new HoldfastError('UnsafePath', `The archive's entry ${shown(path)} ${why}; it was refused`);
}

export function parentOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

/** Which entries are wanted when only some paths are: these, what is below them, and the directories that lead there. */
export class Selection {
  private readonly wanted: ReadonlySet<ByteString>;
  private readonly leading = new Set<ByteString>(['']);
  private readonly found = new Set<ByteString>();

  constructor(paths: readonly ByteString[]) {
    this.wanted = new Set(paths);
    for (const path of paths) {
      for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) this.leading.add(parent);
    }
  }

  takes(path: ByteString, isDirectory: boolean): boolean {
    if (this.wanted.size === 0) return true;
    for (let part = path; ; part = parentOf(part)) {
      if (this.wanted.has(part)) {
        this.found.add(part);
        return true;
      }
      if (part === '') break;
    }
    return isDirectory && this.leading.has(path);
  }

  /** Wanted paths that no entry had so far. */
  missing(): ByteString[] {
    return [...this.wanted].filter((path) => !this.found.has(path));
  }
}
