/** Whether a scratch copy may be made on a disk that what is live writes to. Pure. */
import { formatBytes } from '../observe/format.ts';

export interface Disk {
  /** A directory on it. */
  readonly directory: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** What has to stay free for what is live, while a copy is there. */
const RESERVE_SHARE = 0.05;
const RESERVE_MOST_BYTES = 5 * 1024 ** 3;

/** Why a copy of so many bytes is not made; undefined when there is room for it. */
export function whyNoRoom(what: string, neededBytes: number, disk: Disk): string | undefined {
  const reserveBytes = Math.min(disk.totalBytes * RESERVE_SHARE, RESERVE_MOST_BYTES);
  if (neededBytes + reserveBytes <= disk.freeBytes) return undefined;
  const needs = `${what} takes ${formatBytes(neededBytes)}, and ${formatBytes(reserveBytes)} stay free for what is live`;
  return `${needs}; ${disk.directory} has ${formatBytes(disk.freeBytes)}`;
}
