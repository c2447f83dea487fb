/** Clocks by what they have left in the stores: a manifest says when it was written, and the store when it came. Pure. */
import { formatMilliseconds } from '../observe/format.ts';
import { USUAL_MONITOR } from '../system/monitor-build.ts';
import type { System } from '../system/types.ts';
import type { BackupSeen } from './backup-seen.ts';
import type { Finding } from './findings.ts';
import { severityOf, systemTier } from './limits.ts';

/** Some stores know whole seconds only. */
const WHOLE_SECOND_MS = 1000;

/**
 * Of the newest backup in each store: nothing is stored before it was written (then the capturing host was ahead of the
 * store), or later than now (then this machine is behind the store). A copy comes late, so that late is no news.
 */
export function judgeStoreClocks(system: System, backups: readonly BackupSeen[], nowMs: number): Finding[] {
  const limitMs = (system.monitor ?? USUAL_MONITOR).clockSeconds * 1000 + WHOLE_SECOND_MS;
  return system.stores.flatMap(({ name }): Finding[] => {
    const newest = newestIn(name, backups);
    if (newest === undefined) return [];
    const { backup, storedAtMs } = newest;
    const aheadMs = backup.finishedAtMs - storedAtMs;
    const behindMs = storedAtMs - nowMs;
    if (aheadMs <= limitMs && behindMs <= limitMs) return [];
    const what =
      behindMs > limitMs
        ? `backup ${backup.id} came into store ${name} ${formatMilliseconds(behindMs)} after now: this machine's clock is behind the store's`
        : `backup ${backup.id} came into store ${name} ${formatMilliseconds(aheadMs)} before it was finished: the clock of its host was ahead of the store's`;
    return [
      {
        system: system.name,
        check: 'clock',
        subject: `store/${name}`,
        severity: severityOf(systemTier(system), false),
        what,
        hint: `Set both right and keep them so (timedatectl set-ntp true); compare them: holdfast doctor ${system.name}. The next backup shows it.`,
      },
    ];
  });
}

function newestIn(
  store: string,
  backups: readonly BackupSeen[],
): { readonly backup: BackupSeen; readonly storedAtMs: number } | undefined {
  let newest: { backup: BackupSeen; storedAtMs: number } | undefined;
  for (const backup of backups) {
    const storedAtMs = backup.trusted ? backup.storedAt?.find((one) => one.store === store)?.atMs : undefined;
    if (storedAtMs === undefined) continue;
    // By the store's clock alone: it is one, and the hosts' may be many.
    if (newest === undefined || storedAtMs > newest.storedAtMs) newest = { backup, storedAtMs };
  }
  return newest;
}
