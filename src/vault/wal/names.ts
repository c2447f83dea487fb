/** Keys of the write-ahead log in a vault: what a listing alone tells. docs/FORMAT.md specifies them. */
import { HoldfastError } from '../../failures.ts';
import { historyName, lsnDigits, segmentName, timelineDigits } from '../../policy/lsn.ts';

/** The longest piece of a segment in one object. Pieces never reach over a multiple of it. */
export const WAL_BLOCK_BYTES = 4 * 1024 * 1024;

/** Which log: one cluster's, as one component of the system saw it. */
export interface WalPlace {
  readonly component: string;
  /** Decimal, as pg_control_system() prints it. */
  readonly systemIdentifier: string;
}

/** Half-open: `from` is in it, `to` is not. */
export interface WalRange {
  readonly timeline: number;
  readonly from: bigint;
  readonly to: bigint;
}

export type WalKey =
  | ({ readonly kind: 'range'; readonly segment: string; readonly systemIdentifier: string } & WalRange)
  | { readonly kind: 'history'; readonly timeline: number; readonly systemIdentifier: string }
  | ({ readonly kind: 'gap'; readonly systemIdentifier: string } & WalRange);

const COMPONENT = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const RANGE = /^(\d+)\/([0-9A-F]{8})\/(\2[0-9A-F]{16})\.([0-9A-F]{16})-([0-9A-F]{16})$/;
const HISTORY = /^(\d+)\/([0-9A-F]{8})\/\2\.history$/;
const GAP = /^(\d+)\/([0-9A-F]{8})\/gap\.([0-9A-F]{16})-([0-9A-F]{16})\.json$/;

export function componentPrefix(component: string): string {
  if (!COMPONENT.test(component)) throw new HoldfastError('BadInput', `${component} cannot be the name of a component`);
  return `wal/${component}/`;
}

export function clusterPrefix({ component, systemIdentifier }: WalPlace): string {
  if (!/^\d+$/.test(systemIdentifier)) {
    throw new HoldfastError('BadInput', `${systemIdentifier} is not a system identifier: decimal digits`);
  }
  return `${componentPrefix(component)}${systemIdentifier}/`;
}

export function timelinePrefix(place: WalPlace, timeline: number): string {
  return `${clusterPrefix(place)}${timelineDigits(timeline)}/`;
}

export function rangeKey(place: WalPlace, range: WalRange, segmentBytes: number): string {
  const segment = segmentName(range.timeline, range.from, segmentBytes);
  return `${timelinePrefix(place, range.timeline)}${segment}.${lsnDigits(range.from)}-${lsnDigits(range.to)}`;
}

export function historyKey(place: WalPlace, timeline: number): string {
  return `${timelinePrefix(place, timeline)}${historyName(timeline)}`;
}

/** Begins with `g`, so that gaps stand behind the ranges of their timeline. */
export function gapKey(place: WalPlace, range: WalRange): string {
  return `${timelinePrefix(place, range.timeline)}gap.${lsnDigits(range.from)}-${lsnDigits(range.to)}.json`;
}

/** Undefined for keys that are none of this component's log. */
export function parseWalKey(component: string, key: string): WalKey | undefined {
  const prefix = componentPrefix(component);
  if (!key.startsWith(prefix)) return undefined;
  const rest = key.slice(prefix.length);
  const range = RANGE.exec(rest);
  if (range !== null) {
    const [, systemIdentifier = '', , segment = '', from = '', to = ''] = range;
    return { kind: 'range', systemIdentifier, segment, ...rangeOf(segment.slice(0, 8), from, to) };
  }
  const gap = GAP.exec(rest);
  if (gap !== null) {
    const [, systemIdentifier = '', timeline = '', from = '', to = ''] = gap;
    return { kind: 'gap', systemIdentifier, ...rangeOf(timeline, from, to) };
  }
  const history = HISTORY.exec(rest);
  if (history === null) return undefined;
  const [, systemIdentifier = '', timeline = ''] = history;
  return { kind: 'history', systemIdentifier, timeline: Number.parseInt(timeline, 16) };
}

function rangeOf(timeline: string, from: string, to: string): WalRange {
  return { timeline: Number.parseInt(timeline, 16), from: BigInt(`0x${from}`), to: BigInt(`0x${to}`) };
}
