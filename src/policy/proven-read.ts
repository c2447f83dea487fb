/**
 * Which backups of a store are proved by readings of the whole store: all that they name was read back, opened and found
 * good. A drill says more (`restored`); a reading that opened nothing says less: that the bytes are those that were stored,
 * not that anybody can open them. Pure.
 */
import type { BackupSeen, VerdictSeen } from './backup-seen.ts';
import { badObjects, newestFirst, PARTS, type Reading } from './read-back.ts';

/** Clocks of the store and of the host that reads may differ by so much. */
const CLOCK_MS = 10_000;

export interface ProvenRead {
  /** Backups that came into the store before: the readings knew of them, so that all they name was read. */
  readonly storedBeforeMs: number;
  /** When the part that was read longest ago was read. */
  readonly atMs: number;
  /** Ids of backups that need something that was found bad and is not healed. */
  readonly bad: readonly string[];
}

/** Undefined while a part was never read so, or when it is not known which backups need what was found bad. */
export function provenRead(readings: readonly Reading[]): ProvenRead | undefined {
  const newest = newestFirst(readings);
  const parts = new Map<number, { readonly rootsAtMs: number; readonly atMs: number }>();
  for (const { level, opened, rootsAtMs, atMs, from, to } of newest) {
    if (level !== 'content' || opened !== true || rootsAtMs === undefined) continue;
    for (let part = from; part <= to; part += 1) if (!parts.has(part)) parts.set(part, { rootsAtMs, atMs });
  }
  if (parts.size < PARTS) return undefined;
  const { bad, unnamed } = badObjects(newest);
  const isKnown = unnamed === 0 && bad.every(({ backups, backupCount }) => backupCount === backups?.length);
  if (!isKnown) return undefined;
  const all = [...parts.values()];
  return {
    storedBeforeMs: Math.min(...all.map(({ rootsAtMs }) => rootsAtMs)) - CLOCK_MS,
    atMs: Math.min(...all.map(({ atMs }) => atMs)),
    bad: bad.flatMap(({ backups = [] }) => backups),
  };
}

/** The backups with what readings of their stores say of them, as verdicts of that time. */
export function withReadings(
  backups: readonly BackupSeen[],
  stores: readonly { readonly store: string; readonly proven?: ProvenRead }[],
): BackupSeen[] {
  const proven = new Map(
    stores.flatMap(({ store, proven: one }) => (one === undefined ? [] : [[store, one] as const])),
  );
  if (proven.size === 0) return [...backups];
  return backups.map((backup) => {
    const read = backup.stores.flatMap((store) => {
      const one = proven.get(store);
      return one !== undefined && covers(one, backup, store) ? [{ store, atMs: one.atMs }] : [];
    });
    if (read.length === 0) return backup;
    const others = backup.verdicts.filter(({ store }) => !read.some((one) => one.store === store));
    const own = read.map((one) =>
      joined(
        one,
        backup.verdicts.find(({ store }) => store === one.store),
      ),
    );
    return { ...backup, verdicts: [...others, ...own] };
  });
}

/** Also of one backup by its id and the time at which its manifest came into the store. */
export function isRead({ storedBeforeMs, bad }: ProvenRead, id: string, storedAtMs: number): boolean {
  return storedAtMs < storedBeforeMs && !bad.includes(id);
}

function covers(proven: ProvenRead, { id, storedAt }: BackupSeen, store: string): boolean {
  const atMs = storedAt?.find((one) => one.store === store)?.atMs;
  return atMs !== undefined && isRead(proven, id, atMs);
}

/** A verdict that is newer stands as it is, with the proof beside it; what was found bad before has been healed since. */
function joined({ store, atMs }: { store: string; atMs: number }, known: VerdictSeen | undefined): VerdictSeen {
  const provedAtMs = Math.max(atMs, known?.provedAtMs ?? 0);
  if (known !== undefined && known.atMs >= atMs) return { ...known, ...(known.ok ? { provedAtMs } : {}) };
  return { store, level: 'content', ok: true, atMs, errors: 0, provedAtMs };
}
