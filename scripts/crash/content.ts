/** The files that the crash suite protects: made from a seed, wrecked, and compared as a whole. */
import { createHash, randomFillSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const LARGE_FILES = 4;
export const LARGE_BYTES = 4 * 1024 * 1024;
const SMALL_FILES = 40;

/** A tree of a few large files that nothing can compress and some small ones. */
export function makeTree(directory: string, largeBytes = LARGE_BYTES): void {
  mkdirSync(path.join(directory, 'small'), { recursive: true });
  for (let number = 0; number < LARGE_FILES; number += 1) replaceLarge(directory, number, largeBytes);
  for (let number = 0; number < SMALL_FILES; number += 1) {
    writeFileSync(path.join(directory, 'small', `${number}.txt`), `record ${number}\n`.repeat(number + 1));
  }
}

/** New content for one of the large files; the others stay as they are. */
export function replaceLarge(directory: string, number: number, largeBytes = LARGE_BYTES): void {
  writeFileSync(path.join(directory, `large-${number}.bin`), randomFillSync(Buffer.alloc(largeBytes)));
}

/** What an accident does: files gone, one garbled, one that was never there. */
export function wreck(directory: string): void {
  rmSync(path.join(directory, 'large-0.bin'), { force: true });
  rmSync(path.join(directory, 'small'), { recursive: true, force: true });
  writeFileSync(path.join(directory, 'garbage.txt'), 'not yours');
}

/** A digest over names, modes and bytes of everything below. */
export function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = path.join(directory, entry);
    const facts = statSync(file);
    hash.update(`${entry}\0${facts.mode.toString(8)}\0${facts.isFile() ? facts.size : 'directory'}\0`);
    if (facts.isFile()) hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Bytes of all files below, for accounts of a store; 0 when it isn't there. */
export function bytesBelow(directory: string): number {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}
