/** The authority store of a system, as one guard writes and reads it. */
import { HoldfastError } from '../failures.ts';
import type { Generation } from '../policy/failover/lease.ts';
import type { Signer } from '../vault/envelope.ts';
import { newestGeneration, type Authority } from '../vault/sites/generation.ts';
import { removeOldRenewals, writeRenewal, type GuardPlace } from '../vault/sites/renewal.ts';
import { readTrustRoots } from '../vault/trust.ts';
import type { LeaseBook } from './site-guard.ts';

/** A listing and a few deletions cost as much as a renewal, and the old ones harm nobody. */
const REMOVE_EVERY = 20;

export interface BookGiven {
  readonly authority: Authority;
  readonly place: GuardPlace;
  readonly signer: Signer;
  /** Told when old renewals could not be removed, which changes nothing for the lease. */
  readonly tell: (error: HoldfastError) => void;
}

export function leaseBook({ authority: given, place, signer, tell }: BookGiven): LeaseBook {
  let authority = given;
  let last: number | undefined;
  return {
    async renew(times) {
      const after = last === undefined ? {} : { after: last };
      last = await writeRenewal(authority, place, { times, signer, atMs: Date.now(), ...after });
      if (last % REMOVE_EVERY !== 0) return;
      void removeOldRenewals(authority, place).catch((error: unknown) => {
        tell(error instanceof HoldfastError ? error : new HoldfastError('Internal', String(error)));
      });
    },
    async newest() {
      const found = await believed(authority, async (newer) => {
        authority = newer;
        return newestGeneration(newer);
      });
      return found === undefined
        ? undefined
        : ({ n: found.n, site: found.site, cleared: found.cleared !== undefined } satisfies Generation);
    },
  };
}

/** A signer that was admitted since the store was opened is no stranger: the root's statements are read again, once. */
async function believed<T>(authority: Authority, read: (from: Authority) => Promise<T>): Promise<T> {
  try {
    return await read(authority);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'Untrusted') throw error;
    const { store, vaultId, roots } = authority;
    return read({ store, vaultId, roots: await readTrustRoots(store, vaultId, roots.rootFingerprint) });
  }
}
