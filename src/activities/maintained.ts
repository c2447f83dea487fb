/** Stores opened for their upkeep: with the credentials and the signing key of those who maintain them. */
import { hostLock, type HostLock } from '../docker/host-lock.ts';
import { HoldfastError } from '../failures.ts';
import { openStore, type Store } from '../stores/index.ts';
import { resolveSecret, type StoreConfig, type System } from '../system/index.ts';
import { signerOf, type Signer } from '../vault/envelope.ts';
import type { OtherStore } from '../vault/verify/heal.ts';

export function storeOf(system: System, name: string): StoreConfig {
  const config = system.stores.find((store) => store.name === name);
  if (config !== undefined) return config;
  const known = system.stores.map((store) => store.name).join(', ');
  throw new HoldfastError('BadInput', `${system.name} has no store ${name}; it has ${known}`);
}

/** Opens a store to maintain it, for as long as `use` runs. Throws SecretMissing on a host without its key. */
export async function withMaintained<T>(
  system: System,
  name: string,
  use: (store: Store, signer: Signer) => Promise<T>,
): Promise<T> {
  const signer = signerOf(`${await resolveSecret(system.keys.keeper ?? system.keys.signer)}\n`);
  const store = await openStore(storeOf(system, name), resolveSecret, { role: 'maintain' });
  try {
    return await use(store, signer);
  } finally {
    await store.close();
  }
}

/** Says that no other process of this host heals objects of a store. Throws HostBusy while one does. */
export function healingLock(system: string, store: string, signal: AbortSignal): Promise<HostLock> {
  return hostLock(`heal ${system} ${store}`, signal);
}

/** The other stores of the system that can be opened here; one that can't is told to `onTrouble` and left out. */
export async function withOthers<T>(
  system: System,
  name: string,
  onTrouble: (store: string, why: string) => void,
  use: (others: readonly OtherStore[]) => Promise<T>,
): Promise<T> {
  const others: OtherStore[] = [];
  try {
    for (const config of system.stores) {
      if (config.name === name) continue;
      try {
        others.push({ name: config.name, store: await openStore(config, resolveSecret, { role: 'maintain' }) });
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        onTrouble(config.name, error.message);
      }
    }
    return await use(others);
  } finally {
    for (const { store } of others) await store.close();
  }
}
