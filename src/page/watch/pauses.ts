/** How long to wait between two looks, so that looking costs little. Pure. */

/** After this nobody is looking any more: an open page asks every few seconds. */
const NOBODY_AFTER_MS = 60_000;

/** A look at the engine costs its server some requests and its workers a task for each operation. */
export function enginePauseMs({ idleMs, busy }: { readonly idleMs: number; readonly busy: boolean }): number {
  if (idleMs > NOBODY_AFTER_MS) return 30_000;
  return busy ? 1_500 : 4_000;
}

const USUAL_MS = 15_000;
const NOBODY_MS = 5 * 60_000;

/** The register is a directory of small files. */
export function registerPauseMs(idleMs: number): number {
  return idleMs > NOBODY_AFTER_MS ? NOBODY_MS : USUAL_MS;
}

/** Who looks at something wrong is not kept longer from seeing it mended. */
const WRONG_MS = 30_000;
/** Before what is shown counts as too old to be believed: a look at a store that hangs takes long and costs nothing. */
const LONGEST_MS = 10 * 60_000;

export interface LastLook {
  readonly idleMs: number;
  readonly tookMs: number;
  /** Something wrong is shown. */
  readonly troubled: boolean;
}

/**
 * A look at the stores of a system costs as much as they hold. It takes at most a twentieth of the time, unless that were ten
 * minutes and more. It comes before `most` only when there is a reason, and never before `least`, so that it takes at most a
 * quarter. Only while somebody looks at something wrong it comes half a minute after the last at the latest: what takes
 * long is then mostly what does not answer, which costs nothing, and when it does again is what people wait to see.
 */
export function storesPauseMs({ idleMs, tookMs, troubled }: LastLook) {
  const apart = Math.min(20 * tookMs, LONGEST_MS);
  const wrong = troubled && idleMs <= NOBODY_AFTER_MS;
  const least = Math.max(1_000, Math.min(apart, 3 * tookMs + 3_000, wrong ? WRONG_MS : Infinity));
  // Its end may be told by nothing else: an incident can begin and end between two looks at the engine.
  const most = wrong ? least : Math.max(least, apart);
  return { least, most: Math.max(most, registerPauseMs(idleMs)) };
}
