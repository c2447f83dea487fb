/** How long to wait between two looks, so that looking costs little. Pure. */

/** After this nobody is looking any more: an open page asks every few seconds. */
const NOBODY_AFTER_MS = 60_000;

/** A look at the engine costs its server some requests and its workers a task for each operation. */
export function enginePauseMs({ idleMs, busy }: { readonly idleMs: number; readonly busy: boolean }): number {
  if (idleMs > NOBODY_AFTER_MS) return 30_000;
  return busy ? 1_500 : 4_000;
}

/** Before what is shown counts as too old to be believed: a look at a store that hangs takes long and costs nothing. */
const LONGEST_MS = 10 * 60_000;

export interface LastLook {
  readonly idleMs: number;
  readonly tookMs: number;
  /** Something wrong is shown. */
  readonly troubled: boolean;
}

/**
 * A look at the stores costs as much as they hold. It takes at most a twentieth of the time, unless that were ten minutes
 * and more. It comes before `most` only when there is a reason, and never before `least`, so that it takes at most a
 * quarter: what takes long is mostly what does not answer, and when that does again is what people wait to see.
 */
export function storesPauseMs({ idleMs, tookMs, troubled }: LastLook) {
  const apart = Math.min(20 * tookMs, LONGEST_MS);
  const least = Math.max(1_000, Math.min(apart, 3 * tookMs + 3_000));
  const nobody = idleMs > NOBODY_AFTER_MS;
  const usual = nobody ? 5 * 60_000 : 15_000;
  // Its end may be told by nothing else: an incident can begin and end between two looks at the engine.
  const most = troubled && !nobody ? least : Math.max(least, apart);
  return { least, most: Math.max(most, usual) };
}
