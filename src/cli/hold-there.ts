/** Holds in one store: written, released, listed. */
import { HoldfastError } from '../failures.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { signerOf } from '../vault/envelope.ts';
import { readHolds, writeHold, type Hold } from '../vault/sweep/holds.ts';
import { backupIdOfKey } from '../vault/names.ts';
import type { PruneSource } from '../vault/sweep/prune-survey.ts';
import { whoAmI } from './names.ts';

export interface HoldAsked {
  readonly action: string;
  /** An id, or the beginning of one. */
  readonly backup: string | undefined;
  readonly why: string | undefined;
  /** When the record says it was made. */
  readonly atMs: number;
}

/** The holds that stand afterwards; `found` is the id of the backup where the store has it. Throws BadInput. */
export async function holdThere(
  from: PruneSource,
  system: System,
  asked: HoldAsked,
): Promise<{ holds: Hold[]; found?: string }> {
  const { store, vaultId } = from;
  const { action, backup, why = '', atMs } = asked;
  const manifest = action === 'list' || backup === undefined ? undefined : await manifestOf(from, backup);
  if (manifest !== undefined) {
    const { manifestKey } = manifest;
    const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
    const by = await whoAmI();
    const write = (releases?: string): Promise<string> =>
      writeHold(
        store,
        { vaultId, signer, atMs },
        { manifestKey, why, by, ...(releases === undefined ? {} : { releases }) },
      );
    if (action === 'add') await write();
    else for (const one of (await readHolds(store, from)).get(manifest.id) ?? []) await write(one.key);
  }
  const holds = [...(await readHolds(store, from)).values()].flat();
  return {
    holds: holds.filter(({ backupId }) => backup === undefined || backupId.startsWith(backup)),
    ...(manifest === undefined ? {} : { found: manifest.id }),
  };
}

async function manifestOf(
  { store }: PruneSource,
  beginning: string,
): Promise<{ id: string; manifestKey: string } | undefined> {
  const matches: { id: string; manifestKey: string }[] = [];
  for await (const { key } of store.list('backups/')) {
    const id = backupIdOfKey(key);
    if (id?.startsWith(beginning) === true) matches.push({ id, manifestKey: key });
  }
  if (matches.length > 1) {
    throw new HoldfastError('BadInput', `${matches.length} backups begin with ${beginning}; write more of the id`);
  }
  return matches[0];
}
