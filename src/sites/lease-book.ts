/** The authority store of a system, as one guard writes and reads it. */
import { HoldfastError } from '../failures.ts';
import type { Signer } from '../vault/envelope.ts';
import type { Authority } from '../vault/sites/generation.ts';
import { generationInForce } from '../vault/sites/handover.ts';
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

/**
 * The same of a store that need not answer yet: opened when it is first asked, and anew after it has failed. `close` ends what
 * is open.
 */
export function openingBook(
  open: () => Promise<{ readonly given: BookGiven; readonly close: () => Promise<void> }>,
): LeaseBook & { close(): Promise<void> } {
  let opened: Promise<{ book: LeaseBook; close: () => Promise<void> }> | undefined;
  const book = async (): Promise<LeaseBook> => {
    opened ??= open().then(({ given, close }) => ({ book: leaseBook(given), close }));
    return (await opened).book;
  };
  const close = async (): Promise<void> => {
    const last = opened;
    opened = undefined;
    // One that could not be opened has nothing to close.
    await (await last?.catch(() => undefined))?.close();
  };
  const asked = async <T>(ask: (of: LeaseBook) => Promise<T>): Promise<T> => {
    try {
      return await ask(await book());
    } catch (error) {
      // Its connections may be what is broken.
      void close().catch(() => undefined);
      throw error;
    }
  };
  return {
    renew: (times) => asked((of) => of.renew(times)),
    newest: () => asked((of) => of.newest()),
    close,
  };
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
      return believed(authority, async (newer) => {
        authority = newer;
        return generationInForce(newer);
      });
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
