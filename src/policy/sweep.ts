/**
 * The decisions of the sweep protocol: what a sweep does next, when a capture must wait, what may be deleted. Pure. The
 * effects in src/vault and the exhaustive check in test/vault call these same functions. docs/decisions/sweeps.md says why.
 */

/** Which of a sweep's records are there. They are written in this order and never removed. */
export interface SweepMarks {
  readonly name: string;
  /** What it means to delete is written down. */
  readonly condemned: boolean;
  /** Captures that have not begun wait, so that the open ones can come to an end. */
  readonly closing: boolean;
  /** From here on what it condemned counts as absent. */
  readonly deleting: boolean;
  /** It deletes nothing any more, whatever it got done. */
  readonly done: boolean;
}

/** A record in captures/ with nothing at its manifest's name: a capture, a copy or a heal that may still commit. */
export interface OpenRecord {
  readonly backupId: string;
  /** Older than any capture that is alive may be: see `settleAgeMs`. */
  readonly old: boolean;
  /** The manifest's name is known, so that a tombstone can be written there. */
  readonly settleable: boolean;
}

const DAY_MS = 24 * 3600 * 1000;
const CAPTURE_SETTLE_MS = 7 * DAY_MS;
const COPY_SETTLE_MS = 30 * DAY_MS;
const TOMBSTONE_KEPT_MS = 90 * DAY_MS;
const COPY_TOMBSTONE_MS = DAY_MS;

/** From this age on (by the store's clock) a sweep settles an open record; before, the sweep gives way. */
export function settleAgeMs(copy: boolean): number {
  return copy ? COPY_SETTLE_MS : CAPTURE_SETTLE_MS;
}

/**
 * The sweep that a capture, copy or heal must wait for. One that is not recorded yet also waits while a sweep is closing;
 * once recorded it is waited for itself, until the sweep is deleting.
 */
export function sweepInTheWay(sweeps: readonly SweepMarks[], recorded: boolean): SweepMarks | undefined {
  return sweeps.find((sweep) => !sweep.done && (sweep.deleting || (sweep.closing && !recorded)));
}

/** Sweeps whose condemned objects a cache must forget that was last compared with the sweep `seen`. */
export function sweepsToHeed(sweeps: readonly SweepMarks[], seen: string): SweepMarks[] {
  return sweeps.filter((sweep) => sweep.done && sweep.condemned && sweep.name > seen);
}

/** What an earlier prune left: its process is known to be dead, so the mark `done` is all that is missing. */
export function leftSweeps(sweeps: readonly SweepMarks[], own: string): SweepMarks[] {
  return sweeps.filter((sweep) => !sweep.done && sweep.name !== own);
}

export interface SweepView {
  readonly marks: SweepMarks;
  readonly graceOver: boolean;
  /** It has waited for open captures as long as it may. */
  readonly patienceOver: boolean;
  /** Listed after `marks` were read. */
  readonly open: readonly OpenRecord[];
  /** This process has deleted all it may. */
  readonly swept: boolean;
}

export type SweepAction =
  | { readonly kind: 'wait'; readonly on: readonly string[] }
  | { readonly kind: 'close' | 'mark' | 'delete' | 'finish' | 'over' }
  /** Tombstones by the commit's own create-only write: exactly one of the two wins. */
  | { readonly kind: 'settle'; readonly records: readonly OpenRecord[] }
  /** The sweep ends without deleting: somebody may still be at work. */
  | { readonly kind: 'giveWay'; readonly to: readonly string[] };

/** The next step of a sweep that has written what it condemns. */
export function nextSweepAction(view: SweepView): SweepAction {
  const { marks, open } = view;
  if (marks.done) return { kind: 'over' };
  if (view.swept) return { kind: 'finish' };
  const alive = open.filter((record) => !record.old || !record.settleable).map(({ backupId }) => backupId);
  if (!marks.closing) return view.graceOver ? { kind: 'close' } : { kind: 'wait', on: [] };
  if (!marks.deleting) {
    if (alive.length === 0) return { kind: 'mark' };
    return view.patienceOver ? { kind: 'giveWay', to: alive } : { kind: 'wait', on: alive };
  }
  // Whoever is open now began before the mark, or has seen it and waits: which of the two, nobody can tell.
  if (alive.length > 0) return { kind: 'giveWay', to: alive };
  return open.length > 0 ? { kind: 'settle', records: open } : { kind: 'delete' };
}

/** An object is deleted when it was condemned and no manifest names it that is there after all captures were settled. */
export function mayDelete(object: { readonly condemned: boolean; readonly named: boolean }): boolean {
  return object.condemned && !object.named;
}

/**
 * A copy that a sweep settled may begin again once its tombstone is gone. That may be removed when no attempt of this copy
 * lives (its lock on the one host that maintains the store is held by the caller), no request of it can be under way any
 * more, and no sweep is deleting.
 */
export function mayClearCopy(
  given: { readonly lockHeld: boolean; readonly why: 'abandoned' | 'swept'; readonly ageMs: number },
  sweeps: readonly SweepMarks[],
): boolean {
  const quiet = !sweeps.some((sweep) => sweep.deleting && !sweep.done);
  return given.lockHeld && quiet && given.ageMs >= COPY_TOMBSTONE_MS;
}

/** After this a tombstone and its capture's record are removed: no process lives so long with a commit in its hands. */
export function isLongOver(ageMs: number): boolean {
  return ageMs >= TOMBSTONE_KEPT_MS;
}
