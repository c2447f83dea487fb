/** When a person has to look at a write-ahead log that is received, and when the live server comes first. Pure. */

export interface WalAlarm {
  /** Stable while the reason is the same. */
  readonly what: string;
  readonly message: string;
}

export interface SlotFacts {
  readonly slot: string;
  readonly heldBackBytes: number;
  readonly boundBytes: number;
  /** pg_replication_slots.wal_status. */
  readonly walStatus?: string | undefined;
  /** Of the filesystem with the server's data, where it can be seen. */
  readonly disk?: { readonly freeBytes: number; readonly totalBytes: number } | undefined;
}

/** Below this share of its disk free, a server is in danger whatever else fills it. */
const LOW_DISK = 0.1;
const FULL_DISK = 0.03;
/** A slot that holds back less is not what fills a disk. */
const NOTICEABLE_BYTES = 64 * 2 ** 20;
/** An alarm that was given ends a good deal below where it began, so that it does not come and go. */
const CALM = 0.25;

/** `drop`: the slot has to go before the server's disk is full. `shown` is the alarm that stands. */
export function judgeSlot(
  facts: SlotFacts,
  shown: WalAlarm | undefined,
): { readonly drop: boolean; readonly alarm?: WalAlarm } {
  const { slot, heldBackBytes, boundBytes, walStatus, disk } = facts;
  const held = `slot ${slot} holds back ${mebibytes(heldBackBytes)} of log on the server`;
  const free = disk === undefined ? 1 : disk.freeBytes / disk.totalBytes;
  if (heldBackBytes >= boundBytes) {
    return { drop: true, alarm: { what: 'bound', message: `${held}, its bound is ${mebibytes(boundBytes)}` } };
  }
  if (free < FULL_DISK && heldBackBytes >= NOTICEABLE_BYTES) {
    return { drop: true, alarm: { what: 'bound', message: `${held}, and its disk has ${percent(free)} left` } };
  }
  if (walStatus === 'unreserved' || walStatus === 'lost') {
    return { drop: false, alarm: { what: 'held-back', message: `${held}, and the server counts it as ${walStatus}` } };
  }
  const limit = shown?.what === 'held-back' ? CALM : 0.5;
  if (heldBackBytes >= boundBytes * limit) {
    const message = `${held}; at ${mebibytes(boundBytes)} the slot is dropped, so that the server's disk does not fill`;
    return { drop: false, alarm: { what: 'held-back', message } };
  }
  if (free < LOW_DISK) {
    return { drop: false, alarm: { what: 'disk', message: `the disk of the server's data has ${percent(free)} left` } };
  }
  return { drop: false };
}

export interface Trouble {
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
}

/** Trouble that passes by itself is no alarm before this time. */
export const TROUBLE_ALARM_MS = 60_000;

/** The alarm for something that waiting may help. */
export function judgeTrouble(trouble: Trouble | undefined, nowMs: number, graceMs: number): WalAlarm | undefined {
  if (trouble === undefined || nowMs - trouble.sinceMs < graceMs) return undefined;
  const since = new Date(trouble.sinceMs).toISOString();
  return { what: `trouble ${trouble.code}`, message: `since ${since}: ${trouble.message}` };
}

/**
 * Whether a new base backup is needed: a mark names the cluster and the newest gap in its stored log, as
 * `<system identifier>/<gap>` with `whole` for none. What is stored before a gap can't be rolled forward past it.
 */
export function baseNeeded(mark: string, seen: string | undefined, otherClusterStored: boolean): boolean {
  const [cluster, gap] = mark.split('/');
  const [seenCluster, seenGap] = seen?.split('/') ?? [];
  if (seen === undefined) return gap !== 'whole' || otherClusterStored;
  if (cluster !== seenCluster) return true;
  return gap !== 'whole' && gap !== seenGap;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
