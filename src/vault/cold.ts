/** Objects of a backup that lie in an archive class: how many, and asking for readable copies of them. */
import type { Store } from '../stores/store.ts';
import type { ThawSpeed } from '../policy/thaw.ts';
import { mapBounded } from './mutex.ts';
import { SumsWalk } from './sums.ts';
import type { ArtifactRef } from './types.ts';
import { Verdict } from './verify/verdict.ts';

const LOOKS_AT_ONCE = 32;

export interface ColdObjects {
  /** Of the backup's artifacts that were asked for, each once. */
  readonly objects: number;
  readonly bytes: number;
  /** Not readable yet, and whether somebody has asked for it. */
  readonly frozen: number;
  readonly thawing: number;
  readonly notReadyBytes: number;
}

interface Options {
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Undefined for a store without archive classes. Reads checksums, which always lie where they can be read at once. */
export async function lookAtCold(
  store: Store,
  artifacts: readonly ArtifactRef[],
  options: Options,
): Promise<ColdObjects | undefined> {
  return walk(store, artifacts, options, () => Promise.resolve());
}

/** Asks for every object that is still frozen; what is there, or under way, is left alone, so a repeat asks for the rest. */
export async function thawAll(
  store: Store,
  artifacts: readonly ArtifactRef[],
  how: { readonly days: number; readonly speed: ThawSpeed },
  options: Options,
): Promise<ColdObjects | undefined> {
  return walk(store, artifacts, options, async (key) => store.cold?.thaw(key, how));
}

async function walk(
  store: Store,
  artifacts: readonly ArtifactRef[],
  { signal, onProgress }: Options,
  onFrozen: (key: string) => Promise<unknown>,
): Promise<ColdObjects | undefined> {
  const { cold } = store;
  if (cold === undefined) return undefined;
  // What is damaged or missing is told by the restore, which needs it.
  const verdict = new Verdict({ vaultId: '', manifestKey: '', manifestSha256: '', level: 'presence' });
  const named = [...(await new SumsWalk(store, verdict, signal).walk(artifacts))];
  const found = { objects: named.length, bytes: 0, frozen: 0, thawing: 0, notReadyBytes: 0 };
  let done = 0;
  await mapBounded(named, LOOKS_AT_ONCE, async ([key, { sizeBytes }]) => {
    signal.throwIfAborted();
    const state = (await verdict.try(key, () => cold.state(key))) ?? 'ready';
    found.bytes += sizeBytes;
    if (state !== 'ready') found.notReadyBytes += sizeBytes;
    if (state === 'thawing') found.thawing += 1;
    if (state === 'frozen') {
      found.frozen += 1;
      await verdict.try(key, () => onFrozen(key));
    }
    done += 1;
    if (done % 64 === 0) onProgress?.(done, named.length);
  });
  return found;
}
