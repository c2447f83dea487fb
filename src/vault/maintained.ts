/** A system's vault in one store, opened for those who maintain it: no engine and no identity are needed. */
import { openStore } from '../stores/index.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { readHead } from './head.ts';
import type { PruneSource } from './sweep/prune-survey.ts';
import { readTrustRoots } from './trust.ts';

/** Closes the store at the end. Throws NotAVault, and what opening a store throws. */
export async function withVault<T>(
  system: System,
  config: System['stores'][number],
  use: (from: PruneSource) => Promise<T>,
): Promise<T> {
  const store = await openStore(config, resolveSecret, { role: 'maintain' });
  try {
    const { vaultId } = await readHead(store, system.name);
    const roots = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
    return await use({ store, vaultId, roots });
  } finally {
    await store.close();
  }
}
