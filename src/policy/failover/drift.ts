/** In what the system files of two sites differ, by the names of keys alone: no value is ever told. Pure. */

/** What the files of two sites differ in by their nature, at any depth. */
const OF_A_SITE: readonly string[] = [
  'site',
  'host',
  'hosts',
  'path',
  'directory',
  'dataDirectory',
  'socket',
  'address',
  'port',
  'place',
  'maintainedBy',
  'disks',
  'volume',
];
const MOST_TOLD = 50;

/** Sorted paths such as `plans.daily.schedule`; of a list its own path. `own` and `other` are parsed system files. */
export function driftOf(own: unknown, other: unknown): string[] {
  const found = [...differences(own, other, [])].toSorted();
  return found.slice(0, MOST_TOLD);
}

function* differences(own: unknown, other: unknown, path: readonly string[]): Generator<string> {
  if (!isMap(own) || !isMap(other)) {
    if (!isSame(own, other)) yield path.join('.');
    return;
  }
  for (const key of new Set([...Object.keys(own), ...Object.keys(other)])) {
    if (OF_A_SITE.includes(key)) continue;
    const below = [...path, key];
    // A whole section that one of them lacks is one difference.
    if (!Object.hasOwn(own, key) || !Object.hasOwn(other, key)) yield below.join('.');
    else yield* differences(own[key], other[key], below);
  }
}

function isSame(own: unknown, other: unknown): boolean {
  if (Array.isArray(own) && Array.isArray(other)) {
    return (
      own.length === other.length &&
      own.every((one, index) => [...differences(one, other[index], ['item'])].length === 0)
    );
  }
  return own === other;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
