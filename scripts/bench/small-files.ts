/** Many small files as an application leaves them: JSON, text, configuration, and binary; sizes lognormal. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from './random.ts';

const FILES_PER_DIRECTORY = 100;
const SMALLEST_BYTES = 205;
const LARGEST_BYTES = 64 * 1024;
const MEDIAN_BYTES = 2_600;
const SPREAD = 1.1;
const WORDS = (
  'account amount balance batch channel client config connector credit debit deposit endpoint error event failed fee ' +
  'health host interval ledger limit name network node pending peer port rate reason request result route secret ' +
  'service settlement state status stream timeout token total transfer type update user value version wallet window'
).split(' ');

function word(random: Random): string {
  return WORDS[random.below(WORDS.length)] ?? '';
}

function json(random: Random): string {
  const hex = random.word().toString(16);
  return `{"id":"${hex}","${word(random)}":${random.below(1_000_000)},"${word(random)}":"${word(random)}"},\n`;
}

function text(random: Random): string {
  const at = new Date(1_767_225_600_000 + random.below(1_000_000_000)).toISOString();
  return `${at} ${word(random)} ${word(random)} ${word(random)} took ${random.below(5_000)} ms\n`;
}

function configuration(random: Random): string {
  return `${word(random)}.${word(random)} = ${word(random)}-${random.below(10_000)}\n`;
}

function binary(random: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  // Every other word is random, as in packed numbers or half-compressed data.
  for (let at = 0; at + 8 <= length; at += 8) bytes.writeUInt32LE(random.word(), at);
  return bytes;
}

function content(random: Random, length: number): { bytes: Buffer; extension: string } {
  const kind = random.below(10);
  if (kind >= 8) return { bytes: binary(random, length), extension: 'bin' };
  const [line, extension] =
    kind < 4 ? ([json, 'json'] as const) : kind < 6 ? ([text, 'log'] as const) : ([configuration, 'conf'] as const);
  let made = '';
  while (made.length < length) made += line(random);
  return { bytes: Buffer.from(made.slice(0, length), 'latin1'), extension };
}

function size(random: Random): number {
  const wanted = Math.round(MEDIAN_BYTES * Math.exp(SPREAD * random.normal()));
  return Math.min(LARGEST_BYTES, Math.max(SMALLEST_BYTES, wanted));
}

/** Writes `count` files below `directory`; returns their bytes. */
export async function writeSmallFiles(directory: string, count: number, seed: number): Promise<number> {
  const random = new Random(seed);
  let total = 0;
  for (let first = 0; first < count; first += FILES_PER_DIRECTORY) {
    const inner = join(directory, `part-${String(first / FILES_PER_DIRECTORY).padStart(5, '0')}`);
    await mkdir(inner, { recursive: true });
    const writes: Promise<void>[] = [];
    for (let at = first; at < Math.min(count, first + FILES_PER_DIRECTORY); at += 1) {
      const { bytes, extension } = content(random, size(random));
      total += bytes.length;
      writes.push(writeFile(join(inner, `${word(random)}-${at}.${extension}`), bytes));
    }
    await Promise.all(writes);
  }
  return total;
}
