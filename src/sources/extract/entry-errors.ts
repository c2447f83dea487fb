/** What an error of the file system means for the entry that met it. */
import type { HoldfastError } from '../../failures.ts';
import type { ByteString } from '../byte-string.ts';
import { errorCode, failureOf } from '../io-errors.ts';
import { unsafe } from './safe-paths.ts';
import { broken, shown } from './tar-format.ts';

/** Runs the making of one entry. Throws ArchiveBroken, UnsafePath and what missing rights and full disks mean. */
export function making(path: ByteString, run: () => void): void {
  try {
    run();
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' || code === 'EISDIR') throw twice(path);
    if (code === 'ENOTDIR' || code === 'ELOOP') throw unsafe(path, 'leads through something that is no directory');
    throw failureOf(error, `restore ${shown(path)}`);
  }
}

export function twice(path: ByteString): HoldfastError {
  return broken(`${shown(path)} occurs twice`);
}
