/**
 * Renewals of leases in the authority store: `renewals/<site>/<host>/<number>.json`, each under a name of its own, so that a
 * request that comes late can't make what is newer look like what was seen before. docs/decisions/lease.md says why.
 */
import { HoldfastError } from '../../failures.ts';
import type { LeaseTimes, RenewalSeen } from '../../policy/failover/lease.ts';
import { NAMESPACES, signRecord, type Signer } from '../envelope.ts';
import { getIfThere } from '../get-if-there.ts';
import { keysIn } from '../listed.ts';
import { FORMAT } from '../names.ts';
import type { Authority } from './generation.ts';
import { judgedRecord, renewalSchema, type RenewalBody } from './judge.ts';

/** Listing and reading are two requests, between which a guard may have removed what is old. */
const READINGS = 5;
/** The newest stay, so that no two lists are ever the same. */
const KEPT = 3;

export interface GuardPlace {
  readonly site: string;
  readonly host: string;
}

/**
 * Writes one renewal under the next number that is free and returns that number, for `after` of the next. It is in the store
 * before this returns. Numbers that others took are passed over.
 */
export async function writeRenewal(
  { store, vaultId }: Pick<Authority, 'store' | 'vaultId'>,
  place: GuardPlace,
  given: { readonly times: LeaseTimes; readonly signer: Signer; readonly atMs: number; readonly after?: number },
): Promise<number> {
  const { times, signer, atMs } = given;
  let n = given.after ?? Math.max(0, ...numbersIn(await keysIn(store, prefixOf(place))));
  for (;;) {
    n += 1;
    const key = `${prefixOf(place)}${String(n).padStart(12, '0')}.json`;
    const body: RenewalBody = {
      ...{ format: FORMAT, kind: 'renewal', key, vaultId, ...place, ...times },
      ...{ at: new Date(atMs).toISOString(), signer: signer.fingerprint },
    };
    const outcome = await store.put(key, signRecord(body, NAMESPACES.generation, signer), { createOnly: true });
    if (outcome === 'written') return n;
  }
}

/** Removes what is older than the newest few of this guard. */
export async function removeOldRenewals({ store }: Pick<Authority, 'store'>, place: GuardPlace): Promise<void> {
  const keys = await keysIn(store, prefixOf(place));
  for (const key of keys.toSorted().slice(0, -KEPT)) await store.delete(key);
}

/**
 * The renewals of all sites but one. Throws Untrusted, ObjectCorrupt, VaultFormat for one that can't be believed: how long
 * it lasts is then unknown.
 */
export async function renewalsOfOthers(from: Authority, site: string): Promise<Omit<RenewalSeen, 'firstSeenMs'>[]> {
  for (let reading = 1; reading <= READINGS; reading += 1) {
    const found = await readOnce(from, site);
    if (found !== undefined) return found;
  }
  throw new HoldfastError('SystemBusy', 'the renewals in the authority store changed each time they were read');
}

/** Undefined when one went between listing and reading. */
async function readOnce(from: Authority, site: string): Promise<Omit<RenewalSeen, 'firstSeenMs'>[] | undefined> {
  const keys = (await keysIn(from.store, 'renewals/')).filter((key) => !key.startsWith(`renewals/${site}/`));
  const found: Omit<RenewalSeen, 'firstSeenMs'>[] = [];
  for (const [host, own] of Map.groupBy(keys.toSorted(), (key) => key.slice(0, key.lastIndexOf('/')))) {
    const key = own.at(-1) ?? '';
    const bytes = await getIfThere(from.store, key);
    if (bytes === undefined) return undefined;
    const { leaseMs, stopMs } = judgedRecord(from, key, bytes, renewalSchema);
    found.push({ host, mark: own.join('\n'), times: { leaseMs, stopMs } });
  }
  return found;
}

function prefixOf({ site, host }: GuardPlace): string {
  return `renewals/${site}/${host}/`;
}

function numbersIn(keys: readonly string[]): number[] {
  return keys.flatMap((key) => /\/(\d{12,})\.json$/.exec(key)?.[1] ?? []).map(Number);
}
