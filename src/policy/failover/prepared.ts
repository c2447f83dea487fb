/** What a standby has restored ahead, and whether it still is what a restore would bring. Pure. */

/** One component as it was restored ahead. */
export interface PreparedPart {
  readonly name: string;
  readonly backup: string;
  readonly manifestKey: string;
  readonly store: string;
  /** RFC 3339; absent when only PostgreSQL has found out. */
  readonly pointAt?: string;
  /** Where recovery of a database cluster ended, when that was not its backup. */
  readonly recoverTo?: string;
}

type Wanted = Omit<PreparedPart, 'store'>;

/** What a component's live place looks like from outside: another one when anything has touched it. */
export interface LiveMark {
  readonly exists: boolean;
  readonly sizeBytes?: number;
  readonly newestChangeMs?: number;
  /** Nobody can see from outside whether it was written to: a database in a server that is no part of the stack, and runs on. */
  readonly unwatched?: true;
}

/** True when every part that a restore would bring was restored ahead; from which store does not matter. */
export function isPrepared(wanted: readonly Wanted[], prepared: readonly PreparedPart[]): boolean {
  return wanted.length > 0 && wanted.every((part) => prepared.some((one) => isSame(part, one)));
}

function isSame(wanted: Wanted, prepared: PreparedPart): boolean {
  const same =
    wanted.name === prepared.name &&
    wanted.backup === prepared.backup &&
    wanted.manifestKey === prepared.manifestKey &&
    wanted.recoverTo === prepared.recoverTo;
  // The end of a log is a later one each time.
  return same && (wanted.recoverTo === undefined || wanted.pointAt === prepared.pointAt);
}

/** A log leads further every few seconds: it is followed this often. */
const LOG_FOLLOWED_MS = 15 * 60_000;

/** The parts for which something newer is there than what was restored ahead. */
export function notPrepared(wanted: readonly Wanted[], prepared: readonly PreparedPart[]): string[] {
  return wanted.filter((part) => !prepared.some((one) => isSame(part, one) || isNearEnough(part, one))).map(nameOf);
}

function isNearEnough(wanted: Wanted, prepared: PreparedPart): boolean {
  if (wanted.recoverTo === undefined || wanted.recoverTo !== prepared.recoverTo) return false;
  if (wanted.name !== prepared.name || wanted.backup !== prepared.backup) return false;
  const aheadMs = Date.parse(wanted.pointAt ?? '') - Date.parse(prepared.pointAt ?? '');
  return aheadMs < LOG_FOLLOWED_MS;
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

export interface PreparedBefore {
  /** In force when it was restored ahead. */
  readonly generation: number;
  readonly marks: Readonly<Record<string, LiveMark>>;
  /** Of the containers of the stack and when each was started last. */
  readonly containers: string;
}

/** What is seen now. */
export interface PreparedNow {
  readonly site: string;
  readonly newest: { readonly n: number; readonly site: string };
  readonly marks: Readonly<Record<string, LiveMark>>;
  readonly containers: string;
  /** What of the stack runs. */
  readonly running: readonly string[];
}

/** Why what was restored ahead counts no more, or undefined. */
export function whyVoid(before: PreparedBefore, now: PreparedNow): string | undefined {
  const { newest, site, running } = now;
  // Its own next generation is the one under which this site takes over.
  const taking = newest.site === site && newest.n === before.generation + 1;
  if (newest.n !== before.generation && !taking) {
    return `it was restored under generation ${before.generation}, and generation ${newest.n} is in force`;
  }
  if (running.length > 0) return `something of the stack runs: ${running.join(', ')}`;
  if (before.containers !== now.containers) return 'containers of the stack were made, started or removed since';
  const unwatched = Object.keys(before.marks).filter((name) => now.marks[name]?.unwatched === true);
  if (unwatched.length > 0) return unwatchedWords(unwatched);
  const touched = Object.keys(before.marks).filter((name) => !sameMark(before.marks[name], now.marks[name]));
  return touched.length === 0 ? undefined : `changed since: ${touched.join(', ')}`;
}

/** Why a system with these dumps is not restored ahead. */
export function unwatchedWords(dumps: readonly string[]): string {
  return `nobody would see whether somebody writes to ${dumps.join(', ')}: the server is no part of the stack`;
}

function sameMark(one: LiveMark | undefined, other: LiveMark | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    one.exists === other.exists &&
    one.sizeBytes === other.sizeBytes &&
    one.newestChangeMs === other.newestChangeMs
  );
}
