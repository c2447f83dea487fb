/** Keys of one system as files on this machine, and the set that `init` has made and not yet handed over. */
import { open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { keysDirectory } from '../system/home.ts';
import type { VaultKeySet } from '../vault/index.ts';

export interface PendingKeys extends VaultKeySet {
  readonly createdAt: string;
}

/** Creates the file, readable by its owner only, and syncs it. Throws when it exists with other content. */
export async function writeNew(file: string, text: string): Promise<void> {
  try {
    await using handle = await open(file, 'wx', 0o600);
    await handle.writeFile(text);
    await handle.sync();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await readFile(file, 'utf8').catch(() => undefined)) === text) return;
    throw new HoldfastError(
      code === 'EEXIST' ? 'TargetNotEmpty' : 'PermissionDenied',
      code === 'EEXIST' ? `${file} exists and is never overwritten` : `${file} could not be written (${code ?? ''})`,
      { cause, hint: 'Move it away, or name another file.' },
    );
  }
}

function pendingFile(system: string): string {
  return path.join(keysDirectory(system), 'init.json');
}

/** What an `init` that was interrupted had made; the next one goes on with it, so that no vault gets two roots. */
export async function readPending(system: string): Promise<PendingKeys | undefined> {
  try {
    return JSON.parse(await readFile(pendingFile(system), 'utf8')) as PendingKeys;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new HoldfastError('BadInput', `${pendingFile(system)} can't be read`, {
      cause,
      hint: 'It holds keys of an interrupted init. If no backup was ever made, remove it and run init again.',
    });
  }
}

export async function writePending(system: string, keys: PendingKeys): Promise<void> {
  await writeNew(pendingFile(system), JSON.stringify(keys));
}

/** The offline root and the escrow identity leave this machine with it. */
export async function removePending(system: string): Promise<void> {
  await rm(pendingFile(system), { force: true });
}

export interface KeyPaths {
  readonly chunkIdKey: string;
  readonly signer: string;
  readonly identity?: string;
}

/** What a host needs to capture; with `identity` also to verify and restore. */
export async function writeKeyFiles(system: string, keys: VaultKeySet, withIdentity: boolean): Promise<KeyPaths> {
  const at = (name: string): string => path.join(keysDirectory(system), name);
  const paths = { chunkIdKey: at('chunk-id.key'), signer: at('signer'), identity: at('identity') };
  await writeNew(paths.chunkIdKey, `${keys.chunkIdKey}\n`);
  await writeNew(paths.signer, keys.signer.privateKey);
  if (!withIdentity) return { chunkIdKey: paths.chunkIdKey, signer: paths.signer };
  await writeNew(paths.identity, `${keys.operations.identity}\n`);
  return paths;
}

/** The section that `init` adds to a system file. Public facts and references only. */
export function keysSection(keys: VaultKeySet, paths: KeyPaths): string {
  const lines = [
    '',
    '# Made by `holdfast init`. The recipients can read the backups; the first is for operations, the second lies in escrow.',
    'keys:',
    '  recipients:',
    `    - ${keys.operations.recipient}`,
    `    - ${keys.escrow.recipient}`,
    `  chunkIdKey: { file: ${JSON.stringify(paths.chunkIdKey)} }`,
    `  signer: { file: ${JSON.stringify(paths.signer)} }`,
  ];
  if (paths.identity !== undefined) lines.push(`  identity: { file: ${JSON.stringify(paths.identity)} }`);
  lines.push(`  rootFingerprint: ${keys.root.fingerprint}`, '');
  return lines.join('\n');
}
