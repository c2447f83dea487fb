/** Which site may run a system, as a worker asks before it captures, starts or restores. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import type { Generation } from '../policy/failover/lease.ts';
import {
  captureUnder,
  standingOf,
  whyMayNotRun,
  type CaptureStanding,
  type Standing,
} from '../policy/failover/standing.ts';
import type { System } from '../system/types.ts';
import { generationInForce } from '../vault/sites/handover.ts';
import { withAuthority } from './authority.ts';
import { raced } from './raced.ts';
import { isHeld, readBelieved, readLease, rememberBelieved, type LeaseFile } from './site-files.ts';

/** An authority store that is there answers at once. */
const ANSWER_MS = 10_000;
/** While containers stand still for a capture, nobody waits longer. */
const BRIEF_ANSWER_MS = 1000;
const LEASE_WAIT_MS = 20_000;
const LEASE_POLL_MS = 250;

/**
 * By the newest generation in the authority store, which is remembered on this machine. What can't be read or believed is
 * `unreadable`, and no error. `site` is the file's own unless it is given. Throws BadInput where the system has no section
 * `failover`, and what the signal was aborted with.
 */
export async function siteStanding(
  system: System,
  { site = system.site, signal }: { readonly site?: string; readonly signal: AbortSignal },
): Promise<Standing> {
  const last = await readBelieved(system.name);
  const limit = AbortSignal.timeout(ANSWER_MS);
  try {
    const newest = await raced(readNewest(system), AbortSignal.any([signal, limit]));
    const standing = standingOf(newest, site, last);
    if (newest !== undefined && standing.kind !== 'unreadable') await rememberBelieved(system.name, newest);
    return standing;
  } catch (error) {
    signal.throwIfAborted();
    const why = limit.aborted ? `no answer within ${ANSWER_MS / 1000} s` : wordsOf(error);
    return { kind: 'unreadable', why, ...(last === undefined ? {} : { last }) };
  }
}

/**
 * Throws SiteFenced when nothing of the system may be started here: it belongs to another site, nobody knows, or, where a lease
 * fences, no guard on this machine holds it. Returns the generation it may run under; 0 for a system without a section `failover`,
 * for which nothing is asked.
 */
export async function requireMayRun(system: System, signal: AbortSignal): Promise<number> {
  if (system.failover === undefined) return 0;
  if (system.failover.fencing === 'lease') return (await heldLease(system, signal)).generation;
  const standing = await siteStanding(system, { signal });
  const why = whyMayNotRun(standing);
  if (why !== undefined) throw fenced(system, why);
  return standing.kind === 'active' ? standing.n : 0;
}

/**
 * Who is active by the store may have been fenced a moment later: only what a guard here has the lease for is stopped then. A
 * guard that was just told that this site is active has it within a quarter of the lease.
 */
async function heldLease(system: System, signal: AbortSignal): Promise<LeaseFile> {
  const end = performance.now() + LEASE_WAIT_MS;
  for (let asked = false; ; asked = true) {
    const lease = await readLease(system.name);
    if (isHeld(lease)) return lease;
    if (!asked) await refuseAtOnce(system, signal);
    if (performance.now() > end) {
      const standing = await siteStanding(system, { signal });
      const guard = lease === undefined ? 'no guard has run here since the machine was started' : lease.told;
      throw fenced(system, whyMayNotRun(standing) ?? `no guard of this machine holds the lease: ${guard}`);
    }
    await sleep(LEASE_POLL_MS, undefined, { signal });
  }
}

/** No guard gets a lease for what is another site's. A store that does not answer may do so in a moment. */
async function refuseAtOnce(system: System, signal: AbortSignal): Promise<void> {
  const standing = await siteStanding(system, { signal });
  const why = standing.kind === 'unreadable' ? undefined : whyMayNotRun(standing);
  if (why !== undefined) throw fenced(system, why);
}

/**
 * Has what this machine remembers of who is active brought up to date, for who starts again next what a capture has stopped.
 * Under a lease nothing is asked. A store that does not answer within a second changes nothing: what was remembered counts.
 */
export async function rememberBriefly(system: System): Promise<void> {
  if (system.failover === undefined || system.failover.fencing === 'lease') return;
  const limit = AbortSignal.timeout(BRIEF_ANSWER_MS);
  try {
    await siteStanding(system, { signal: limit });
  } catch (error) {
    if (!limit.aborted) throw error;
  }
}

/**
 * For a restore into the live place: throws SiteFenced unless this site is active, or the newest generation is the one that
 * it is taking over under, cleared or not.
 */
export async function requireMayReplace(
  system: System,
  { takeover, signal }: { readonly takeover?: number | undefined; readonly signal: AbortSignal },
): Promise<void> {
  if (system.failover === undefined) return;
  const standing = await siteStanding(system, { signal });
  if (standing.kind === 'active' && (takeover === undefined || takeover === standing.n)) return;
  if (standing.kind === 'unclear' && takeover === standing.n) return;
  const ask = takeover === undefined ? '' : `, and generation ${takeover} is not this site's`;
  throw fenced(system, `${whyMayNotRun(standing) ?? `generation ${'n' in standing ? standing.n : 0} is`}${ask}`);
}

/** The generation that a capture is made under; 0 without a section `failover`. Throws SiteFenced. */
export async function requireMayCapture(
  system: System,
  signal: AbortSignal,
): Promise<Pick<CaptureStanding & { kind: 'go' }, 'generation' | 'warning'>> {
  if (system.failover === undefined) return { generation: 0 };
  const judged = captureUnder(await siteStanding(system, { signal }), system.site);
  if (judged.kind === 'refuse') throw fenced(system, judged.why);
  const { generation, warning } = judged;
  return { generation, ...(warning === undefined ? {} : { warning }) };
}

/** The error of a start, capture or restore that a site may not do. */
export function fenced(system: System, why: string): HoldfastError {
  return new HoldfastError('SiteFenced', `${system.name} may not run at ${system.site}: ${why}`, {
    hint: `holdfast site ${system.name} shows which site is active, and holdfast failover takes it over.`,
  });
}

async function readNewest(system: System): Promise<Generation | undefined> {
  return withAuthority(system, generationInForce);
}

function wordsOf(error: unknown): string {
  return error instanceof HoldfastError ? `${error.code}: ${error.message}` : String(error);
}
