/** The page that goes into the safe: the recovery kit, and below it the offline root's key. */
import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../failures.ts';
import type { StoreConfig } from '../system/types.ts';
import { parseRecoveryKit, recoveryKit, rootFingerprintOf, type RecoveryKit } from '../vault/index.ts';
import type { PendingKeys } from './key-files.ts';
import { kitStore } from './store-address.ts';

/** What is printed once. The kit restores; the root's key only admits signers, such as a new host's. */
export function kitText(system: string, vaultId: string, store: StoreConfig, keys: PendingKeys): string {
  const kit = recoveryKit({
    system,
    vaultId,
    store: kitStore(store),
    identity: keys.escrow.identity,
    rootFingerprint: keys.root.fingerprint,
  });
  return [
    kit.text,
    'The offline root, which says who may sign. Not needed to restore; needed for a new store or a new host:',
    '',
    keys.root.privateKey.trimEnd(),
    '',
  ].join('\n');
}

/** Throws BadInput when the file can't be read or is no kit; messages never repeat its secrets. */
export async function readKit(file: string): Promise<{ kit: RecoveryKit; rootKey?: string }> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('BadInput', `the recovery kit ${file} can't be read (${code ?? 'unknown error'})`, {
      cause,
      hint: 'Check the path of the kit that `holdfast init` printed.',
    });
  }
  const kit = parseRecoveryKit(text);
  const rootKey = /-----BEGIN OPENSSH PRIVATE KEY-----[\s\S]*?-----END OPENSSH PRIVATE KEY-----/.exec(text)?.[0];
  if (rootKey === undefined) return { kit };
  if (rootFingerprintOf(`${rootKey}\n`) !== kit.rootFingerprint) {
    throw new HoldfastError('BadInput', `the root's key in ${file} does not belong to the kit's fingerprint`);
  }
  return { kit, rootKey: `${rootKey}\n` };
}
