/** One run of the benchmark: every step for every contender before the next step, in an order that turns. */
import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Contender, DataSet } from './contender.ts';
import { mutateLedgerData } from './ledger-data.ts';
import type { Measured } from './measure.ts';

const exec = promisify(execFile);

export type Step = 'first' | 'unchanged' | 'changed' | 'restore' | 'verify';

export interface Figure extends Measured {
  readonly contender: string;
  readonly data: DataSet;
  readonly step: Step;
  readonly run: number;
  /** In the repository after the step. */
  readonly storedBytes: number;
}

export interface Sources {
  readonly ledger: string;
  readonly files: string;
}

export interface RunOptions {
  readonly run: number;
  readonly seed: number;
  readonly scratch: string;
  readonly sources: Sources;
  readonly contenders: readonly Contender[];
  readonly changedShare: number;
  readonly say: (text: string) => void;
}

const STEPS: Record<DataSet, readonly Step[]> = {
  ledger: ['first', 'unchanged', 'changed', 'restore', 'verify'],
  files: ['first', 'unchanged', 'restore', 'verify'],
};

/** The list beginning at another member each time, so that nobody is always first. */
export function turned<T>(list: readonly T[], by: number): T[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

async function sameTrees(a: string, b: string): Promise<void> {
  await exec('diff', ['--recursive', '--brief', a, b]);
}

/**
 * Restored copies stay until the whole benchmark ends: ext4 makes creating files several times slower for a while after
 * a large removal, which would be charged to whoever restores next.
 */
async function takeStep(contender: Contender, step: Step, source: string, scratch: string): Promise<Measured> {
  if (step === 'verify') return contender.verify();
  if (step !== 'restore') return contender.backup();
  const target = await mkdtemp(join(scratch, 'restored-'));
  const { copy, ...cost } = await contender.restore(target);
  await sameTrees(source, copy);
  return cost;
}

/** Throws when a contender fails or restores something else than was backed up. */
export async function runOnce(options: RunOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  let turn = options.run;
  for (const data of ['files', 'ledger'] as const) {
    const source = options.sources[data];
    for (const contender of options.contenders) await contender.reset(data, source);
    for (const step of STEPS[data]) {
      if (step === 'changed') {
        await mutateLedgerData(join(source, 'ledger.data'), options.changedShare, options.seed * 1000 + options.run);
      }
      for (const contender of turned(options.contenders, turn++)) {
        const cost = await takeStep(contender, step, source, options.scratch);
        const storedBytes = await contender.storedBytes();
        figures.push({ contender: contender.name, data, step, run: options.run, storedBytes, ...cost });
        options.say(`${data} ${step} ${contender.name}: ${cost.wallSeconds.toFixed(2)} s`);
      }
    }
  }
  return figures;
}
