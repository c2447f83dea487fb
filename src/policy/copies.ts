/** 3-2-1-1-0: what the copies of a plan come to, and whether that is what its system promises. Pure. */
import type { CopyRule } from '../system/store-types.ts';

/** One store that holds, or could hold, the backups of a plan. */
export interface CopyPlace {
  readonly store: string;
  readonly place: string;
  readonly medium: string;
  readonly immutable: boolean;
}

export interface CopyCounts {
  /** The live data is one. */
  readonly copies: number;
  readonly media: readonly string[];
  /** Places other than the site, each once. */
  readonly places: readonly string[];
  /** Copies in another place than the site. */
  readonly offsite: number;
  readonly immutable: number;
  /** What the newest verdict in each store found, together; undefined when one of them has none. */
  readonly errors: number | undefined;
}

export interface CopyVerdict extends CopyCounts {
  readonly ok: boolean;
  /** In words, one for each number that is not met. */
  readonly short: readonly string[];
}

/** What live data lies on. */
const LIVE_MEDIUM = 'disk';

/** `errors` by store: bad objects of the newest verdict there; a store that is missing in it was never verified. */
export function countCopies(
  site: string,
  stores: readonly CopyPlace[],
  errors: ReadonlyMap<string, number> = new Map(),
): CopyCounts {
  const away = stores.filter(({ place }) => place !== site);
  const found = stores.map(({ store }) => errors.get(store));
  return {
    copies: 1 + stores.length,
    media: unique([LIVE_MEDIUM, ...stores.map(({ medium }) => medium)]),
    places: unique(away.map(({ place }) => place)),
    offsite: away.length,
    immutable: stores.filter(({ immutable }) => immutable).length,
    errors: found.includes(undefined) ? undefined : found.reduce<number>((sum, one) => sum + (one ?? 0), 0),
  };
}

/** What is known of the bytes of one copy. */
export interface CopyKnowledge {
  readonly finishedAtMs: number;
  /** Its newest verdict in this store. */
  readonly verdict?: { readonly atMs: number; readonly errors: number };
  /** What reading the store back says; undefined when its records could not be read. */
  readonly readBack?: { readonly errors: number; readonly completeSinceMs?: number };
}

/**
 * The errors of one copy: what its newest verdict found, or what reading its whole store back found. A store that was read
 * back completely since the verdict has the last word; one that was read back since the backup came is a verification of
 * it. Undefined when neither tells anything: bad objects of a part of the store are counted all the same.
 */
export function errorsOfCopy({ finishedAtMs, verdict, readBack }: CopyKnowledge): number | undefined {
  const found = readBack?.errors ?? 0;
  const completeMs = readBack?.completeSinceMs ?? -Infinity;
  if (verdict !== undefined && verdict.atMs > completeMs) return Math.max(verdict.errors, found);
  const isRead = verdict !== undefined || completeMs >= finishedAtMs;
  return isRead || found > 0 ? found : undefined;
}

/** By what really lies there. A copy that was never verified does not meet a rule about errors. */
export function judgeCopies(rule: CopyRule, counts: CopyCounts): CopyVerdict {
  const { errors } = counts;
  const unverified = errors === undefined ? ['not every copy was verified'] : [];
  const wrong = errors !== undefined && errors > rule.errors ? [`errors found: ${errors}, at most ${rule.errors}`] : [];
  const short = [...shortfalls(rule, counts), ...unverified, ...wrong];
  return { ...counts, ok: short.length === 0, short };
}

/** What these stores can't come to, whatever is captured: for a system file, before anything is. */
export function shortfalls(rule: CopyRule, counts: CopyCounts): string[] {
  const { copies, media, offsite, immutable } = counts;
  return [
    ...less('copies', copies, rule.copies, 'the live data counted'),
    ...less('kinds of media', media.length, rule.media, media.join(', ')),
    ...less('copies in another place', offsite, rule.offsite, counts.places.join(', ')),
    ...less('immutable copies', immutable, rule.immutable, ''),
  ];
}

function less(what: string, has: number, wanted: number, detail: string): string[] {
  return has >= wanted ? [] : [`${has} of ${wanted} ${what}${detail === '' ? '' : ` (${detail})`}`];
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
