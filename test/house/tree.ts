/** The files of the repository as its house rules see them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '..', '..');

/** Paths of everything that is or would be committed, relative to the root. */
export function trackedFiles(): string[] {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return list.split('\0').filter((file) => file !== '' && existsSync(path.join(ROOT, file)));
}

export function readText(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

const BINARY = /\.(png|jpg|gif|svg|db|bin|age|zst|gz|tar)$/;

export function textFiles(): string[] {
  return trackedFiles().filter((file) => !BINARY.test(file));
}
