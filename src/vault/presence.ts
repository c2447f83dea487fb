/** Presence: each object a backup names is there, as long as when it was stored and with the same checksum. No keys. */
import { zstdDecompressSync } from 'node:zlib';

import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { epochKeyPath } from './epoch.ts';
import { parseRecord, sumsNodeSchema, type SumsNode } from './formats.ts';
import { judgeManifest, parseAtManifestKey, getManifest } from './manifest.ts';
import { mapBounded } from './mutex.ts';
import { objectKey, sha256Hex } from './names.ts';
import type { TrustRoots } from './trust.ts';
import type { ArtifactRef, ManifestBody, ProofBody } from './types.ts';
import { Verdict } from './verdict.ts';

const MAX_SUMS_BYTES = 64 * 1024 * 1024;
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
export async function verifyPresence(input: PresenceInput): Promise<ProofBody> {
  const { store, vaultId, manifestKey, signal } = input;
  const bytes = await getManifest(store, manifestKey);
  const verdict = new Verdict({ vaultId, manifestKey, manifestSha256: sha256Hex(bytes), level: 'presence' });
  const body = await verdict.try(manifestKey, () => trustedBody(input, bytes));
  if (body === undefined) return verdict.proof();
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
  return verdict.proof();
}

/** Every artifact of a backup, the system file's too. */
export function artifactsOf(body: ManifestBody): ArtifactRef[] {
  return [...body.components.flatMap((component) => component.artifacts), body.systemFile];
}

interface Expected {
  readonly sizeBytes: number;
  readonly sha256: string | null;
}

/** Reads trees of checksums; shared nodes once. Each node's name is the SHA-256 of its content, down from the manifest. */
class SumsWalk {
  private readonly named = new Map<string, Expected>();
  private readonly seen = new Set<string>();
  private readonly store: Store;
  private readonly verdict: Verdict;
  private readonly signal: AbortSignal;

  constructor(store: Store, verdict: Verdict, signal: AbortSignal) {
    this.store = store;
    this.verdict = verdict;
    this.signal = signal;
  }

  async walk(artifacts: readonly ArtifactRef[]): Promise<Map<string, Expected>> {
    for (const { name, root, sums } of artifacts) {
      if (sums === undefined) {
        const what = `no checksums were stored for ${name}; verify its content instead`;
        this.verdict.bad(objectKey('lists', root), 'ObjectMissing', what);
      } else await this.node(sums);
    }
    return this.named;
  }

  private async node(id: string): Promise<void> {
    if (this.seen.has(id)) return;
    this.seen.add(id);
    this.signal.throwIfAborted();
    const node = await this.verdict.try(objectKey('sums', id), () => readSums(this.store, id));
    if (node === undefined) return;
    for (const [key, sizeBytes, sha256] of node.objects) this.named.set(key, { sizeBytes, sha256 });
    for (const child of node.children) await this.node(child);
  }
}

/** Throws ObjectMissing, ObjectCorrupt. */
export async function readSums(store: Store, id: string): Promise<SumsNode> {
  const key = objectKey('sums', id);
  const packed = await store.get(key);
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(packed, { maxOutputLength: MAX_SUMS_BYTES });
  } catch (cause) {
    throw new HoldfastError('ObjectCorrupt', `${key} cannot be decompressed`, { cause });
  }
  if (sha256Hex(bytes) !== id) throw new HoldfastError('ObjectCorrupt', `${key} does not have the content of its name`);
  return parseRecord(sumsNodeSchema, bytes, key);
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
    throw new HoldfastError('ObjectCorrupt', `${key} has ${info.sizeBytes} bytes instead of ${expected.sizeBytes}`);
  }
  const sha256 = expected.sha256 === null ? undefined : await store.storedSha256?.(key);
  if (sha256 !== undefined && sha256 !== expected.sha256) {
    throw new HoldfastError('ObjectCorrupt', `${key} has another checksum in the store than when it was written`);
  }
}
