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
  /** Of the filesystem with the server's log, where it can be seen. */
  readonly disk?: { readonly freeBytes: number; readonly totalBytes: number } | undefined;
}

/** Below this share of its disk free, a server is in danger whatever else fills it. */
const LOW_DISK = 0.1;
/** So much is written between two looks that less is as good as nothing; of a small disk it is an eighth. */
const FULL_DISK = 0.03;
const FULL_BYTES = 512 * 2 ** 20;
const FULL_SMALL_DISK = 0.125;
/** A slot that holds back less is not what fills a disk; of a small disk it is a tenth. */
const NOTICEABLE_BYTES = 64 * 2 ** 20;
const NOTICEABLE_SHARE = 0.1;
/** An alarm that was given ends a good deal below where it began, so that it does not come and go. */
const CALM = 0.25;

/** `drop`: the slot has to go before the server's disk is full. `shown` is the alarm that stands. */
export function judgeSlot(
  facts: SlotFacts,
  shown: WalAlarm | undefined,
): { readonly drop: boolean; readonly alarm?: WalAlarm } {
  const { slot, heldBackBytes, boundBytes, walStatus, disk } = facts;
  const { freeBytes, totalBytes } = disk ?? { freeBytes: Infinity, totalBytes: Infinity };
  const held = `slot ${slot} holds back ${mebibytes(heldBackBytes)} of log on the server`;
  const fullBytes = Math.max(FULL_DISK * totalBytes, Math.min(FULL_BYTES, FULL_SMALL_DISK * totalBytes));
  const noticed = heldBackBytes >= Math.min(NOTICEABLE_BYTES, NOTICEABLE_SHARE * totalBytes);
  // A bound that the disk has no room for protects nothing: what the slot could fill counts then.
  const roomBytes = Math.min(boundBytes, heldBackBytes + freeBytes - (disk === undefined ? 0 : fullBytes));
  const left = percent(freeBytes / totalBytes);
  if (heldBackBytes >= boundBytes) {
    return { drop: true, alarm: { what: 'bound', message: `${held}, its bound is ${mebibytes(boundBytes)}` } };
  }
  if (disk !== undefined && freeBytes < fullBytes && noticed) {
    return { drop: true, alarm: { what: 'bound', message: `${held}, and the disk of its log has ${left} left` } };
  }
  if (walStatus === 'unreserved' || walStatus === 'lost') {
    return { drop: false, alarm: { what: 'held-back', message: `${held}, and the server counts it as ${walStatus}` } };
  }
  const limit = shown?.what === 'held-back' ? CALM : 0.5;
  if (heldBackBytes >= roomBytes * limit && (noticed || roomBytes === boundBytes)) {
    const message = `${held}; at ${mebibytes(roomBytes)} the slot is dropped, so that the server's disk does not fill`;
    return { drop: false, alarm: { what: 'held-back', message } };
  }
  if (disk !== undefined && freeBytes < Math.max(LOW_DISK * totalBytes, fullBytes)) {
    return { drop: false, alarm: { what: 'disk', message: `the disk of the server's log has ${left} left` } };
  }
  return { drop: false };
}

export interface Trouble {
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
}

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
