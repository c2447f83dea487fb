/**
 * Totals of ended runs. They are kept in a file: a counter that began at 0 with every process would hide a failure that
 * came while no process looked. A run counts once, by its id, however often it is seen.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { RunStatus } from './definitions.ts';
import type { RunLabels } from './ended-runs.ts';

export type RunTotalLabels = RunLabels & { readonly status: RunStatus };

interface Kept {
  readonly version: 1;
  /** Every run that was closed before this, less the overlap, is counted. */
  readonly lookedUntilMs: number;
  /** Runs closed within the overlap. */
  readonly counted: Readonly<Record<string, number>>;
  readonly totals: readonly { readonly labels: RunTotalLabels; readonly value: number }[];
}

/** An engine lists a run some time after it ended, in no certain order: it is looked back by so much. */
export const OVERLAP_MS = 10 * 60_000;

export class RunTotals {
  private readonly file: string;
  private lookedUntil: number;
  private readonly counted: Map<string, number>;
  private readonly totals = new Map<string, { labels: RunTotalLabels; value: number }>();

  /** Without a file that can be read, counting begins now. */
  constructor(file: string, nowMs: number) {
    this.file = file;
    const kept = readKept(file);
    this.lookedUntil = kept?.lookedUntilMs ?? nowMs;
    this.counted = new Map(Object.entries(kept?.counted ?? {}));
    for (const { labels, value } of kept?.totals ?? []) this.totals.set(keyOf(labels), { labels, value });
  }

  /** Runs that were closed at this time or later may not be counted yet. */
  get fromMs(): number {
    return this.lookedUntil - OVERLAP_MS;
  }

  has(runId: string): boolean {
    return this.counted.has(runId);
  }

  /** True when it was not counted before. */
  count(runId: string, closeMs: number, labels: RunTotalLabels): boolean {
    if (this.counted.has(runId)) return false;
    this.pass(runId, closeMs);
    this.entry(labels).value += 1;
    return true;
  }

  /** Seen, and nothing to be counted. */
  pass(runId: string, closeMs: number): void {
    this.counted.set(runId, closeMs);
  }

  /** A series that is there with 0, so that its first rise is seen. */
  begin(labels: RunTotalLabels): void {
    this.entry(labels);
  }

  /** Everything that was closed until then has been seen: it is written down. */
  keep(untilMs: number): void {
    this.lookedUntil = Math.max(this.lookedUntil, untilMs);
    for (const [runId, closeMs] of this.counted) if (closeMs < this.fromMs) this.counted.delete(runId);
    const kept: Kept = {
      version: 1,
      lookedUntilMs: this.lookedUntil,
      counted: Object.fromEntries(this.counted),
      totals: [...this.totals.values()],
    };
    const scratch = `${this.file}.${process.pid}`;
    writeFileSync(scratch, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
    renameSync(scratch, this.file);
  }

  all(): readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[] {
    return [...this.totals.values()].map(({ labels, value }) => ({ labels: { ...labels }, value }));
  }

  private entry(labels: RunTotalLabels): { value: number } {
    const key = keyOf(labels);
    const found = this.totals.get(key) ?? { labels, value: 0 };
    this.totals.set(key, found);
    return found;
  }
}

function keyOf({ system, operation, plan, status }: RunTotalLabels): string {
  return JSON.stringify([system, operation, plan, status]);
}

function readKept(file: string): Kept | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<Kept> | null;
    return value?.version === 1 ? (value as Kept) : undefined;
  } catch {
    // Missing or torn: it holds nothing that can't be counted anew, and a reset of a counter is what its readers expect.
    return undefined;
  }
}
