/** Presence: each object a backup names is there, as long as when it was stored and with the same checksum. No keys. */
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { epochKeyPath } from '../epoch.ts';
import { artifactsOf, getManifest, judgeManifest, parseAtManifestKey } from '../manifest.ts';
import { mapBounded } from '../mutex.ts';
import { sha256Hex } from '../names.ts';
import { isSealing, otherSealings } from '../sealings.ts';
import { SumsWalk, type Expected } from '../sums.ts';
import type { TrustRoots } from '../trust.ts';
import type { ManifestBody, ProofBody } from '../types.ts';
import { Verdict } from './verdict.ts';

const HEADS_AT_ONCE = 32;

export interface PresenceInput {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
  readonly manifestKey: string;
  readonly signal: AbortSignal;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Throws BackupMissing, and when the store cannot be asked; everything else is in the verdict. */
export async function verifyPresence(
  input: PresenceInput,
): Promise<{ readonly proof: ProofBody; readonly missing: readonly string[] }> {
  const { store, vaultId, manifestKey, signal } = input;
  const bytes = await getManifest(store, manifestKey);
  const verdict = new Verdict({ vaultId, manifestKey, manifestSha256: sha256Hex(bytes), level: 'presence' });
  const body = await verdict.try(manifestKey, () => trustedBody(input, bytes));
  if (body === undefined) return { proof: verdict.proof(), missing: [] };
  const named = await new SumsWalk(store, verdict, signal).walk(artifactsOf(body));
  await verdict.try(epochKeyPath(body.epoch), () => mustBeThere(store, epochKeyPath(body.epoch)));
  let done = 0;
  const different = new Map<string, Difference>();
  await mapBounded([...named], HEADS_AT_ONCE, async ([key, expected]) => {
    signal.throwIfAborted();
    const difference = await verdict.try(key, () => checkObject(store, key, expected));
    if (difference !== undefined) different.set(key, difference);
    verdict.checked(expected.sizeBytes);
    done += 1;
    if (done % 64 === 0 || done === named.size) input.onProgress?.(done, named.size);
  });
  await judgeDifferences(input, verdict, different);
  return { proof: verdict.proof(), missing: verdict.missing };
}

/** What is there in another form than this backup's checksums say. */
interface Difference {
  readonly sizeBytes: number;
  readonly sha256?: string;
  readonly what: string;
}

/** Sealed by another capture, which another trusted backup of this store vouches for, it is as good; else it is damage. */
async function judgeDifferences(
  { store, vaultId, roots, signal }: PresenceInput,
  verdict: Verdict,
  different: ReadonlyMap<string, Difference>,
): Promise<void> {
  const known = await otherSealings({ store, vaultId, roots }, new Set(different.keys()), signal);
  for (const [key, difference] of different) {
    if (!isSealing(difference, known.get(key))) verdict.bad(key, 'ObjectCorrupt', difference.what);
  }
}

function trustedBody(input: PresenceInput, bytes: Uint8Array): Promise<ManifestBody> {
  const { vaultId, roots, manifestKey } = input;
  const found = parseAtManifestKey(bytes, manifestKey);
  if (found.kind === 'tombstone') {
    throw new HoldfastError('BackupMissing', `${manifestKey} is the tombstone of a capture that never became a backup`);
  }
  judgeManifest(roots, vaultId, manifestKey, found.record);
  return Promise.resolve(found.record.body);
}

async function mustBeThere(store: Store, key: string): Promise<void> {
  if ((await store.head(key)) === undefined) throw new HoldfastError('ObjectMissing', `${key} is missing`);
}

/** Undefined: it is as this backup says. Throws ObjectMissing. */
async function checkObject(store: Store, key: string, expected: Expected): Promise<Difference | undefined> {
  const info = await store.head(key);
  if (info === undefined) throw new HoldfastError('ObjectMissing', `${key} is missing`);
  const { sizeBytes } = info;
  const sha256 = expected.sha256 === null ? undefined : await store.storedSha256?.(key);
  const mine = sha256 === undefined ? { sizeBytes } : { sizeBytes, sha256 };
  if (sizeBytes !== expected.sizeBytes) {
    const what = `${key} has ${sizeBytes} bytes instead of ${expected.sizeBytes}`;
    return { ...mine, what: `${what}; if it was stored again since, its content tells` };
  }
  if (sha256 === undefined || sha256 === expected.sha256) return undefined;
  return { ...mine, what: `${key} has another checksum in the store than when it was written` };
}
