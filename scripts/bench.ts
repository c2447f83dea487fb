/** `npm run bench`: Holdfast, restic and borg on the same data in one run. `-- --help` shows the options. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Contender } from './bench/contender.ts';
import { holdfastContenders } from './bench/holdfast.ts';
import { writeLedgerData } from './bench/ledger-data.ts';
import { measure } from './bench/measure.ts';
import { borg, restic } from './bench/others.ts';
import { chart, markdown } from './bench/report.ts';
import type { Results } from './bench/report.ts';
import { runOnce } from './bench/run.ts';
import type { Figure } from './bench/run.ts';
import { writeSmallFiles } from './bench/small-files.ts';
import { judge } from './bench/targets.ts';
import { prepare, runMain } from './setup.ts';

const MIB = 1024 * 1024;

const HELP = `npm run bench -- [options]
  --runs N        how often everything is done (3)
  --size MIB      the ledger (2048)
  --files N       small files (50000)
  --seed N        of the data (1)
  --quick         64 MiB, 2000 files, one run
  --without-others  Holdfast alone
  --without-freeze  do not measure the freeze of a ledger in Docker
  --scratch DIR   where data and repositories lie (the temporary directory)
  --report DIR    also write benchmarks.md and pictures/benchmarks.svg there
  --json FILE     also write all figures`;

interface Options {
  readonly runs: number;
  readonly sizeMiB: number;
  readonly files: number;
  readonly seed: number;
  readonly others: boolean;
  readonly freeze: boolean;
  readonly scratch: string;
  readonly report: string | undefined;
  readonly json: string | undefined;
}

function count(text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`not a count: ${text ?? ''}`);
  return value;
}

/** Undefined when help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string' },
      size: { type: 'string' },
      files: { type: 'string' },
      seed: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'without-others': { type: 'boolean', default: false },
      'without-freeze': { type: 'boolean', default: false },
      scratch: { type: 'string' },
      report: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    runs: count(values.runs, values.quick ? 1 : 3),
    sizeMiB: count(values.size, values.quick ? 64 : 2048),
    files: count(values.files, values.quick ? 2000 : 50_000),
    seed: count(values.seed, 1),
    others: !values['without-others'],
    freeze: !values['without-freeze'],
    scratch: values.scratch ?? tmpdir(),
    report: values.report,
    json: values.json,
  };
}

async function zstdSeconds(scratch: string, ledger: string, runs: number): Promise<number> {
  const output = join(scratch, 'ledger.zst');
  let best = Infinity;
  for (let at = 0; at < runs; at += 1) {
    const command = ['zstd', '-1', '-T2', '--quiet', '--force', ledger, '-o', output];
    best = Math.min(best, (await measure({ command, syncPath: scratch })).wallSeconds);
    await rm(output);
  }
  return best;
}

async function benchmark(
  options: Options,
  scratch: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Results> {
  const say = (text: string): void => console.log(text);
  const [load = 0] = loadavg();
  const sources = { ledger: join(scratch, 'source-ledger'), files: join(scratch, 'source-files') };
  await mkdir(sources.ledger);
  const ledger = join(sources.ledger, 'ledger.data');
  say(`making ${options.sizeMiB} MiB of ledger data and ${options.files} small files`);
  await writeLedgerData(ledger, options.sizeMiB * MIB, options.seed);
  const filesBytes = await writeSmallFiles(sources.files, options.files, options.seed);
  const figures: Figure[] = [];
  const ours = holdfastContenders({ scratch, environment, ledgerMiB: options.sizeMiB, say });
  try {
    const rivals = options.others ? [restic(scratch), borg(scratch, 1), borg(scratch, 3)] : [];
    const contenders: Contender[] = [...ours.contenders, ...rivals];
    for (let at = 0; at < options.runs; at += 1) {
      say(`run ${at + 1} of ${options.runs}`);
      const { seed } = options;
      figures.push(...(await runOnce({ run: at, seed, scratch, sources, contenders, changedShare: 0.01, say })));
    }
    return {
      command: ['npm run bench --', ...args].join(' ').replace(/ --$/, ''),
      machine: `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${(totalmem() / 1024 ** 3).toFixed(0)} GiB, Node ${process.version}, load average ${load.toFixed(1)} before the start`,
      date: new Date().toISOString().slice(0, 10),
      runs: options.runs,
      ledgerBytes: options.sizeMiB * MIB,
      files: options.files,
      filesBytes,
      contenders: await Promise.all(
        contenders.map(async (one) => ({ name: one.name, description: await one.describe() })),
      ),
      figures,
      zstdSeconds: options.others ? await zstdSeconds(scratch, ledger, options.runs) : undefined,
      freezes: options.freeze ? await ours.freezes() : [],
    };
  } finally {
    await ours.close();
  }
}

export async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  // What is missing is installed, or the exact command is named.
  await using prepared = await prepare(options.others ? 'bench' : 'run');
  const scratch = await mkdtemp(join(options.scratch, 'holdfast-bench-'));
  try {
    const results = await benchmark(options, scratch, args, prepared.environment);
    console.log(`\n${markdown(results)}`);
    for (const { what, wanted, measured, reached } of judge(results.figures, results.zstdSeconds)) {
      console.log(`${reached ? '✓' : '✗'} ${what}: ${measured}, wanted ${wanted}`);
    }
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
    if (options.report !== undefined) {
      await mkdir(join(options.report, 'pictures'), { recursive: true });
      await writeFile(join(options.report, 'benchmarks.md'), markdown(results));
      await writeFile(join(options.report, 'pictures', 'benchmarks.svg'), chart(results));
    }
    return 0;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

if (import.meta.main) await runMain(() => main(process.argv.slice(2)));
