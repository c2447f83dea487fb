/** The write-ahead log that a store holds of a component, as the policy of what can be reached sees it. */
import { historyName, parseHistory, type TimelineSwitch } from '../../policy/lsn.ts';
import type { HeldLog, HeldStretch } from '../../policy/reachable.ts';
import type { Store } from '../../stores/store.ts';
import { readHead } from '../head.ts';
import { readTrustRoots } from '../trust.ts';
import type { ReaderKeys } from '../types.ts';
import { readWalEnd, readWalInventory, type WalCluster } from './inventory.ts';
import { openWalSource } from './reader.ts';

export interface HeldLogOptions {
  readonly system: string;
  readonly rootFingerprint: string;
  readonly component: string;
  readonly signal: AbortSignal;
  /** Without them the histories stay closed, and nothing is said to be reachable across the end of a timeline. */
  readonly keys?: ReaderKeys;
}

/**
 * One for each cluster that the component ever was, oldest first. Until when a stretch is known to hold everything comes
 * from the signed record at its end; where that says nothing, from when it was stored. Throws what reading the records
 * throws.
 */
export async function readHeldLogs(store: Store, options: HeldLogOptions): Promise<HeldLog[]> {
  const { system, rootFingerprint, component, signal } = options;
  const { vaultId } = await readHead(store, system);
  const roots = await readTrustRoots(store, vaultId, rootFingerprint);
  const clusters = await readWalInventory(store, component, { signal });
  return Promise.all(
    clusters.map(async (cluster) => ({
      systemIdentifier: cluster.systemIdentifier,
      stretches: await Promise.all(
        cluster.intervals.map(async (interval): Promise<HeldStretch> => {
          const { coversUntil } = await readWalEnd(store, { vaultId, roots }, interval);
          const { timeline, from, to, storedAtMs } = interval;
          const certain = coversUntil === undefined ? {} : { certainUntilMs: Date.parse(coversUntil) };
          return { timeline, from, to, untilMs: certain.certainUntilMs ?? storedAtMs, ...certain };
        }),
      ),
      histories: await historiesOf(store, cluster, options),
    })),
  );
}

async function historiesOf(
  store: Store,
  { systemIdentifier, histories }: WalCluster,
  { system, component, keys, signal }: HeldLogOptions,
): Promise<ReadonlyMap<number, readonly TimelineSwitch[]>> {
  const read = new Map<number, readonly TimelineSwitch[]>();
  if (histories.length === 0 || keys === undefined) return read;
  const source = await openWalSource({ store, system, keys, component, systemIdentifier });
  try {
    if (source === undefined) return read;
    for (const timeline of histories) {
      const pieces: Uint8Array[] = [];
      for await (const bytes of source.read(historyName(timeline), signal)) pieces.push(bytes);
      read.set(timeline, parseHistory(Buffer.concat(pieces).toString()));
    }
    return read;
  } finally {
    await source?.close();
  }
}
