/** Manifests and the tombstones that may stand in their place: making, reading and judging them. */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { NAMESPACES, readRecord, signRecord, type OpenedRecord, type Signer } from './envelope.ts';
import { manifestSchema, tombstoneSchema, type Tombstone } from './formats.ts';
import { backupIdOfKey, FORMAT, sha256Hex } from './names.ts';
import { checkClaim, type TrustRoots } from './trust.ts';
import type { ArtifactRef, ManifestBody } from './types.ts';

export type AtManifestKey =
  | { readonly kind: 'manifest'; readonly record: OpenedRecord<ManifestBody>; readonly sha256: string }
  | { readonly kind: 'tombstone'; readonly record: OpenedRecord<Tombstone> };

/** Parses what stands at a manifest's name, without judging it. Throws ObjectCorrupt, VaultFormat. */
export function parseAtManifestKey(bytes: Uint8Array, key: string): AtManifestKey {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (text.includes('\\"kind\\":\\"tombstone\\"')) {
    const tombstone = tryTombstone(bytes, key);
    if (tombstone !== undefined) return { kind: 'tombstone', record: tombstone };
  }
  return { kind: 'manifest', record: readRecord(manifestSchema, bytes, key), sha256: sha256Hex(bytes) };
}

/** Throws BackupMissing. */
export async function readAtManifestKey(store: Store, key: string): Promise<AtManifestKey> {
  return parseAtManifestKey(await getManifest(store, key), key);
}

/** The stored bytes of a manifest. Throws BackupMissing. */
export async function getManifest(store: Store, key: string): Promise<Uint8Array> {
  if (backupIdOfKey(key) === undefined) throw new HoldfastError('BackupMissing', `${key} is not the name of a backup`);
  try {
    return await store.get(key);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ObjectMissing') {
      throw new HoldfastError('BackupMissing', `${store.label} holds no backup ${key}`, { cause: error });
    }
    throw error;
  }
}

/** Trusted or not. False also for what can't be read, and for what is gone since it was listed. */
export async function isTombstone(store: Store, key: string): Promise<boolean> {
  try {
    return parseAtManifestKey(await store.get(key), key).kind === 'tombstone';
  } catch (error) {
    if (error instanceof HoldfastError && UNREADABLE.includes(error.code)) return false;
    throw error;
  }
}

const UNREADABLE: readonly string[] = ['ObjectCorrupt', 'VaultFormat', 'ObjectMissing'];

/** Throws Untrusted with the reason. `key` is where it was found: a copy under another name is refused. */
export function judgeManifest(
  roots: TrustRoots,
  vaultId: string,
  key: string,
  record: OpenedRecord<ManifestBody>,
): void {
  const { body } = record;
  if (body.key !== key) throw new HoldfastError('Untrusted', `it was written as ${body.key} and lies at ${key}`);
  checkClaim(roots, record, { namespace: NAMESPACES.manifest, vaultId, at: body.finishedAt });
}

/** Throws Untrusted with the reason. */
export function judgeTombstone(roots: TrustRoots, vaultId: string, key: string, record: OpenedRecord<Tombstone>): void {
  const { body } = record;
  if (body.key !== key) throw new HoldfastError('Untrusted', `it was written as ${body.key} and lies at ${key}`);
  checkClaim(roots, record, { namespace: NAMESPACES.tombstone, vaultId, at: body.at });
}

/** Every artifact of a backup, the system file's too. */
export function artifactsOf(body: ManifestBody): ArtifactRef[] {
  return [...body.components.flatMap((component) => component.artifacts), body.systemFile];
}

/** Settles a capture: from now on no manifest can appear at its name. */
export function tombstoneBytes(
  input: { vaultId: string; manifestKey: string; captureId: string; why: Tombstone['why']; atMs: number },
  signer: Signer,
): Buffer {
  const body: Tombstone = {
    format: FORMAT,
    kind: 'tombstone',
    key: input.manifestKey,
    vaultId: input.vaultId,
    captureId: input.captureId,
    why: input.why,
    at: new Date(input.atMs).toISOString(),
    signer: signer.fingerprint,
  };
  return signRecord(body, NAMESPACES.tombstone, signer);
}

function tryTombstone(bytes: Uint8Array, key: string): OpenedRecord<Tombstone> | undefined {
  try {
    return readRecord(tombstoneSchema, bytes, key);
  } catch (error) {
    // A manifest may well contain the words: then it is read as one, and that says what is wrong with it.
    if (error instanceof HoldfastError && error.code === 'ObjectCorrupt') return undefined;
    throw error;
  }
}
