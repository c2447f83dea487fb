/** Making a vault: the head, the guide, who may sign, and the chunk-id key for those who hold an identity. */
import { randomBytes, randomUUID } from 'node:crypto';

import { HoldfastError } from '../failures.ts';
import { generateAgeIdentity, generateSshKeyPair, type AgeKeyPair, type SshKeyPair } from '../seal/index.ts';
import { sshFingerprint, sshPublicKeyOf } from '../seal/ssh-key.ts';
import type { Store } from '../stores/store.ts';
import { NAMESPACES, signerOf, signRecord } from './envelope.ts';
import { epochOf, ensureKeyRecord } from './epoch.ts';
import { recordBytes, type SignerRole, type SignerStatement, type VaultHead } from './formats.ts';
import { recoveryGuide } from './guide.ts';
import { findHead, readHead } from './head.ts';
import { FORMAT, GUIDE_KEY, HEAD_KEY, sha256Hex } from './names.ts';
import { readTrustRoots } from './trust.ts';

/** Everything secret that a new system needs. Nothing of it is written anywhere by making it. */
export interface VaultKeySet {
  /** Offline: admits signers, then leaves the machine. */
  readonly root: SshKeyPair;
  readonly signer: SshKeyPair;
  /** The identity for restores in operation. */
  readonly operations: AgeKeyPair;
  /** The identity that lies in a safe. */
  readonly escrow: AgeKeyPair;
  /** 64 hex digits. */
  readonly chunkIdKey: string;
}

export interface SignerAdmission {
  readonly name: string;
  /** `ssh-ed25519 AAAA… comment`. */
  readonly publicKey: string;
  readonly role: SignerRole;
  readonly validFrom: Date;
  readonly validUntil: Date;
}

export interface InitVaultOptions {
  readonly store: Store;
  readonly system: string;
  readonly recipients: readonly string[];
  readonly chunkIdKey: Uint8Array;
  /** OpenSSH private key text of the offline root. */
  readonly rootKey: string;
  readonly signers: readonly SignerAdmission[];
}

export function generateKeys(system: string): VaultKeySet {
  return {
    root: generateSshKeyPair(`${system} holdfast root`),
    signer: generateSshKeyPair(`${system} holdfast signer`),
    operations: generateAgeIdentity(),
    escrow: generateAgeIdentity(),
    chunkIdKey: randomBytes(32).toString('hex'),
  };
}

/** The 32 bytes of a chunk-id key's text: 64 hex digits. Throws BadInput; the message never repeats the key. */
export function parseChunkIdKey(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(text.trim())) {
    throw new HoldfastError('BadInput', 'the chunk-id key is not 64 hex digits');
  }
  return Buffer.from(text.trim(), 'hex');
}

/**
 * Makes a vault, or completes one that was begun: whatever is there stays. Throws NotAVault when another system's vault
 * is there, BadInput for fewer than two recipients, and when the vault was made with another chunk-id key.
 */
export async function initVault(
  options: InitVaultOptions,
): Promise<{ vaultId: string; rootFingerprint: string; epoch: string; created: boolean }> {
  const { store, system, recipients, chunkIdKey } = options;
  if (new Set(recipients).size < 2) {
    throw new HoldfastError('BadInput', 'a vault needs two age recipients at least: operations and escrow');
  }
  const root = signerOf(options.rootKey);
  const epoch = epochOf(recipients, chunkIdKey).name;
  const created = (await findHead(store)) === undefined;
  if (created) await store.put(HEAD_KEY, recordBytes(newHead(system)), { createOnly: true });
  const { vaultId } = await readHead(store, system);
  await store.put(GUIDE_KEY, Buffer.from(recoveryGuide({ system, vaultId })), { createOnly: true });
  for (const signer of options.signers) await admitSigner(store, vaultId, options.rootKey, signer);
  await ensureKeyRecord(store, vaultId, { recipients, chunkIdKey }, root);
  await store.sync();
  return { vaultId, rootFingerprint: root.fingerprint, epoch, created };
}

/** Writes the root's statement on a key, unless an equal one counts already. The highest number counts. */
export async function admitSigner(
  store: Store,
  vaultId: string,
  rootKey: string,
  signer: SignerAdmission,
): Promise<void> {
  const root = signerOf(rootKey);
  const { signers } = await readTrustRoots(store, vaultId, root.fingerprint);
  const there = signers.get(sshFingerprint(signer.publicKey));
  const validUntil = signer.validUntil.toISOString();
  if (there?.role === signer.role && there.validUntil === validUntil) return;
  const headSha256 = sha256Hex(await store.get(HEAD_KEY));
  for (let n = await nextNumber(store); ; n += 1) {
    const body: SignerStatement = {
      format: FORMAT,
      vaultId,
      n,
      name: signer.name,
      publicKey: signer.publicKey.trim(),
      role: signer.role,
      validFrom: signer.validFrom.toISOString(),
      validUntil,
      headSha256,
    };
    const bytes = signRecord(body, NAMESPACES.signer, root);
    if ((await store.put(`signers/${n}.json`, bytes, { createOnly: true })) === 'written') return;
  }
}

/** The fingerprint that a recovery kit and a system file name the root by. */
export function rootFingerprintOf(rootKey: string): string {
  return sshFingerprint(sshPublicKeyOf(rootKey));
}

async function nextNumber(store: Store): Promise<number> {
  let last = 0;
  for await (const { key } of store.list('signers/')) {
    last = Math.max(last, Number(/^signers\/(\d+)\.json$/.exec(key)?.[1] ?? 0));
  }
  return last + 1;
}

function newHead(system: string): VaultHead {
  return { format: FORMAT, vaultId: randomUUID(), system, createdAt: new Date().toISOString() };
}
