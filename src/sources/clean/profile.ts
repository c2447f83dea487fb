/**
 * What the files of a tree look like, one line each in the order of their names, and two such profiles compared line by
 * line: neither a file nor a list of them is ever held in memory. The names stay on the host.
 */
import { constants, createReadStream } from 'node:fs';
import { lstat, open, readdir, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import {
  entropyOf,
  isDenseByNature,
  LEAST_SAMPLE_BYTES,
  looksLikeNoise,
  ransomName,
  type FileClass,
  type ProfileComparison,
} from '../../policy/entropy.ts';
import { byteString, displayName, pathArgument, type ByteString } from '../byte-string.ts';
import { failureOf } from '../io-errors.ts';
import { writeLineFile } from '../rows/line-file.ts';

const SAMPLE_BYTES = 16 * 1024;
const MARK_BYTES = 24;

export interface ProfileOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (filesDone: number) => void;
}

/** Of a directory or a single file. Links are not followed. Returns the number of files. */
export async function writeProfile(place: string, file: string, options: ProfileOptions): Promise<number> {
  return writeLineFile(file, profileLines(byteString(place), options));
}

async function* profileLines(root: ByteString, { signal, onProgress }: ProfileOptions): AsyncGenerator<string> {
  const sample = Buffer.allocUnsafe(SAMPLE_BYTES);
  let done = 0;
  for await (const { path, absolute } of filesBelow(root)) {
    signal.throwIfAborted();
    yield `${JSON.stringify([path, await classOf(absolute, sample)])}\n`;
    done += 1;
    onProgress?.(done);
  }
}

interface Found {
  readonly path: ByteString;
  readonly absolute: ByteString;
}

async function* filesBelow(root: ByteString): AsyncGenerator<Found> {
  const stats = await lstat(pathArgument(root));
  if (stats.isFile()) yield { path: root.slice(root.lastIndexOf('/') + 1), absolute: root };
  else if (stats.isDirectory()) yield* inDirectory(root, '');
}

async function* inDirectory(directory: ByteString, prefix: ByteString): AsyncGenerator<Found> {
  const entries = await readdir(pathArgument(directory), { withFileTypes: true, encoding: 'buffer' });
  const named = entries.map((entry) => ({ entry, name: byteString(entry.name) }));
  for (const { entry, name } of named.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    const absolute = `${directory}/${name}`;
    if (entry.isDirectory()) yield* inDirectory(absolute, path);
    else if (entry.isFile()) yield { path, absolute };
  }
}

/** The beginning, the middle and the end: some programs encrypt only a part. */
async function classOf(absolute: ByteString, sample: Buffer): Promise<FileClass> {
  let handle: FileHandle;
  try {
    handle = await open(pathArgument(absolute), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw failureOf(error, `read ${displayName(absolute)}`);
  }
  try {
    const { size } = await handle.stat();
    if (size < LEAST_SAMPLE_BYTES) return 'small';
    const places = [
      ...new Set([0, Math.max(0, Math.floor((size - SAMPLE_BYTES) / 2)), Math.max(0, size - SAMPLE_BYTES)]),
    ];
    let mark = '';
    let noise = false;
    for (const at of places) {
      const { bytesRead } = await handle.read(sample, 0, SAMPLE_BYTES, at);
      const part = sample.subarray(0, bytesRead);
      if (at === 0) mark = part.toString('hex', 0, Math.min(MARK_BYTES, bytesRead));
      noise ||= bytesRead > 0 && looksLikeNoise(entropyOf(histogramOf(part), bytesRead), bytesRead);
    }
    if (!noise) return 'readable';
    return isDenseByNature(mark) ? 'compressed' : 'noise';
  } finally {
    await handle.close();
  }
}

function histogramOf(bytes: Buffer): Uint32Array {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
  return counts;
}

type ProfileLine = readonly [path: ByteString, form: FileClass];

/** What changed from the earlier profile to the later; the names concerned go to `evidence`, one line each. */
export async function compareProfiles(
  earlier: string | undefined,
  later: string,
  evidence: string,
  signal: AbortSignal,
): Promise<ProfileComparison> {
  const nothing = { before: 0, becameNoise: 0, gone: 0, newNoise: 0, ransomNames: 0, ransomNotes: 0 };
  const counts = { ...nothing, noiseNow: 0, toldNow: 0 };
  await writeLineFile(evidence, changes(earlier, later, counts, signal));
  return counts;
}

async function* changes(
  earlier: string | undefined,
  later: string,
  counts: { -readonly [K in keyof ProfileComparison]: number },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const tell = (path: ByteString, what: string): string => `${JSON.stringify({ path: displayName(path), what })}\n`;
  for await (const [before, after] of joined(linesOf(earlier), linesOf(later))) {
    signal.throwIfAborted();
    if (after !== undefined && after[1] !== 'small') counts.toldNow += 1;
    if (after?.[1] === 'noise') counts.noiseNow += 1;
    const wasReadable = before !== undefined && (before[1] === 'readable' || before[1] === 'compressed');
    if (wasReadable) counts.before += 1;
    if (wasReadable && after === undefined) {
      counts.gone += 1;
      yield tell(before[0], 'gone');
    } else if (wasReadable && after?.[1] === 'noise') {
      counts.becameNoise += 1;
      yield tell(before[0], 'became unreadable');
    } else if (before === undefined && after !== undefined) {
      const name = ransomName(displayName(after[0].slice(after[0].lastIndexOf('/') + 1)));
      if (after[1] === 'noise') counts.newNoise += 1;
      if (name === 'ending') counts.ransomNames += 1;
      if (name === 'note') counts.ransomNotes += 1;
      if (after[1] === 'noise') yield tell(after[0], 'new, unreadable');
      if (name !== undefined)
        yield tell(after[0], name === 'note' ? 'named like a ransom note' : 'named like a hostage');
    }
  }
}

async function* linesOf(file: string | undefined): AsyncGenerator<ProfileLine> {
  if (file === undefined) return;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    yield JSON.parse(line) as ProfileLine;
  }
}

async function* joined(
  one: AsyncGenerator<ProfileLine>,
  other: AsyncGenerator<ProfileLine>,
): AsyncGenerator<[ProfileLine | undefined, ProfileLine | undefined]> {
  let [a, b] = [await one.next(), await other.next()];
  while (a.done !== true || b.done !== true) {
    const order = a.done === true ? 1 : b.done === true ? -1 : compareNames(a.value[0], b.value[0]);
    yield [order <= 0 && a.done !== true ? a.value : undefined, order >= 0 && b.done !== true ? b.value : undefined];
    if (order <= 0) a = await one.next();
    if (order >= 0) b = await other.next();
  }
}

/** In the order of the walk: name by name, not letter by letter of the whole path. */
function compareNames(a: ByteString, b: ByteString): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const [mine = '', yours = ''] = [left[at], right[at]];
    if (mine !== yours) return mine < yours ? -1 : 1;
  }
  return left.length - right.length;
}
