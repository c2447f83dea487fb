/** `holdfast.json`: what makes a place in a store a vault. */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { headSchema, parseRecord, type VaultHead } from './formats.ts';
import { HEAD_KEY } from './names.ts';

/**
 * Throws NotAVault when there is none, or when it belongs to another system; VaultFormat for another version;
 * StoreNotMounted when the place itself is missing, because that may come back.
 */
export async function readHead(store: Store, system?: string): Promise<VaultHead> {
  const head = await lookForHead(store, (missing) => {
    if (missing.details['storeIsThere'] !== false) return;
    throw new HoldfastError('StoreNotMounted', `The ${store.label} is not there`, { cause: missing });
  });
  if (head === undefined) throw new HoldfastError('NotAVault', `${store.label} holds no vault: ${HEAD_KEY} is missing`);
  if (system !== undefined && head.system !== system) {
    throw new HoldfastError(
      'NotAVault',
      `${store.label} holds the vault of the system ${head.system}, not of ${system}`,
    );
  }
  return head;
}

/** Undefined when there is no vault. */
export async function findHead(store: Store): Promise<VaultHead | undefined> {
  return lookForHead(store, () => undefined);
}

async function lookForHead(store: Store, onMissing: (error: HoldfastError) => void): Promise<VaultHead | undefined> {
  try {
    return parseRecord(headSchema, await store.get(HEAD_KEY), HEAD_KEY);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'ObjectMissing') throw error;
    onMissing(error);
    return undefined;
  }
}
