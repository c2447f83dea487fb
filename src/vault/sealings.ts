/**
 * The same content may lie in a store sealed by another capture than the one whose checksums are at hand: stores that
 * were out of reach of one another each sealed it. What a trusted backup of that store names is as good.
 */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { keysIn } from './listed.ts';
import { artifactsOf, getManifest, judgeManifest, parseAtManifestKey } from './manifest.ts';
import { mapBounded } from './mutex.ts';
import { readSums, type Expected } from './sums.ts';
import type { TrustRoots } from './trust.ts';
import type { ManifestBody } from './types.ts';

const MANIFESTS_AT_ONCE = 8;

export interface StoreTrust {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
}

/**
 * How the trusted backups of a store say that these objects lie there: everything that any of them names. Reads every
 * manifest and every node of checksums once, so it is asked only where something differs.
 */
export async function otherSealings(
  { store, vaultId, roots }: StoreTrust,
  keys: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly Expected[]>> {
  const found = new Map<string, Expected[]>();
  if (keys.size === 0) return found;
  const manifests = await keysIn(store, 'backups/', signal);
  const seen = new Set<string>();
  const visit = async (id: string): Promise<void> => {
    if (seen.has(id)) return;
    seen.add(id);
    signal.throwIfAborted();
    const node = await orNothing(() => readSums(store, id));
    for (const [key, sizeBytes, sha256] of node?.objects ?? []) {
      if (keys.has(key)) found.set(key, [...(found.get(key) ?? []), { sizeBytes, sha256 }]);
    }
    for (const child of node?.children ?? []) await visit(child);
  };
  await mapBounded(manifests, MANIFESTS_AT_ONCE, async (key) => {
    const body = await orNothing(() => trusted({ store, vaultId, roots }, key));
    for (const { sums } of body === undefined ? [] : artifactsOf(body)) if (sums !== undefined) await visit(sums);
  });
  return found;
}

/** Whether what lies there is one of those sealings; a checksum counts where both sides have one. */
export function isSealing(
  there: { readonly sizeBytes: number; readonly sha256?: string | undefined },
  known: readonly Expected[] | undefined,
): boolean {
  return (known ?? []).some(
    ({ sizeBytes, sha256 }) =>
      sizeBytes === there.sizeBytes && (sha256 === null || there.sha256 === undefined || sha256 === there.sha256),
  );
}

async function trusted({ store, vaultId, roots }: StoreTrust, key: string): Promise<ManifestBody | undefined> {
  const found = parseAtManifestKey(await getManifest(store, key), key);
  if (found.kind === 'tombstone') return undefined;
  judgeManifest(roots, vaultId, key, found.record);
  return found.record.body;
}

/** What can't be read or trusted vouches for nothing; the catalogue and verification report it. */
async function orNothing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
    return undefined;
  }
}
