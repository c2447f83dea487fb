/** Holds in one store: written, released, listed. */
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { signerOf } from '../vault/envelope.ts';
import { readHolds, writeHold, type Hold } from '../vault/sweep/holds.ts';
import { backupIdOfKey } from '../vault/names.ts';
import type { PruneSource } from '../vault/sweep/prune-survey.ts';
import { whoAmI } from './names.ts';

/** The holds that stand afterwards; `found` says whether the store has the backup. */
export async function holdThere(
  from: PruneSource,
  system: System,
  asked: { readonly action: string; readonly backup: string | undefined; readonly why: string | undefined },
): Promise<{ holds: Hold[]; found: boolean }> {
  const { store, vaultId } = from;
  const { action, backup, why = '' } = asked;
  let found = false;
  if (action !== 'list') {
    const manifestKey = await manifestOf(from, backup ?? '');
    if (manifestKey !== undefined) {
      found = true;
      const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
      const by = await whoAmI();
      const write = (releases?: string): Promise<string> =>
        writeHold(
          store,
          { vaultId, signer, atMs: Date.now() },
          { manifestKey, why, by, ...(releases === undefined ? {} : { releases }) },
        );
      if (action === 'add') await write();
      else for (const one of (await readHolds(store, from)).get(backup ?? '') ?? []) await write(one.key);
    }
  }
  const holds = [...(await readHolds(store, from)).values()].flat();
  return { holds: holds.filter(({ backupId }) => backup === undefined || backupId === backup), found };
}

async function manifestOf({ store }: PruneSource, backupId: string): Promise<string | undefined> {
  for await (const { key } of store.list('backups/')) if (backupIdOfKey(key) === backupId) return key;
  return undefined;
}
