/** Single paths of a tree: what an operator may name, and what has to change names to bring just these into place. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { SwapPair } from '../directory-swap.ts';
import { isMissing } from '../io-errors.ts';

/**
 * Relative paths without `.` and slashes at their ends, sorted, none inside another; empty for the whole tree. Throws
 * BadInput for absolute paths and `..`.
 */
export function normalPaths(paths: readonly string[]): string[] {
  const normal = paths.map(normalPath);
  if (normal.includes('')) return [];
  const sorted = [...new Set(normal)].sort();
  return sorted.filter((path) => !sorted.some((other) => path.startsWith(`${other}/`)));
}

function normalPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (path.startsWith('/') || parts.includes('..')) {
    throw new HoldfastError('BadInput', `The path ${path} must be relative to the component and stay inside it`);
  }
  return parts.join('/');
}

/**
 * One pair for each path; where the directory above it is missing in the live tree too, the outermost missing one
 * comes as a whole (it holds nothing but what was asked for).
 */
export async function pairsOfPaths(live: string, beside: string, paths: readonly string[]): Promise<SwapPair[]> {
  const units = new Set<string>();
  for (const path of paths) units.add(await unitOf(live, path));
  return [...units].map((unit) =>
    unit === '' ? { live, beside } : { live: join(live, unit), beside: join(beside, unit) },
  );
}

async function unitOf(live: string, path: string): Promise<string> {
  if (!(await isDirectory(live))) return '';
  const parts = path.split('/');
  for (let count = 1; count < parts.length; count += 1) {
    const part = parts.slice(0, count).join('/');
    if (!(await isDirectory(join(live, part)))) return part;
  }
  return path;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
