/** The key that maintains stores is made by a person, and admitted where it and the root's key meet. */
import { HoldfastError } from '../failures.ts';
import { sshFingerprint, sshPublicKeyOf } from '../seal/ssh-key.ts';
import type { Store } from '../stores/index.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { readHead } from '../vault/head.ts';
import { admitSigner } from '../vault/init.ts';
import { readTrustRoots } from '../vault/trust.ts';

const YEARS = 20;
/** Clocks of two machines differ. */
const BACKDATED_MS = 86_400_000;

/**
 * Writes the root's statement on `keys.keeper` into each store where none counts yet. Returns lines for a person, none
 * without such a key; a host that doesn't hold it says so. A repeat changes nothing. Throws BadInput for a key that is the
 * signer's as well: the new statement would end that one's right to capture.
 */
export async function admitKeeper(
  system: System,
  rootKey: string,
  stores: readonly { readonly name: string; readonly store: Store }[],
): Promise<string[]> {
  const publicKey = await keeperOf(system);
  if (publicKey === undefined) return [];
  if (publicKey === 'elsewhere') return ['keys.keeper is not on this host, so it was not admitted from here'];
  const fingerprint = sshFingerprint(publicKey);
  if (fingerprint === sshFingerprint(sshPublicKeyOf(`${await resolveSecret(system.keys.signer)}\n`))) {
    throw new HoldfastError('BadInput', 'keys.keeper is the same key as keys.signer, and one key has one role', {
      hint: 'Make one of its own: ssh-keygen -t ed25519 -N "" -f keeper',
    });
  }
  const now = Date.now();
  const validUntil = new Date(now);
  validUntil.setUTCFullYear(validUntil.getUTCFullYear() + YEARS);
  const admitted: string[] = [];
  for (const { name, store } of stores) {
    const { vaultId } = await readHead(store, system.name);
    const { signers } = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
    if (signers.get(fingerprint)?.role === 'keeper') continue;
    const validFrom = new Date(now - BACKDATED_MS);
    await admitSigner(store, vaultId, rootKey, { name: 'keeper', publicKey, role: 'keeper', validFrom, validUntil });
    await store.sync();
    admitted.push(name);
  }
  return admitted.length === 0 ? [] : [`keeper ${fingerprint} admitted in ${admitted.join(', ')}`];
}

async function keeperOf({ keys: { keeper } }: System): Promise<string | undefined> {
  if (keeper === undefined) return undefined;
  try {
    return sshPublicKeyOf(`${(await resolveSecret(keeper)).trimEnd()}\n`);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'SecretMissing') return 'elsewhere';
    throw error;
  }
}
