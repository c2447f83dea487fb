/**
 * A backup turns out bad before anything was touched: of how much of it, and whether an older one is taken in its place.
 * Whoever takes it makes a new plan, which is approved by itself. Pure.
 */
import type { FailureCode } from '../failures.ts';
import type { Candidate } from './whole-system.ts';

/** How many times one restore may pass over what it found bad, unless it is told otherwise. */
export const FALL_BACKS = 3;

/** A part of a backup that is not restored. */
export interface PassedOver {
  readonly component: string;
  readonly backup: string;
  readonly store: string;
  /** RFC 3339. */
  readonly pointAt?: string;
  readonly why: string;
  /** Its content is bad, so that its copies in other stores are no better. */
  readonly everywhere?: true;
  /** Not the backup is bad but the log that leads on from it. */
  readonly log?: true;
}

/** Where a component was to come from. */
export interface TriedSource {
  readonly component: string;
  readonly backup: string;
  readonly store: string;
  readonly pointAt?: string;
  readonly recoverTo?: string;
}

export interface FoundBad {
  readonly code: FailureCode;
  readonly why: string;
  /** The object that it was found in. */
  readonly key?: string;
  /** All that were found bad at once. */
  readonly sources: readonly TriedSource[];
}

export interface FallBackRule {
  /** A person has named the backup: no other is taken in its place. */
  readonly named: boolean;
  /** How often this restore has fallen back. */
  readonly made: number;
  readonly most: number;
}

/** `other`: it says nothing of a backup. `end`: it does, and no other is taken; `why` is half a sentence. */
export type FallBack =
  | { readonly kind: 'older'; readonly passOver: readonly PassedOver[] }
  | { readonly kind: 'end'; readonly why: string }
  | { readonly kind: 'other' };

/** Stored bytes: another store may hold the same backup whole. */
const OF_A_STORE: readonly FailureCode[] = [
  'BackupMissing',
  'ObjectCorrupt',
  'ObjectMissing',
  'Untrusted',
  'VaultFormat',
];
/** What was captured: its copies are the same. */
const OF_THE_CONTENT: readonly FailureCode[] = ['ArchiveBroken', 'CheckFailed', 'SourceCorrupt', 'UnsafePath'];
/** The log does not lead where it was said to. */
const OF_THE_LOG: readonly FailureCode[] = ['Unreachable'];

export function decideFallBack(found: FoundBad, { named, made, most }: FallBackRule): FallBack {
  const passOver = found.sources.flatMap((source) => badPartOf(found, source));
  if (passOver.length === 0) return { kind: 'other' };
  if (named) return { kind: 'end', why: 'the backup was named, so that no other is taken in its place' };
  if (made >= most) {
    return { kind: 'end', why: most === 0 ? 'no other is to be taken' : `no more than ${most} may be passed over` };
  }
  return { kind: 'older', passOver };
}

function badPartOf(
  { code, why, key }: FoundBad,
  { component, backup, store, pointAt, recoverTo }: TriedSource,
): PassedOver[] {
  const part = { component, backup, store, ...(pointAt === undefined ? {} : { pointAt }), why };
  const inLog = OF_THE_LOG.includes(code) || (OF_A_STORE.includes(code) && key?.startsWith('wal/') === true);
  if (inLog) return recoverTo === undefined ? [] : [{ ...part, log: true }];
  if (OF_A_STORE.includes(code)) return [part];
  return OF_THE_CONTENT.includes(code) ? [{ ...part, everywhere: true }] : [];
}

/** A bad log says nothing of the backup that it leads on from. */
export function isOfCopy(
  { backup, store, everywhere, log }: PassedOver,
  copy: { readonly backup: string; readonly store: string },
): boolean {
  return log === undefined && backup === copy.backup && (everywhere === true || store === copy.store);
}

/** The same candidates, knowing what was found bad since they were read. */
export function withBadParts(candidates: readonly Candidate[], passedOver: readonly PassedOver[]): Candidate[] {
  return candidates.map((candidate) => {
    const bad = passedOver.filter((part) => isOfCopy(part, candidate));
    if (bad.length === 0) return candidate;
    return { ...candidate, badParts: Object.fromEntries(bad.map(({ component, why }) => [component, why])) };
  });
}

/** What the catalogues tell and what this restore has found itself, each part once. */
export function allPassedOver(known: readonly PassedOver[], found: readonly PassedOver[]): PassedOver[] {
  const isFound = ({ component, backup, store }: PassedOver): boolean =>
    found.some(
      (one) =>
        one.log === undefined &&
        one.component === component &&
        one.backup === backup &&
        (one.everywhere === true || one.store === store),
    );
  return [...found, ...known.filter((one) => !isFound(one))];
}

/** One sentence for each backup and reason. */
export function passedOverTexts(passedOver: readonly PassedOver[]): string[] {
  const byReason = Map.groupBy(passedOver, ({ backup, store, why, log }) => JSON.stringify([backup, store, why, log]));
  return [...byReason.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const { backup, store, pointAt, why, log } = first;
    const what = `${log === undefined ? '' : 'the log after '}backup ${backup}${pointAt === undefined ? '' : ` of ${pointAt}`}`;
    const components = [...new Set(same.map(({ component }) => component))].join(', ');
    return [`${what} in ${store} is passed over for ${components}: ${why}`];
  });
}

interface Point {
  readonly name: string;
  /** RFC 3339. */
  readonly pointAt?: string | undefined;
}

/** By how many seconds each part goes further back than the newest that it could have been of; only those that do. */
export function moreLost(parts: readonly Point[], couldHaveBeen: readonly Point[]): ReadonlyMap<string, number> {
  return new Map(
    parts.flatMap(({ name, pointAt }): (readonly [string, number])[] => {
      const points = couldHaveBeen.flatMap((one) =>
        one.name === name && one.pointAt !== undefined ? [Date.parse(one.pointAt)] : [],
      );
      if (pointAt === undefined || points.length === 0) return [];
      const more = Math.round((Math.max(...points) - Date.parse(pointAt)) / 1000);
      return more > 0 ? [[name, more]] : [];
    }),
  );
}
