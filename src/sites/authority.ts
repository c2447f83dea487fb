/** The store that says which site of a system is active, opened for one use. */
import { HoldfastError } from '../failures.ts';
import { openStore } from '../stores/index.ts';
import { resolveSecret, type FailoverConfig, type System } from '../system/index.ts';
import { signerOf, type Signer } from '../vault/envelope.ts';
import { readHead } from '../vault/head.ts';
import type { Authority } from '../vault/sites/generation.ts';
import { readTrustRoots } from '../vault/trust.ts';

/** The section `failover`. Throws BadInput where the system file has none. */
export function failoverOf(system: System): FailoverConfig {
  if (system.failover !== undefined) return system.failover;
  throw new HoldfastError('BadInput', `${system.name} has no section \`failover\`: it runs at one site alone`);
}

/** Closed at the end, whatever `use` does. Throws as stores do, and Untrusted. */
export async function withAuthority<T>(system: System, use: (authority: Authority) => Promise<T>): Promise<T> {
  const authority = await openAuthority(system);
  try {
    return await use(authority);
  } finally {
    await authority.store.close();
  }
}

/** For who keeps it open, and closes its store. */
export async function openAuthority(system: System): Promise<Authority> {
  const { authority } = failoverOf(system);
  const config = system.stores.find(({ name }) => name === authority);
  if (config === undefined) throw new HoldfastError('BadInput', `${system.name} has no store ${authority}`);
  const store = await openStore(config, resolveSecret);
  try {
    const { vaultId } = await readHead(store, system.name);
    const roots = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
    return { store, vaultId, roots };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Who signs what this machine says of sites. */
export async function siteSigner({ keys }: System): Promise<Signer> {
  return signerOf(`${await resolveSecret(keys.signer)}\n`);
}
