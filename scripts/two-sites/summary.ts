/** What a run has shown, by fault. Pure. */
import type { Held } from './run.ts';

export interface FaultSummary {
  readonly fault: string;
  readonly rounds: number;
  readonly failovers: number;
  /** Of the failovers, from the first look to the names; undefined without any. */
  readonly rtoMedianSeconds?: number;
  readonly rtoMaxSeconds?: number;
  /** Acknowledged, and lost as it was said: in all. */
  readonly lost: number;
}

export function summaryOf(rounds: readonly Held[]): FaultSummary[] {
  const names = [...new Set(rounds.map(({ fault }) => kindOf(fault)))].toSorted();
  return names.map((fault) => {
    const own = rounds.filter((one) => kindOf(one.fault) === fault);
    const times = own.flatMap(({ result }) => result.rto?.seconds ?? []).toSorted((one, other) => one - other);
    const median = times[Math.floor((times.length - 1) / 2)];
    const max = times.at(-1);
    return {
      fault,
      rounds: own.length,
      failovers: own.filter(({ outcome }) => outcome === 'done').length,
      ...(median === undefined || max === undefined ? {} : { rtoMedianSeconds: median, rtoMaxSeconds: max }),
      lost: own.reduce((sum, one) => sum + one.lost, 0),
    };
  });
}

export function summaryText(summary: readonly FaultSummary[]): string {
  const rows = summary.map(({ fault, rounds, failovers, rtoMedianSeconds, rtoMaxSeconds, lost }) => [
    fault,
    String(rounds),
    String(failovers),
    rtoMedianSeconds?.toFixed(1) ?? '',
    rtoMaxSeconds?.toFixed(1) ?? '',
    String(lost),
  ]);
  const all = [['fault', 'rounds', 'failovers', 'RTO, median s', 'max s', 'lost as said'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

/** Without the step at which it struck. */
function kindOf(fault: string): string {
  return fault.replace(/: \w+$/, '');
}
