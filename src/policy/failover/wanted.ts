/**
 * What of a stack is to run, where only a guard starts it: containers have no restart policy then, so that what ran is
 * remembered by name, and what fell is started again after a while. Pure.
 */

/** A container or a unit, as one look has seen it. */
export interface PartSeen {
  /** Unique on its machine: `container <name>`, `unit <scope>/<user>/<name>`. */
  readonly name: string;
  readonly up: boolean;
  /** It was made and has never run: a restore, or a person, means it to. */
  readonly fresh: boolean;
  /** It ended by itself and says that all went well, as a task does. */
  readonly endedWell: boolean;
  /** Somebody else has stopped it for a moment and starts it again: a capture. */
  readonly frozen: boolean;
}

/** When parts were started last, by the boot clock, and how often in a row they fell soon after. */
export type Starts = ReadonlyMap<string, { readonly atMs: number; readonly falls: number }>;

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;
/** What has run for so long starts from the shortest wait again. */
const STEADY_MS = 30_000;

/**
 * What is to run from now on, by what was remembered. Undefined: nothing is, so that all of it is. What runs is added; a task
 * that ended well while others run is not started again.
 */
export function wantedAfter(known: ReadonlySet<string> | undefined, seen: readonly PartSeen[]): ReadonlySet<string> {
  const someUp = seen.some(({ up }) => up);
  const wanted = new Set(known ?? []);
  for (const part of seen) {
    if (part.up || part.fresh || known === undefined) wanted.add(part.name);
    if (known !== undefined && someUp && part.endedWell && !part.up && !part.frozen) wanted.delete(part.name);
  }
  return wanted;
}

/** What is to run, does not, and may be tried again at this moment. */
export function dueParts(
  seen: readonly PartSeen[],
  wanted: ReadonlySet<string>,
  { starts, nowMs }: { readonly starts: Starts; readonly nowMs: number },
): string[] {
  return seen
    .filter(({ name, up, frozen }) => !up && !frozen && wanted.has(name))
    .map(({ name }) => name)
    .filter((name) => nowMs >= nextStartMs(starts.get(name)));
}

/** After one more start of a part. */
export function startedAgain(starts: Starts, name: string, nowMs: number): Starts {
  const before = starts.get(name);
  const fellSoon = before !== undefined && nowMs - before.atMs < STEADY_MS + waitMs(before.falls);
  return new Map([...starts, [name, { atMs: nowMs, falls: fellSoon ? before.falls + 1 : 0 }]]);
}

function nextStartMs(start: { readonly atMs: number; readonly falls: number } | undefined): number {
  return start === undefined ? Number.NEGATIVE_INFINITY : start.atMs + waitMs(start.falls);
}

function waitMs(falls: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** Math.min(falls, 10), LONGEST_WAIT_MS);
}
