/**
 * Which backups belong to the history of the generation in force. A site that was fenced, and did not know it yet, may have
 * gone on making backups: those are kept apart, and never restored by mistake. Pure.
 */

/** Where a generation's data came from. Absent for the first, and for one that took over nothing but what lived there. */
export interface Origin {
  readonly generation: number;
  /** The recovery point that was restored; absent where the stopped site's own last state was taken over whole. */
  readonly pointAtMs?: number;
}

export interface GenerationOrigin {
  readonly n: number;
  readonly origin?: Origin;
}

export interface MadeBackup {
  readonly generation: number;
  readonly pointAtMs: number;
}

/**
 * Up to which recovery point each generation belongs to the history of generation `n`; generations without an entry do not
 * at all. Recovery points of one generation are of one site's clock, so that no two sites' clocks are compared.
 */
export function lineageOf(n: number, generations: readonly GenerationOrigin[]): ReadonlyMap<number, number> {
  const lineage = new Map<number, number>();
  let upTo = Number.POSITIVE_INFINITY;
  for (let at: number | undefined = n; at !== undefined && !lineage.has(at);) {
    lineage.set(at, upTo);
    const origin: Origin | undefined = generations.find((one) => one.n === at)?.origin;
    upTo = origin?.pointAtMs ?? Number.POSITIVE_INFINITY;
    at = origin?.generation;
  }
  return lineage;
}

/** Why this backup is kept apart, or undefined when it belongs to the history. Generation 0 is of before there were sites. */
export function whyApart(backup: MadeBackup, lineage: ReadonlyMap<number, number>): string | undefined {
  const { generation, pointAtMs } = backup;
  if (generation === 0) return undefined;
  const upTo = lineage.get(generation);
  if (upTo === undefined) return `generation ${generation} is no part of the history of the one in force`;
  if (pointAtMs <= upTo) return undefined;
  const until = new Date(upTo).toISOString();
  return `it was made under generation ${generation} after ${until}, from where another site went on`;
}
