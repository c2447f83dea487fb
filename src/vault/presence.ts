/** Presence: each object a backup names is there, as long as when it was stored and with the same checksum. No keys. */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { epochKeyPath } from './epoch.ts';
import { artifactsOf, getManifest, judgeManifest, parseAtManifestKey } from './manifest.ts';
import { mapBounded } from './mutex.ts';
import { sha256Hex } from './names.ts';
import { SumsWalk, type Expected } from './sums.ts';
import type { TrustRoots } from './trust.ts';
import type { ManifestBody, ProofBody } from './types.ts';
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
  await mapBounded([...named], HEADS_AT_ONCE, async ([key, expected]) => {
    signal.throwIfAborted();
    await verdict.try(key, () => checkObject(store, key, expected));
    verdict.checked(expected.sizeBytes);
    done += 1;
    if (done % 64 === 0 || done === named.size) input.onProgress?.(done, named.size);
  });
  return { proof: verdict.proof(), missing: verdict.missing };
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

async function checkObject(store: Store, key: string, expected: Expected): Promise<void> {
  const info = await store.head(key);
  if (info === undefined) throw new HoldfastError('ObjectMissing', `${key} is missing`);
  if (info.sizeBytes !== expected.sizeBytes) {
    const what = `${key} has ${info.sizeBytes} bytes instead of ${expected.sizeBytes}`;
    throw new HoldfastError('ObjectCorrupt', `${what}; if it was stored again since, its content tells`);
  }
  const sha256 = expected.sha256 === null ? undefined : await store.storedSha256?.(key);
  if (sha256 !== undefined && sha256 !== expected.sha256) {
    throw new HoldfastError('ObjectCorrupt', `${key} has another checksum in the store than when it was written`);
  }
}
