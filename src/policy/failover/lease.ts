/**
 * The lease by which a site is active, as decisions: what a guard does next, and from when on another site may start. Pure.
 * The guard and the failover call these functions; test/policy/failover/lease-model.ts plays them against each other.
 * docs/decisions/lease.md says why they suffice.
 *
 * Times are milliseconds of one machine's boot clock, which runs on while the machine sleeps. Two machines' are never
 * compared, and no wall clock is asked.
 */

/** Who may be active, by the authority store: the record with the highest number. */
export interface Generation {
  readonly n: number;
  readonly site: string;
  /** The site of the generation before is fenced, so that this one may start. */
  readonly cleared: boolean;
  /** Its site has stopped for this one, which asked for the generation after it: nobody may start under this one any more. */
  readonly handedTo?: string;
}

/** Declared for a system, and written into every renewal, so that the other site waits for what was in force here. */
export interface LeaseTimes {
  /** How long a renewal lets the stack run, from before it was asked for. */
  readonly leaseMs: number;
  /** At most this passes from the guard's decision to stop until nothing of the stack runs. */
  readonly stopMs: number;
}

/** Machines' clocks may run apart by so much, in parts of the time waited. */
export const CLOCK_ALLOWANCE = 0.1;
/** So many renewals may fail in a row before the lease runs out. */
const RENEWALS_IN_A_LEASE = 4;

/** One asking of the authority store by a guard: it has written its renewal, and then read the newest generation. */
export interface Renewed {
  /** Before the first byte of the renewal left. */
  readonly askedAtMs: number;
  /** Read after the renewal was written. Undefined where the system has none yet. */
  readonly newest: Generation | undefined;
}

/** `partly`: something of it runs, and something that is to run does not. `unknown` until it has been looked at. */
export type StackSeen = 'up' | 'partly' | 'down' | 'unknown';

/** What a guard knows. Of earlier boots and earlier processes of itself it knows nothing. */
export interface GuardView {
  readonly nowMs: number;
  readonly site: string;
  readonly times: LeaseTimes;
  /** The last asking that got both its answers. */
  readonly renewed: Renewed | undefined;
  readonly stack: StackSeen;
  /** The stack is meant to run: nobody has stopped it on purpose. */
  readonly wanted: boolean;
}

export type GuardAction =
  | { readonly kind: 'stop'; readonly why: string }
  | { readonly kind: 'start'; readonly generation: number }
  | { readonly kind: 'keep' };

/**
 * Until when the stack may run by what was answered, and undefined when it may not. The newest generation was read after
 * the renewal was written: whoever has raised a newer one before that read is seen by it, and whoever raises one later finds
 * the renewal.
 */
export function heldUntilMs(view: Pick<GuardView, 'site' | 'times' | 'renewed'>): number | undefined {
  const { renewed, site, times } = view;
  if (renewed?.newest?.site !== site || !renewed.newest.cleared) return undefined;
  if (renewed.newest.handedTo !== undefined) return undefined;
  return renewed.askedAtMs + times.leaseMs;
}

/** What a guard does now. `stop` is repeated until the stack is down; what is not known to be down is stopped. */
export function nextGuardAction(view: GuardView): GuardAction {
  const untilMs = heldUntilMs(view);
  if (untilMs !== undefined && view.nowMs < untilMs) return mayRun(view);
  return view.stack === 'down' ? { kind: 'keep' } : { kind: 'stop', why: whyNot(view) };
}

/**
 * How long the stack may take to stop from now on. The stop time counts from the end of the last lease, so that a stop that is
 * begun again, after one that failed or by another guard, has only what is left of it; then everything is killed. `lastUntilMs`:
 * the latest until which a guard has held the lease in this boot; undefined where none has, so that nobody waits for it.
 */
export function stopWithinMs(lastUntilMs: number | undefined, nowMs: number, { stopMs }: LeaseTimes): number {
  if (lastUntilMs === undefined) return stopMs;
  return Math.max(0, Math.min(stopMs, lastUntilMs + stopMs - nowMs));
}

/** When it asks next: in a quarter of the lease, and soon when the answers failed to come. */
export function nextRenewalAtMs(
  last: { readonly askedAtMs: number; readonly nowMs: number; readonly answered: boolean },
  { leaseMs }: LeaseTimes,
): number {
  if (last.answered) return last.askedAtMs + leaseMs / RENEWALS_IN_A_LEASE;
  return last.nowMs + leaseMs / RENEWALS_IN_A_LEASE / 5;
}

function mayRun({ stack, wanted, renewed }: GuardView): GuardAction {
  if ((stack !== 'down' && stack !== 'partly') || !wanted) return { kind: 'keep' };
  return { kind: 'start', generation: renewed?.newest?.n ?? 0 };
}

function whyNot({ renewed, site, nowMs, times }: GuardView): string {
  if (renewed === undefined) return 'the authority store has not answered since this guard started';
  const { newest } = renewed;
  if (newest === undefined) return 'the authority store holds no generation of this system';
  if (newest.site !== site) return `generation ${newest.n} belongs to the site ${newest.site}`;
  if (!newest.cleared) return `generation ${newest.n} is not cleared: the site before is not known to be fenced`;
  if (newest.handedTo !== undefined) return `it was stopped for ${newest.handedTo}, which asked for it`;
  const overMs = nowMs - renewed.askedAtMs - times.leaseMs;
  return `the lease ran out ${Math.round(overMs / 1000)} s ago: the authority store has not answered`;
}

/** A guard's renewal as another site sees it. */
export interface RenewalSeen {
  readonly host: string;
  /**
   * The names of all its renewals that lie in the store, as one text. Each is written under a new name, create-only: a
   * request that arrives late can then never make what is newer look like what was seen before.
   */
  readonly mark: string;
  /** By the clock of the machine that looks: when the first reading ended that gave this mark. */
  readonly firstSeenMs: number;
  readonly times: LeaseTimes;
}

/**
 * From when on, by the clock of the machine that looks, no guard of another site lets its stack run. `seen` was read
 * after the new generation was raised. What a guard asked for later, it was refused; what it was granted before, it asked
 * for before the looking one first saw it. Without any renewal nothing of the other site has run under a lease.
 */
export function fencedFromMs(seen: readonly RenewalSeen[]): number {
  const ends = seen.map(
    ({ firstSeenMs, times }) => firstSeenMs + (times.leaseMs + times.stopMs) * (1 + CLOCK_ALLOWANCE),
  );
  return Math.max(Number.NEGATIVE_INFINITY, ...ends);
}

/** What is remembered of renewals after another reading, which ended then: a mark that stays keeps its time. */
export function rememberRenewals(
  before: readonly RenewalSeen[],
  read: readonly Omit<RenewalSeen, 'firstSeenMs'>[],
  readAtMs: number,
): RenewalSeen[] {
  const now = read.map((one) => {
    const known = before.find(({ host, mark }) => host === one.host && mark === one.mark);
    return known ?? { ...one, firstSeenMs: readAtMs };
  });
  // A renewal that is gone has not ended: somebody removed its object.
  const gone = before.filter(({ host }) => !read.some((one) => one.host === host));
  return [...now, ...gone];
}
