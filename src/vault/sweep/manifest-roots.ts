/** Where what manifests name begins: every one that is there, trusted or not, because what is named is not deleted. */
import { HoldfastError } from '../../failures.ts';
import type { ObjectInfo, Store } from '../../stores/store.ts';
import { listed } from '../listed.ts';
import { artifactsOf, parseAtManifestKey } from '../manifest.ts';
import { mapBounded } from '../mutex.ts';

const READS_AT_ONCE = 16;

export interface ManifestRoots {
  readonly keys: readonly string[];
  /** Of trees of checksums. */
  readonly roots: ReadonlySet<string>;
  readonly tombstones: readonly { readonly key: string; readonly storedAtMs: number }[];
  /** Why it is not known what some manifest names. */
  readonly unknown: readonly string[];
}

type Found =
  { readonly sums: readonly string[] } | { readonly tombstone: number } | { readonly unknown: string } | undefined;

export async function readManifestRoots(store: Store, signal: AbortSignal): Promise<ManifestRoots> {
  const infos = await listed(store, 'backups/', signal);
  const found = await mapBounded(infos, READS_AT_ONCE, (info) => {
    signal.throwIfAborted();
    return rootsOf(store, info);
  });
  const roots = new Set<string>();
  const unknown: string[] = [];
  const tombstones: { key: string; storedAtMs: number }[] = [];
  for (const [index, one] of found.entries()) {
    const key = infos[index]?.key ?? '';
    if (one === undefined) continue;
    if ('sums' in one) for (const id of one.sums) roots.add(id);
    else if ('tombstone' in one) tombstones.push({ key, storedAtMs: one.tombstone });
    else unknown.push(one.unknown);
  }
  return { keys: infos.map(({ key }) => key), roots, tombstones, unknown };
}

async function rootsOf(store: Store, { key, modifiedAtMs }: ObjectInfo): Promise<Found> {
  try {
    const found = parseAtManifestKey(await store.get(key), key);
    if (found.kind === 'tombstone') return { tombstone: modifiedAtMs };
    const refs = artifactsOf(found.record.body);
    const without = refs.find(({ sums }) => sums === undefined);
    if (without !== undefined) return { unknown: `${key} has no checksums of ${without.name}` };
    return { sums: refs.flatMap(({ sums }) => (sums === undefined ? [] : [sums])) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    // Removed since the listing.
    if (error.code === 'ObjectMissing') return undefined;
    if (!['ObjectCorrupt', 'VaultFormat'].includes(error.code)) throw error;
    return { unknown: `${key} cannot be read, so nobody knows what it is made of: ${error.message}` };
  }
}
