/** What the benchmark is to reach, and what it reached. Pure. */
import type { DataSet } from './contender.ts';
import type { Figure, Step } from './run.ts';

/** From the command to the committed manifest with the engine running; and the capture or restore alone. */
export const OURS = 'holdfast';
export const OURS_ALONE = 'holdfast, alone';

const UNCHANGED_SECONDS_MAX = 1;
const ZSTD_FACTOR_MAX = 1.8;
const WORKER_MIB_MAX = 400;
const STORED_FACTOR_MAX = 1.02;

export interface Target {
  readonly what: string;
  readonly wanted: string;
  readonly measured: string;
  readonly reached: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('no values');
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** Medians over the runs, by contender. */
export function medians(
  figures: readonly Figure[],
  data: DataSet,
  step: Step,
): Map<string, { wall: number; cpu: number; peak: number; stored: number }> {
  const names = [...new Set(figures.map(({ contender }) => contender))];
  const result = new Map<string, { wall: number; cpu: number; peak: number; stored: number }>();
  for (const name of names) {
    const found = figures.filter((one) => one.contender === name && one.data === data && one.step === step);
    if (found.length === 0) continue;
    result.set(name, {
      wall: median(found.map(({ wallSeconds }) => wallSeconds)),
      cpu: median(found.map(({ cpuSeconds }) => cpuSeconds)),
      peak: Math.max(...found.map((one) => one.peakMiB)),
      stored: median(found.map(({ storedBytes }) => storedBytes)),
    });
  }
  return result;
}

function others<T>(all: ReadonlyMap<string, T>): T[] {
  return [...all].filter(([name]) => name !== OURS && name !== OURS_ALONE).map(([, value]) => value);
}

const FASTER: readonly { data: DataSet; step: Step; factor: number; what: string }[] = [
  { data: 'ledger', step: 'first', factor: 2, what: 'first backup of the ledger' },
  { data: 'files', step: 'first', factor: 3, what: 'first backup of the small files' },
  { data: 'ledger', step: 'unchanged', factor: 1.5, what: 'ledger unchanged' },
  { data: 'files', step: 'unchanged', factor: 1.5, what: 'small files unchanged' },
  { data: 'ledger', step: 'changed', factor: 1.5, what: '1 % of the ledger changed' },
  { data: 'ledger', step: 'restore', factor: 1.5, what: 'restore of the ledger' },
  { data: 'files', step: 'restore', factor: 1.5, what: 'restore of the small files' },
];

function speedTargets(figures: readonly Figure[]): Target[] {
  return FASTER.flatMap(({ data, step, factor, what }) => {
    const all = medians(figures, data, step);
    const ours = all.get(OURS);
    const best = Math.min(...others(all).map(({ wall }) => wall));
    if (ours === undefined || !Number.isFinite(best)) return [];
    const reached = best / ours.wall;
    return [
      {
        what: `${what}, against the fastest of the others`,
        wanted: `${factor} times as fast`,
        measured: `${reached.toFixed(2)} times (${ours.wall.toFixed(2)} s, ${best.toFixed(2)} s)`,
        reached: reached >= factor,
      },
    ];
  });
}

function storedTargets(figures: readonly Figure[]): Target[] {
  return (['ledger', 'files'] as const).flatMap((data) => {
    const all = medians(figures, data, 'first');
    const ours = all.get(OURS);
    const best = Math.min(...others(all).map(({ stored }) => stored));
    if (ours === undefined || !Number.isFinite(best)) return [];
    const factor = ours.stored / best;
    return [
      {
        what: `stored bytes of the first backup, ${data === 'ledger' ? 'ledger' : 'small files'}`,
        wanted: `within ${((STORED_FACTOR_MAX - 1) * 100).toFixed(0)} % of the smallest`,
        measured: `${((factor - 1) * 100).toFixed(1)} %`,
        reached: factor <= STORED_FACTOR_MAX,
      },
    ];
  });
}

function ownTargets(figures: readonly Figure[], zstdSeconds: number | undefined): Target[] {
  const targets: Target[] = [];
  for (const data of ['ledger', 'files'] as const) {
    const ours = medians(figures, data, 'unchanged').get(OURS);
    if (ours === undefined) continue;
    targets.push({
      what: `a backup with nothing to do, ${data === 'ledger' ? 'ledger' : 'small files'}`,
      wanted: `under ${UNCHANGED_SECONDS_MAX} s`,
      measured: `${ours.wall.toFixed(2)} s`,
      reached: ours.wall < UNCHANGED_SECONDS_MAX,
    });
  }
  const alone = medians(figures, 'ledger', 'first').get(OURS_ALONE);
  if (alone !== undefined && zstdSeconds !== undefined) {
    targets.push({
      what: 'capture of the ledger alone, against `zstd -1 -T2` of the same file',
      wanted: `within ${ZSTD_FACTOR_MAX} times`,
      measured: `${(alone.wall / zstdSeconds).toFixed(2)} times`,
      reached: alone.wall <= zstdSeconds * ZSTD_FACTOR_MAX,
    });
  }
  const peaks = figures.filter(({ contender }) => contender === OURS).map(({ peakMiB }) => peakMiB);
  if (peaks.length > 0) {
    targets.push({
      what: 'memory of the host worker, whatever the size',
      wanted: `under ${WORKER_MIB_MAX} MiB`,
      measured: `${Math.max(...peaks).toFixed(0)} MiB`,
      reached: Math.max(...peaks) < WORKER_MIB_MAX,
    });
  }
  return targets;
}

export function judge(figures: readonly Figure[], zstdSeconds: number | undefined): Target[] {
  return [...speedTargets(figures), ...storedTargets(figures), ...ownTargets(figures, zstdSeconds)];
}
