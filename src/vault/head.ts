/** `holdfast.json`: what makes a place in a store a vault. */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { headSchema, parseRecord, type VaultHead } from './formats.ts';
import { HEAD_KEY } from './names.ts';

/** Throws NotAVault when there is none, or when it belongs to another system; VaultFormat for another version. */
export async function readHead(store: Store, system?: string): Promise<VaultHead> {
  const head = await findHead(store);
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
  try {
    return parseRecord(headSchema, await store.get(HEAD_KEY), HEAD_KEY);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ObjectMissing') return undefined;
    throw error;
  }
}
