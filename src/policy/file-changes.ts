/** What is different in a system file, as people would name it. Pure. */

/** What can hold no address, path or name, and tells the most: numbers, yes or no, durations and shares. */
const TELLING = /^(?:\d[\d.]*\s?(?:[A-Za-z]{1,3}|%)?|true|false)$/;
const MOST = 40;

/**
 * Paths such as `plans.daily.keep.daily: 7 → 1`, sorted; of other values only that they changed. Keys in another order and
 * comments are no change.
 */
export function changesOf(before: unknown, after: unknown): string[] {
  const [was, is] = [leavesOf(before), leavesOf(after)];
  const paths = [...new Set([...was.keys(), ...is.keys()])].toSorted();
  const changed = paths.filter((path) => was.get(path) !== is.get(path));
  const told = changed.slice(0, MOST).map((path) => changeOf(path, was.get(path), is.get(path)));
  return changed.length > MOST ? [...told, `and ${changed.length - MOST} more`] : told;
}

function changeOf(path: string, was: string | undefined, is: string | undefined): string {
  if (was === undefined) return `${path}: ${shown(is)}, new`;
  if (is === undefined) return `${path}: ${shown(was)}, gone`;
  return TELLING.test(was) && TELLING.test(is) ? `${path}: ${was} → ${is}` : `${path}: changed`;
}

function shown(value = ''): string {
  return TELLING.test(value) ? value : 'a value';
}

function leavesOf(value: unknown, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null) return new Map([[path, String(value)]]);
  const entries = Object.entries(value);
  if (entries.length === 0) return new Map([[path, Array.isArray(value) ? '[]' : '{}']]);
  return new Map(entries.flatMap(([key, inner]) => [...leavesOf(inner, path === '' ? key : `${path}.${key}`)]));
}
