/**
 * Asked right before each start of a container or a unit: between the look at the beginning of an operation and its last start
 * an engine may have hung for minutes, and another site may have taken the system over.
 */
import { HoldfastError } from '../failures.ts';
import { whyMayNotRun, type Standing } from '../policy/failover/standing.ts';
import type { System } from '../system/types.ts';
import { isHeld, readLease } from './site-files.ts';
import { fenced, siteStanding } from './standing.ts';

/** The parts of one level are started together: they share an answer that is no older. */
const SAME_ANSWER_MS = 1000;

/** Throws SiteFenced when nothing of the system may be started here at this moment. */
export type StartPermit = () => Promise<void>;

/**
 * Under a lease by what the guard of this machine has written down, which asks no network; otherwise by the authority store.
 * Without a section `failover` nothing is asked.
 */
export function startPermit(system: System, signal: AbortSignal): StartPermit {
  const { failover } = system;
  if (failover === undefined) return () => Promise.resolve();
  if (failover.fencing === 'lease') return () => requireLease(system);
  let last: { readonly atMs: number; readonly standing: Promise<Standing> } | undefined;
  return async () => {
    const nowMs = performance.now();
    if (last === undefined || nowMs - last.atMs > SAME_ANSWER_MS) {
      last = { atMs: nowMs, standing: siteStanding(system, { signal }) };
    }
    const why = whyMayNotRun(await last.standing);
    if (why !== undefined) throw fenced(system, why);
  };
}

export async function isPermitted(permit: StartPermit): Promise<boolean> {
  try {
    await permit();
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'SiteFenced') return false;
    throw error;
  }
}

async function requireLease(system: System): Promise<void> {
  const lease = await readLease(system.name);
  if (isHeld(lease)) return;
  throw fenced(
    system,
    `no guard of this machine holds the lease any more${lease === undefined ? '' : `: ${lease.told}`}`,
  );
}
