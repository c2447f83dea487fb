/** The log files of the engine's processes: bounded, each with one predecessor. */
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { engineDirectory } from '../system/home.ts';

/** A file that has grown to this is put aside as `<file>.1`, in the place of the one before. */
const LOG_LIMIT_BYTES = 16 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;

/**
 * Puts a log aside that has grown too long: its text is copied and the file cut to nothing, because the process that
 * writes to it keeps it open (for appending, so that it goes on at the beginning). Between the last read and the cut
 * there is no wait, so that hardly a line can fall into it.
 */
export function keepShort(file: string, limitBytes = LOG_LIMIT_BYTES): void {
  if (!existsSync(file)) return;
  const from = openSync(file, 'r+');
  try {
    if (fstatSync(from).size <= limitBytes) return;
    const to = openSync(`${file}.1`, 'w', 0o600);
    try {
      const piece = new Uint8Array(PIECE_BYTES);
      for (let at = 0; ;) {
        const length = readSync(from, piece, 0, piece.length, at);
        if (length === 0) break;
        writeSync(to, piece, 0, length);
        at += length;
      }
      ftruncateSync(from, 0);
    } finally {
      closeSync(to);
    }
  } finally {
    closeSync(from);
  }
}

export interface LogFile {
  /** `server`, `worker`, `worker-<host>`. */
  readonly name: string;
  /** The older one first, when there are two. */
  readonly files: readonly string[];
}

/** The logs of this machine's engine, whether it runs or not. */
export function logFiles(): LogFile[] {
  const directory = engineDirectory();
  const entries = new Set(readdirSync(directory));
  return [...entries]
    .filter((entry) => entry.endsWith('.log'))
    .toSorted()
    .map((entry) => ({
      name: entry.replace(/\.log$/, ''),
      files: [`${entry}.1`, entry].filter((one) => entries.has(one)).map((one) => path.join(directory, one)),
    }));
}
