/** After a machine was lost: the key files that its system file names are made again, with the recovery kit. */
import { access, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { generateSshKeyPair, openBytes } from '../seal/index.ts';
import { openStore } from '../stores/index.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { SecretRef, System } from '../system/types.ts';
import { readRecord } from '../vault/envelope.ts';
import { epochKeyPath, epochName } from '../vault/epoch.ts';
import { keySchema } from '../vault/formats.ts';
import type { RecoveryKit } from '../vault/index.ts';
import { writeNew } from './key-files.ts';

/**
 * Writes what is missing and returns what was done, in words; what is there stays. Only references to files are filled:
 * other places are not ours to write. A new signer counts once the root has admitted it.
 */
export async function recoverKeyFiles(system: System, kit: RecoveryKit): Promise<string[]> {
  const { chunkIdKey, signer, identity } = system.keys;
  if (kit.rootFingerprint !== system.keys.rootFingerprint) {
    throw new HoldfastError('BadInput', `the kit is of another root than ${system.sourcePath} names`);
  }
  const done: string[] = [];
  const fill = async (
    ref: SecretRef | undefined,
    what: string,
    text: () => Promise<string> | string,
  ): Promise<void> => {
    if (ref === undefined || !('file' in ref) || (await exists(ref.file))) return;
    await mkdir(path.dirname(ref.file), { recursive: true, mode: 0o700 });
    await writeNew(ref.file, await text());
    done.push(`${what}: ${ref.file}`);
  };
  await fill(signer, 'a new signer', () => generateSshKeyPair(`${system.name} holdfast signer`).privateKey);
  await fill(chunkIdKey, 'the chunk-id key, from the vault', () => chunkIdKeyFromVault(system, kit.identity));
  await fill(identity, "the kit's identity", () => `${kit.identity}\n`);
  return done;
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Throws ObjectMissing when no store has the key of these recipients, WrongIdentity when the kit can't open it. */
async function chunkIdKeyFromVault(system: System, identity: string): Promise<string> {
  const key = epochKeyPath(epochName(system.keys.recipients));
  for (const config of system.stores) {
    const store = await openStore(config, resolveSecret);
    try {
      if ((await store.head(key)) === undefined) continue;
      const { sealed } = readRecord(keySchema, await store.get(key), key).body;
      return `${Buffer.from(openBytes(Buffer.from(sealed, 'base64'), [identity])).toString('utf8')}\n`;
    } finally {
      await store.close();
    }
  }
  throw new HoldfastError('ObjectMissing', `no store of ${system.name} holds ${key}`);
}
