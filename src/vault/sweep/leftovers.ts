/** Keys of epochs and objects put aside: what of them a prune keeps and removes, from what the store holds. */
import { HoldfastError } from '../../failures.ts';
import {
  decideAside,
  decideEpochs,
  type AsideFact,
  type EpochFact,
  type LeftoverDecision,
} from '../../policy/leftovers.ts';
import { readBackOf } from '../../policy/read-back.ts';
import type { Store } from '../../stores/store.ts';
import { readRecord } from '../envelope.ts';
import { captureSchema } from '../formats.ts';
import { listed } from '../listed.ts';
import { parseAtManifestKey } from '../manifest.ts';
import { mapBounded } from '../mutex.ts';
import type { NamedObjects } from '../named-objects.ts';
import { backupIdOfKey, captureKeyOf, parseObjectKey } from '../names.ts';
import { objectOfCase } from '../verify/quarantine.ts';
import { readingOf, readReadings } from '../verify/readings.ts';
import type { PruneSource } from './prune-survey.ts';
import { nothingRemoved, removeObject } from './removal.ts';

const READS_AT_ONCE = 16;
const MINIMUM_AGE_SECONDS = 24 * 3600;

export interface LeftoverOptions {
  /** Of the recipients that the system file names now; without it no key of an epoch is looked at. */
  readonly currentEpoch?: string;
  /** Everything that any manifest names; undefined while that is not known. */
  readonly named: NamedObjects | undefined;
  readonly nowMs: number;
  readonly minimumAgeSeconds: number;
  /** So long what was put aside stays. Default 30 days. */
  readonly asideSeconds?: number;
  readonly signal: AbortSignal;
}

/** Of every key of an epoch and everything put aside. Reads each manifest once when there is more than the current epoch. */
export async function decideLeftovers(from: PruneSource, options: LeftoverOptions): Promise<LeftoverDecision[]> {
  return [...(await epochs(from, options)), ...(await aside(from, options))];
}

/** Decided anew when every capture is settled and none can begin. Returns how many went; what a lock or a right keeps stays. */
export async function removeLeftovers(
  context: {
    readonly from: PruneSource;
    readonly currentEpoch?: string;
    readonly leftoverAges?: { readonly minimumAgeSeconds: number; readonly asideSeconds?: number };
    readonly signal: AbortSignal;
  },
  known: { readonly named: NamedObjects; readonly nowMs: number },
): Promise<number> {
  const { from, currentEpoch, leftoverAges = { minimumAgeSeconds: MINIMUM_AGE_SECONDS }, signal } = context;
  const current = currentEpoch === undefined ? {} : { currentEpoch };
  const decided = await decideLeftovers(from, { ...current, ...leftoverAges, ...known, signal });
  const tally = nothingRemoved();
  const gone = decided.filter(({ keep }) => !keep);
  for (const { key } of gone) {
    signal.throwIfAborted();
    await removeObject(from.store, key, tally, signal).catch((error: unknown) => {
      // The least rights of a pruning role don't cover keys: they stay, which costs nothing.
      if (!(error instanceof HoldfastError) || error.code !== 'StoreDenied' || !key.startsWith('keys/')) throw error;
      tally.locked += 1;
    });
  }
  return gone.length - tally.locked;
}

async function epochs(from: PruneSource, options: LeftoverOptions): Promise<LeftoverDecision[]> {
  const { currentEpoch: current, signal } = options;
  if (current === undefined) return [];
  const found = (await listed(from.store, 'keys/', signal)).map(({ key, modifiedAtMs }): EpochFact => ({
    key,
    epoch: key.slice('keys/'.length),
    storedAtMs: modifiedAtMs,
  }));
  if (found.every(({ epoch }) => epoch === current)) return [];
  return decideEpochs(found, { current, ...(await usedEpochs(from.store, signal)) }, options);
}

/** Captures first: one that commits meanwhile is open or has its manifest. */
async function usedEpochs(store: Store, signal: AbortSignal) {
  const captures = await listed(store, 'captures/', signal);
  const manifests = await listed(store, 'backups/', signal);
  const taken = new Set(manifests.map(({ key }) => captureKeyOf(backupIdOfKey(key) ?? '')));
  const unknown: string[] = [];
  const read = async <T>(key: string, epochOf: (bytes: Uint8Array) => T): Promise<T | undefined> => {
    signal.throwIfAborted();
    try {
      return epochOf(await store.get(key));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      if (error.code === 'ObjectMissing') return undefined;
      if (!['ObjectCorrupt', 'VaultFormat'].includes(error.code)) throw error;
      unknown.push(`${key} cannot be read`);
      return undefined;
    }
  };
  const named = await mapBounded(manifests, READS_AT_ONCE, ({ key }) =>
    read(key, (bytes) => {
      const parsed = parseAtManifestKey(bytes, key);
      return parsed.kind === 'tombstone' ? undefined : parsed.record.body.epoch;
    }),
  );
  const open = await mapBounded(
    captures.filter(({ key }) => !taken.has(key)),
    READS_AT_ONCE,
    ({ key }) => read(key, (bytes) => readRecord(captureSchema, bytes, key).body.epoch),
  );
  const holdsLog = !(await isEmpty(store, 'wal/', signal));
  return { named: given(named), open: given(open), unknown, holdsLog };
}

async function aside(from: PruneSource, options: LeftoverOptions): Promise<LeftoverDecision[]> {
  const { store } = from;
  const { signal, named, nowMs } = options;
  const facts = (await listed(store, 'quarantine/', signal)).flatMap(({ key, modifiedAtMs }): AsideFact[] => {
    const object = objectOfCase(key);
    if (object === undefined) return [];
    return [{ key, object, kind: key.endsWith('.json') ? 'record' : 'bytes', storedAtMs: modifiedAtMs }];
  });
  if (facts.length === 0) return [];
  const bad = new Set(readBackOf((await readReadings(from, signal)).map(readingOf), { nowMs }).bad);
  const objects = [...new Set(facts.map(({ object }) => object))];
  const there = new Map<string, number>();
  await mapBounded(objects, READS_AT_ONCE, async (object) => {
    signal.throwIfAborted();
    const info = await store.head(object);
    if (info !== undefined) there.set(object, info.modifiedAtMs);
  });
  const useOf = (object: string) => {
    const since = there.get(object);
    const isBad = bad.has(object);
    return { named: isNamed(named, object), bad: isBad, ...(since === undefined ? {} : { thereSinceMs: since }) };
  };
  return decideAside(facts, useOf, options);
}

function isNamed(named: NamedObjects | undefined, key: string): boolean | undefined {
  const object = parseObjectKey(key);
  if (object === undefined) return true;
  return named?.has(object.room, object.id);
}

function given(epochNames: readonly (string | undefined)[]): Set<string> {
  return new Set(epochNames.filter((name) => name !== undefined));
}

async function isEmpty(store: Store, prefix: string, signal: AbortSignal): Promise<boolean> {
  for await (const _ of store.list(prefix, { signal })) return false;
  return true;
}
