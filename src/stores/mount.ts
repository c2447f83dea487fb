/** Whether a path is a mount of its own: a NAS that is not mounted looks like an empty directory. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '../failures.ts';
import { isMissing } from './directory-errors.ts';

/** Throws StoreNotMounted when nothing is mounted at `path` itself. */
export async function requireMount(path: string): Promise<void> {
  if (await isMount(path)) return;
  throw new HoldfastError('StoreNotMounted', `Nothing is mounted at ${path}.`, {
    hint: 'Mount it, or set mustBeMounted: false if the directory is meant to lie on the local disk.',
  });
}

async function isMount(path: string): Promise<boolean> {
  try {
    const real = await realpath(path);
    const [own, parent] = await Promise.all([stat(real), stat(dirname(real))]);
    if (own.dev !== parent.dev || own.ino === parent.ino) return true;
    return await isBindMount(real);
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw cause;
  }
}

/** A bind mount of the same filesystem has its parent's device number; the kernel's own table knows it (proc(5)). */
async function isBindMount(real: string): Promise<boolean> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return table.split('\n').some((line) => unescapeOctal(line.split(' ')[4] ?? '') === real);
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
