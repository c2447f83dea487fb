/** `npm run bench`: Holdfast and others on the same data in one run. `-- --help` shows the options. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Contender } from './bench/contender.ts';
import { benchmarkCopies, type CopyResults } from './bench/copy/main.ts';
import { copyMarkdown, copyTargets, splitCopies } from './bench/copy/report.ts';
import { benchmarkFailover } from './bench/failover/main.ts';
import { failoverMarkdown, failoverTargets, splitFailover, type FailoverResults } from './bench/failover/report.ts';
import { holdfastContenders } from './bench/holdfast.ts';
import { writeLedgerData } from './bench/ledger-data.ts';
import { measure } from './bench/measure.ts';
import { borg, restic } from './bench/others.ts';
import { benchmarkPostgres } from './bench/postgres/main.ts';
import { joinReport, postgresMarkdown, postgresTargets, splitReport } from './bench/postgres/report.ts';
import type { PostgresResults } from './bench/postgres/report.ts';
import { chart, markdown } from './bench/report.ts';
import type { Results } from './bench/report.ts';
import { benchmarkPrune, pruneMarkdown, pruneTargets, splitPrune } from './bench/prune/main.ts';
import type { PruneResults } from './bench/prune/main.ts';
import { benchmarkVerify, splitVerify, verifyMarkdown, type VerifyResults } from './bench/verify/main.ts';
import { runOnce } from './bench/run.ts';
import type { Figure } from './bench/run.ts';
import { writeSmallFiles } from './bench/small-files.ts';
import { judge } from './bench/targets.ts';
import type { Target } from './bench/targets.ts';
import { prepare, runMain } from './setup.ts';

const MIB = 1024 * 1024;

const HELP = `npm run bench -- [options]
  --runs N        how often everything is done (3)
  --size MIB      the ledger (2048; of a failover 1024)
  --files N       small files (50000)
  --seed N        of the data (1)
  --scale N       of pgbench's data (137, about 2 GiB)
  --copied MIB    the vault that is copied between two S3 servers (1024)
  --only PART     files (ledger and small files), postgres, copy; prune, verify or failover (these only then)
  --quick         64 MiB, 2000 files, scale 4, one run
  --without-others  Holdfast alone
  --without-freeze  do not measure the freeze of a ledger in Docker
  --scratch DIR   where data and repositories lie (the temporary directory)
  --report DIR    also write benchmarks.md and pictures/benchmarks.svg there
  --json FILE     also write all figures`;

const PARTS = ['files', 'postgres', 'copy', 'prune', 'verify', 'failover'] as const;
/** Measured only when they are asked for. */
const APART: readonly (Part | undefined)[] = ['prune', 'verify', 'failover'];
type Part = (typeof PARTS)[number];

interface Options {
  readonly runs: number;
  readonly sizeMiB: number;
  readonly files: number;
  readonly seed: number;
  readonly scale: number;
  readonly copied: { readonly sizeMiB: number; readonly objects: number };
  /** Of the server that is killed under load, and for how long it is loaded before. */
  readonly recovery: { readonly scale: number; readonly loadSeconds: number };
  readonly backups: number;
  readonly only: Part | undefined;
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

function part(text: string | undefined): Part | undefined {
  const found = PARTS.find((name) => name === text);
  if (text !== undefined && found === undefined) throw new Error(`not a part (${PARTS.join(', ')}): ${text}`);
  return found;
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
      scale: { type: 'string' },
      copied: { type: 'string' },
      only: { type: 'string' },
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
    sizeMiB: count(values.size, values.quick ? 64 : values.only === 'failover' ? 1024 : 2048),
    files: count(values.files, values.quick ? 2000 : 50_000),
    seed: count(values.seed, 1),
    scale: count(values.scale, values.quick ? 4 : 137),
    copied: { sizeMiB: count(values.copied, values.quick ? 64 : 1024), objects: values.quick ? 2000 : 20_000 },
    recovery: values.quick ? { scale: 2, loadSeconds: 15 } : { scale: 20, loadSeconds: 90 },
    backups: values.quick ? 200 : 10_000,
    only: part(values.only),
    others: !values['without-others'],
    freeze: !values['without-freeze'],
    scratch: values.scratch ?? tmpdir(),
    report: values.report,
    json: values.json,
  };
}

const say = (text: string): void => console.log(text);

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

/** Where things lay on this machine is no part of how the figures can be had again. */
export function withoutPlaces(args: readonly string[]): string[] {
  const isPlace = (word: string | undefined) => word === '--json' || word === '--scratch';
  return args.filter((word, at) => !isPlace(word) && !isPlace(args[at - 1]) && !/^--(json|scratch)=/.test(word));
}

/** Of the report, whatever part it is of. */
function circumstances(args: readonly string[]): { command: string; machine: string; date: string } {
  const [load = 0] = loadavg();
  return {
    command: ['npm run bench --', ...withoutPlaces(args)].join(' ').replace(/ --$/, ''),
    machine: `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${(totalmem() / 1024 ** 3).toFixed(0)} GiB, Node ${process.version}, load average ${load.toFixed(1)} before the start`,
    date: new Date().toISOString().slice(0, 10),
  };
}

