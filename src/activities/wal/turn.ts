/** What the parts of one turn of receiving share: who they are, what stands, and what has become of it. */
import { HoldfastError } from '../../failures.ts';
import { baseNeeded, type Trouble, type WalAlarm } from '../../policy/wal-alarm.ts';
import { lsnDigits } from '../../policy/lsn.ts';
import { rangeText, type WalCluster } from '../../vault/index.ts';
import type { WalTurn } from '../types.ts';

/** How often what failed is tried again. */
const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000, 15_000];

/** Trouble that waiting may help: when it began, and how long to wait before the next try. */
export class Troubles {
  private failures = 0;
  private standing: Trouble | undefined;

  get current(): Trouble | undefined {
    return this.standing;
  }

  /** Returns the pause in milliseconds. Throws what waiting does not help. */
  add(error: unknown): number {
    if (!(error instanceof HoldfastError) || !error.waitingHelps) throw error;
    const sinceMs = this.standing?.sinceMs ?? Date.now();
    this.standing = { code: error.code, message: error.message, sinceMs };
    const pause = PAUSES_MS[Math.min(this.failures, PAUSES_MS.length - 1)] ?? 0;
    this.failures += 1;
    return pause;
  }

  over(): void {
    this.failures = 0;
    this.standing = undefined;
  }
}

/** See `baseNeeded`: the cluster, and the newest gap in what is stored of it. */
export function markOf(systemIdentifier: string, cluster: WalCluster | undefined): string {
  const gap = cluster?.gaps.at(-1);
  return `${systemIdentifier}/${gap === undefined ? 'whole' : `${gap.timeline}:${lsnDigits(gap.from)}`}`;
}

/** What the workflow has to know before anything is received, or undefined when it knows. */
export function markTurn(
  systemIdentifier: string,
  clusters: readonly WalCluster[],
  seen: string | undefined,
): WalTurn | undefined {
  const cluster = clusters.find((one) => one.systemIdentifier === systemIdentifier);
  const mark = markOf(systemIdentifier, cluster);
  if (mark === seen) return undefined;
  const others = clusters.length > 0 && cluster === undefined;
  if (!baseNeeded(mark, seen, others)) return { kind: 'mark', mark };
  const gap = cluster?.gaps.at(-1);
  const why =
    gap === undefined
      ? `the log of another cluster begins, system identifier ${systemIdentifier}`
      : `the log from ${rangeText(gap)} is missing`;
  return { kind: 'mark', mark, base: why };
}

export function sameAlarm(a: WalAlarm | undefined, b: WalAlarm | undefined): boolean {
  return a?.what === b?.what;
}
