/** A system's vault in one store, opened for those who read or maintain it: no engine and no identity are needed. */
import { openStore, type StoreRole } from '../stores/index.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { StoreConfig, System } from '../system/types.ts';
import { readHead } from './head.ts';
import type { PruneSource } from './sweep/prune-survey.ts';
import { readTrustRoots } from './trust.ts';

/** With the maintainer's login. Closes the store at the end. Throws NotAVault, and what opening a store throws. */
export function withVault<T>(system: System, config: StoreConfig, use: (from: PruneSource) => Promise<T>): Promise<T> {
  return opened(system, config, { role: 'maintain' }, use);
}

/** The same with the login of hosts that capture, for who only reads. */
export function readingVault<T>(
  system: System,
  config: StoreConfig,
  use: (from: PruneSource) => Promise<T>,
): Promise<T> {
  return opened(system, config, {}, use);
}

async function opened<T>(
  system: System,
  config: StoreConfig,
  login: { readonly role?: StoreRole },
  use: (from: PruneSource) => Promise<T>,
): Promise<T> {
  const store = await openStore(config, resolveSecret, login);
  try {
    const { vaultId, createdAt } = await readHead(store, system.name);
    const roots = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
    return await use({ store, vaultId, roots, createdAtMs: Date.parse(createdAt) });
  } finally {
    await store.close();
  }
}