async function benchmark(
  options: Options,
  scratch: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Results> {
  const about = circumstances(args);
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
      ...about,
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
  await using prepared = await prepare(
    !APART.includes(options.only) && (options.others || options.only !== 'files') ? 'bench' : 'run',
  );
  const scratch = await mkdtemp(join(options.scratch, 'holdfast-bench-'));
  try {
    const { environment } = prepared;
    const wants = (name: Part): boolean =>
      options.only === name || (options.only === undefined && !APART.includes(name));
    const files = wants('files') ? await benchmark(options, scratch, args, environment) : undefined;
    const postgres = wants('postgres') ? await postgresPart(options, scratch, args, environment) : undefined;
    const copies = wants('copy') && options.others ? await copyPart(options, scratch, args) : undefined;
    const prune = wants('prune')
      ? { ...circumstances(args), ...(await benchmarkPrune(scratch, options.backups, say)) }
      : undefined;
    const { sizeMiB, seed } = options;
    const verify = wants('verify')
      ? { ...circumstances(args), ...(await benchmarkVerify(scratch, { sizeMiB, seed }, say)) }
      : undefined;
    Object.assign(process.env, environment);
    const failover = wants('failover')
      ? { ...circumstances(args), figures: await benchmarkFailover({ sizeMiB, seed, scratch: options.scratch }, say) }
      : undefined;
    if (failover !== undefined) show(failoverMarkdown(failover), failoverTargets(failover));
    if (verify !== undefined) show(verifyMarkdown(verify), []);
    if (files !== undefined) show(markdown(files), judge(files.figures, files.zstdSeconds));
    if (postgres !== undefined) show(postgresMarkdown(postgres), postgresTargets(postgres));
    if (copies !== undefined) show(copies.text, copyTargets(copies.results));
    if (prune !== undefined) show(pruneMarkdown(prune), pruneTargets(prune));
    if (options.json !== undefined) {
      const figures = { files, postgres, copies: copies?.results, prune, verify, failover };
      await writeFile(options.json, `${JSON.stringify(figures, undefined, 2)}\n`);
    }
    if (options.report !== undefined) {
      await writeReport(options.report, { files, postgres, copies: copies?.text, prune, verify, failover });
    }
    return 0;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function postgresPart(
  options: Options,
  scratch: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<PostgresResults> {
  const { runs, scale, recovery, seed, others } = options;
  const about = circumstances(args);
  return { ...about, ...(await benchmarkPostgres({ scratch, runs, scale, recovery, seed, others, environment, say })) };
}

async function copyPart(
  { runs, copied, seed }: Options,
  scratch: string,
  args: readonly string[],
): Promise<{ readonly results: CopyResults; readonly text: string }> {
  const about = circumstances(args);
  const { sizeMiB, objects: smallObjects } = copied;
  const results = await benchmarkCopies({ scratch, runs, sizeMiB, smallObjects, seed, say });
  return { results, text: copyMarkdown(results, about) };
}

function show(text: string, targets: readonly Target[]): void {
  console.log(`\n${text}`);
  for (const { what, wanted, measured, reached } of targets) {
    console.log(`${reached ? '✓' : '✗'} ${what}: ${measured}, wanted ${wanted}`);
  }
}

/** A part that was not measured stays as it was. */
async function writeReport(
  directory: string,
  measured: {
    readonly files: Results | undefined;
    readonly postgres: PostgresResults | undefined;
    readonly copies: string | undefined;
    readonly prune: PruneResults | undefined;
    readonly verify: VerifyResults | undefined;
    readonly failover: FailoverResults | undefined;
  },
) {
  const { files, postgres, copies, prune, verify, failover } = measured;
  await mkdir(join(directory, 'pictures'), { recursive: true });
  const document = join(directory, 'benchmarks.md');
  const { rest, section } = splitCopies(existsSync(document) ? await readFile(document, 'utf8') : '');
  const outer = splitFailover(rest);
  const whole = splitVerify(outer.before);
  const last = splitPrune(whole.before);
  const kept = splitReport(last.before);
  const before = files === undefined ? kept.before : markdown(files);
  const others = joinReport(before, postgres === undefined ? kept.postgres : postgresMarkdown(postgres));
  const copied = joinReport(others, copies ?? section);
  const pruned = joinReport(copied, prune === undefined ? last.prune : pruneMarkdown(prune));
  const verified = joinReport(pruned, verify === undefined ? whole.verify : verifyMarkdown(verify));
  await writeFile(document, joinReport(verified, failover === undefined ? outer.failover : failoverMarkdown(failover)));
  if (files !== undefined) await writeFile(join(directory, 'pictures', 'benchmarks.svg'), chart(files));
}

if (import.meta.main) await runMain(() => main(process.argv.slice(2)));
