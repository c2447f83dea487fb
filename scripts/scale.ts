/**
 * `npm run scale`: half a million small files and a file of 6 GiB through backup and restore, by the command, with the
 * peak memory of the host worker. `-- --files N --size MIB` for another size. Exits 1 when the memory is above the limit.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs, promisify } from 'node:util';
import { stringify } from 'yaml';
import { Holdfast } from '../sample/stack/holdfast.ts';
import type { Up } from '../sample/stack/holdfast.ts';
import type { BackupResult, RestoreResult } from '../src/workflows/contract.ts';
import { peakMiB, resetPeak } from './bench/measure.ts';
import { Random } from './bench/random.ts';
import { writeSmallFiles } from './bench/small-files.ts';
import { prepare, runMain, UsageError } from './setup.ts';

export const WORKER_MIB_MAX = 400;
const MIB = 1024 * 1024;
const EXTENT_EVERY = 4;

export interface ScaleOptions {
  readonly files: number;
  readonly sizeMiB: number;
  readonly scratch: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly say: (text: string) => void;
}

export interface ScaleResult {
  readonly peakMiB: { readonly backup: number; readonly unchanged: number; readonly restore: number };
  readonly seconds: { readonly backup: number; readonly unchanged: number; readonly restore: number };
  readonly again: BackupResult;
}

/** A file with holes: one MiB in four is written, half of it random. */
async function writeLargeFile(path: string, sizeMiB: number): Promise<void> {
  const random = new Random(sizeMiB);
  const file = await open(path, 'wx');
  try {
    await file.truncate(sizeMiB * MIB);
    const bytes = Buffer.alloc(MIB);
    for (let at = 0; at < sizeMiB; at += EXTENT_EVERY) {
      for (let word = 0; word < MIB / 2; word += 4) bytes.writeUInt32LE(random.word(), word);
      await file.write(bytes, 0, MIB, at * MIB);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function costOf<T>(up: Up, work: () => Promise<T>): Promise<{ result: T; seconds: number; peak: number }> {
  const worker = up.hostWorkerPid();
  if (worker === undefined) throw new Error('the host worker does not run');
  resetPeak(worker);
  const startedAt = performance.now();
  const result = await work();
  if (up.hostWorkerPid() !== worker) throw new Error('the host worker was started anew in between');
  return { result, seconds: (performance.now() - startedAt) / 1000, peak: peakMiB(worker) };
}

/** Throws when anything fails or what is restored differs from its source. Leaves nothing behind. */
export async function runScale(options: ScaleOptions): Promise<ScaleResult> {
  const directory = await mkdtemp(join(options.scratch, 'holdfast-scale-'));
  try {
    return await inDirectory(options, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function inDirectory(options: ScaleOptions, directory: string): Promise<ScaleResult> {
  const source = join(directory, 'source');
  const [store, home, target] = ['store', 'home', 'restored'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [source, store, home]) await mkdir(each);
  options.say(`making ${options.files} files and one of ${options.sizeMiB} MiB`);
  await writeSmallFiles(join(source, 'small'), options.files, 1);
  await writeLargeFile(join(source, 'large.data'), options.sizeMiB);
  const file = join(directory, 'scale.yaml');
  const system = {
    system: 'scale',
    stores: { vault: { kind: 'directory', path: store } },
    components: { data: { kind: 'files', path: source } },
    plans: { all: { components: ['data'], stores: ['vault'] } },
  };
  await writeFile(file, stringify(system));
  const holdfast = new Holdfast(home, options.environment);
  const init = await holdfast.run('init', file);
  if (init.code !== 0) throw new Error(`holdfast init: ${init.stderr}`);
  const up = await holdfast.up('--no-ui', '--no-page', '--port', '0');
  try {
    const backup = await costOf(up, () => holdfast.ask<BackupResult>('backup', 'scale', 'all'));
    options.say(`backup ${backup.seconds.toFixed(1)} s, ${backup.peak.toFixed(0)} MiB`);
    const unchanged = await costOf(up, () => holdfast.ask<BackupResult>('backup', 'scale', 'all'));
    options.say(`again, nothing changed ${unchanged.seconds.toFixed(1)} s, ${unchanged.peak.toFixed(0)} MiB`);
    const restore = await costOf(up, () => holdfast.ask<RestoreResult>('restore', 'scale', '--target', target));
    options.say(`restore ${restore.seconds.toFixed(1)} s, ${restore.peak.toFixed(0)} MiB`);
    await promisify(execFile)('diff', ['--recursive', '--brief', '--no-dereference', source, target]);
    return {
      peakMiB: { backup: backup.peak, unchanged: unchanged.peak, restore: restore.peak },
      seconds: { backup: backup.seconds, unchanged: unchanged.seconds, restore: restore.seconds },
      again: unchanged.result,
    };
  } finally {
    await up.stop();
  }
}

const USAGE = `npm run scale -- [options]
  --files N      small files (500000)
  --size MIB     of the large file (6144)
  --scratch DIR  where data and vault lie (the temporary directory)`;

function wholeNumber(name: string, text: string): number {
  if (/^[1-9][0-9]*$/.test(text)) return Number(text);
  throw new UsageError(`--${name} must be a whole number above 0.`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      files: { type: 'string', default: '500000' },
      size: { type: 'string', default: '6144' },
      scratch: { type: 'string', default: tmpdir() },
    },
  });
  await using prepared = await prepare('run');
  const { peakMiB: peaks } = await runScale({
    files: wholeNumber('files', values.files),
    sizeMiB: wholeNumber('size', values.size),
    scratch: values.scratch,
    environment: prepared.environment,
    say: (text) => console.log(text),
  });
  const highest = Math.max(...Object.values(peaks));
  const reached = highest < WORKER_MIB_MAX;
  console.log(`${reached ? '✓' : '✗'} the host worker took ${highest.toFixed(0)} MiB of ${WORKER_MIB_MAX}`);
  return reached ? 0 : 1;
}

if (import.meta.main) await runMain(main, USAGE);
