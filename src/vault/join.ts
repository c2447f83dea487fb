/**
 * One vault in several stores: they share its id, so that a manifest is valid in each of them. A store that is added
 * later gets the head, the guide, the signers and the keys of one that is there, as they are: no secret is needed.
 */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import type { VaultHead } from './formats.ts';
import { findHead, readHead } from './head.ts';
import { keysIn } from './listed.ts';
import { GUIDE_KEY, HEAD_KEY } from './names.ts';

export interface Join {
  readonly vaultId: string;
  /** False: the vault was there already. */
  readonly created: boolean;
}

/**
 * Makes the vault that is in `from` in `to` as well. A repeat completes what is missing. Throws NotAVault when another
 * vault is there, Untrusted when a record of the same name says something else there.
 */
export async function joinVault(from: Store, to: Store, system: string): Promise<Join> {
  const head = await readHead(from, system);
  const there = await findHead(to);
  if (there !== undefined) requireSameVault({ store: to, head: there }, { store: from, head });
  await copyTrust(from, to);
  await copySmall(from, to, GUIDE_KEY);
  // Last: until it is there nobody takes the place for a vault.
  await copySmall(from, to, HEAD_KEY);
  await to.sync();
  return { vaultId: head.vaultId, created: there === undefined };
}

/** Signers and keys that `to` lacks. Returns how many. Throws Untrusted for a name that says something else there. */
export async function copyTrust(from: Store, to: Store, signal?: AbortSignal): Promise<number> {
  let copied = await copySigners(from, to, signal);
  const there = new Set(await keysIn(to, 'keys/', signal));
  for (const key of await keysIn(from, 'keys/', signal)) {
    if (!there.has(key) && (await copySmall(from, to, key, signal)) === 'written') copied += 1;
  }
  return copied;
}

/** The same of signers alone. */
export async function copySigners(from: Store, to: Store, signal?: AbortSignal): Promise<number> {
  let copied = 0;
  for (const key of await keysIn(from, 'signers/', signal)) {
    if ((await copySmall(from, to, key, signal)) === 'written') copied += 1;
  }
  return copied;
}

interface Place {
  readonly store: Store;
  readonly head: VaultHead;
}

/** Throws NotAVault with what to do. */
export function requireSameVault(one: Place, other: Place): void {
  if (one.head.vaultId === other.head.vaultId) return;
  const what = `${one.store.label} holds the vault ${one.head.vaultId}, and ${other.store.label} the vault ${other.head.vaultId}`;
  throw new HoldfastError('NotAVault', `${what}: a backup of one cannot be valid in the other`, {
    hint: 'Give one of the two stores an empty place (another path or prefix) and run `holdfast init` again; what the old place holds is still restored from there by `--store`, under the name of a store of its own that no plan uses.',
  });
}

/** Small records are the same wherever they are. Throws Untrusted when they are not. */
export async function copySmall(
  from: Store,
  to: Store,
  key: string,
  signal?: AbortSignal,
): Promise<'written' | 'exists'> {
  const options = signal === undefined ? {} : { signal };
  const bytes = await from.get(key, options);
  if ((await to.put(key, bytes, { createOnly: true, ...options })) === 'written') return 'written';
  if (Buffer.compare(await to.get(key, options), bytes) === 0) return 'exists';
  throw new HoldfastError('Untrusted', `${key} says one thing in ${from.label} and another in ${to.label}`, {
    hint: 'Both were signed by the same root: admit the signer in one store only; copies carry it to the others.',
  });
}
