/**
 * Positions in a PostgreSQL write-ahead log and the names of its files, as access/xlog_internal.h computes them. A
 * position (LSN) is a byte offset into the log, 64 bits, written as two hexadecimal halves: `16/B374D848`.
 */
import { HoldfastError } from '../failures.ts';

const HALF = 0x1_0000_0000n;
const SEGMENT_NAME = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;
const MIN_SEGMENT_BYTES = 1024 * 1024;
const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024;

/** Throws BadInput for what is no LSN. */
export function parseLsn(text: string): bigint {
  const found = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (found === null) throw new HoldfastError('BadInput', `${JSON.stringify(text.slice(0, 40))} is not an LSN`);
  return BigInt(`0x${found[1] ?? ''}`) * HALF + BigInt(`0x${found[2] ?? ''}`);
}

export function formatLsn(lsn: bigint): string {
  return `${(lsn / HALF).toString(16).toUpperCase()}/${(lsn % HALF).toString(16).toUpperCase()}`;
}

/** Sixteen digits, so that names sort by position. */
export function lsnDigits(lsn: bigint): string {
  return lsn.toString(16).toUpperCase().padStart(16, '0');
}

export function timelineDigits(timeline: number): string {
  return timeline.toString(16).toUpperCase().padStart(8, '0');
}

/** `000000010000000000000003`: the file that holds this position on this timeline. */
export function segmentName(timeline: number, lsn: bigint, segmentBytes: number): string {
  const low = (lsn % HALF) / BigInt(segmentBytes);
  const digits = (value: bigint): string => value.toString(16).toUpperCase().padStart(8, '0');
  return `${timelineDigits(timeline)}${digits(lsn / HALF)}${digits(low)}`;
}

/** Undefined when the name is no segment's. */
export function parseSegmentName(
  name: string,
  segmentBytes: number,
): { readonly timeline: number; readonly start: bigint } | undefined {
  const found = SEGMENT_NAME.exec(name);
  if (found === null) return undefined;
  const [timeline = 0, high = 0, low = 0] = found.slice(1).map((digits) => Number.parseInt(digits, 16));
  return { timeline, start: BigInt(high) * HALF + BigInt(low) * BigInt(segmentBytes) };
}

export function isSegmentName(name: string): boolean {
  return SEGMENT_NAME.test(name);
}

/** `00000002.history`: where timeline 2 came from. */
export function historyName(timeline: number): string {
  return `${timelineDigits(timeline)}.history`;
}

export function startOfSegment(lsn: bigint, segmentBytes: number): bigint {
  return lsn - (lsn % BigInt(segmentBytes));
}

/** What `initdb --wal-segsize` accepts: a power of two from 1 MiB to 1 GiB. */
export function isSegmentSize(bytes: number): boolean {
  return bytes >= MIN_SEGMENT_BYTES && bytes <= MAX_SEGMENT_BYTES && Number.isInteger(Math.log2(bytes));
}

/** One line of a timeline's history: the parent was left at this position. */
export interface TimelineSwitch {
  readonly parent: number;
  readonly at: bigint;
}

/** The lines of a `.history` file, oldest first; comments and empty lines are passed over. Throws BadInput. */
export function parseHistory(text: string): TimelineSwitch[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [parent = '', at = ''] = line.split(/\s+/);
      if (!/^\d+$/.test(parent)) throw new HoldfastError('BadInput', `a timeline's history has the line ${line}`);
      return { parent: Number(parent), at: parseLsn(at) };
    });
}
