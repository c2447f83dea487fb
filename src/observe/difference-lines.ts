/** The differences of a reconciliation as people read them. Pure. */
import { DIFFERENCES_TOLD, type Difference } from '../policy/check-values.ts';

/** By the name of the reconciliation: what could be read of them, or why nothing could. */
export type FoundDifferences = ReadonlyMap<
  string,
  { readonly differences: readonly Difference[] } | { readonly why: string }
>;

/** One line each, the first twenty of them. */
export function differenceLines(
  { name, differenceCount }: { readonly name: string; readonly differenceCount: number },
  found: FoundDifferences,
): string[] {
  const read = found.get(name);
  if (read === undefined) return [];
  if ('why' in read) return [read.why];
  const shown = read.differences.slice(0, DIFFERENCES_TOLD);
  return [
    ...shown.map((one) => `${one.name}: expected ${one.expected}, found ${one.found}`),
    ...(differenceCount > shown.length ? [`and ${differenceCount - shown.length} more`] : []),
  ];
}
