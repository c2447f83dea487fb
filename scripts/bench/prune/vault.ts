/**
 * A vault of ten thousand backups of a hundred thousand chunks each, a million chunks in all: real manifests, signed, and
 * real trees of checksums in a directory. Only the chunks are no files but a list of their ids: a prune never reads them.
 */
import { createHash, randomBytes } from 'node:crypto';
import { open, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { openStore, type Store } from '../../../src/stores/index.ts';
import { NAMESPACES, signerOf, signRecord } from '../../../src/vault/envelope.ts';
import { generateKeys, initVault, parseChunkIdKey } from '../../../src/vault/index.ts';
import { backupIdOf, manifestKeyOf, objectKey, sha256Hex } from '../../../src/vault/names.ts';
import type { ManifestBody } from '../../../src/vault/types.ts';

export interface VaultSize {
  readonly backups: number;
  readonly leaves: number;
  readonly chunksInLeaf: number;
  /** Of the one leaf that a backup changes. */
  readonly newChunks: number;
}

export const FULL: VaultSize = { backups: 10_000, leaves: 98, chunksInLeaf: 1024, newChunks: 90 };
export const CHUNK_BYTES = 400_000;
export const SYSTEM = 'bench';
const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;

export interface BenchVault {
  readonly storePath: string;
  /** 32 bytes a chunk. */
  readonly idsPath: string;
  readonly rootFingerprint: string;
  readonly chunks: number;
}

export async function makeVault(directory: string, size: VaultSize, say: (text: string) => void): Promise<BenchVault> {
  const storePath = join(directory, 'store');
  const idsPath = join(directory, 'chunk-ids');
  const store = await openDirectory(storePath);
  const keys = generateKeys(SYSTEM);
  const validFrom = new Date(Date.now() - 1000 * DAY_MS);
  const { vaultId } = await initVault({
    store,
    system: SYSTEM,
    recipients: [keys.operations.recipient, keys.escrow.recipient],
    chunkIdKey: parseChunkIdKey(keys.chunkIdKey),
    rootKey: keys.root.privateKey,
    signers: [
      {
        name: 'host',
        publicKey: keys.signer.publicKey,
        role: 'capture',
        validFrom,
        validUntil: new Date(Date.now() + 365 * DAY_MS),
      },
    ],
  });
  const signer = signerOf(keys.signer.privateKey);
  const ids = await open(idsPath, 'w');
  let chunks = 0;
  const newChunks = async (count: number): Promise<string[]> => {
    const bytes = randomBytes(32 * count);
    await ids.write(bytes);
    chunks += count;
    return Array.from({ length: count }, (_, at) => bytes.toString('hex', at * 32, at * 32 + 32));
  };
  const leaves: { chunks: string[]; sums: string }[] = [];
  for (let leaf = 0; leaf < size.leaves; leaf += 1) {
    const own = await newChunks(size.chunksInLeaf);
    leaves.push({ chunks: own, sums: await storeLeaf(store, own) });
  }
  let previousSha256: string | null = null;
  for (let index = 0; index < size.backups; index += 1) {
    const leaf = leaves[index % size.leaves];
    if (leaf !== undefined) {
      const at = (index * 7) % (size.chunksInLeaf - size.newChunks);
      leaf.chunks.splice(at, size.newChunks, ...(await newChunks(size.newChunks)));
      leaf.sums = await storeLeaf(store, leaf.chunks);
    }
    const root = await storeNode(
      store,
      [randomId()],
      leaves.map(({ sums }) => sums),
    );
    const startedAtMs = Date.now() - 2 * DAY_MS - (size.backups - index) * HOUR_MS;
    const body = manifestOf({ vaultId, index, startedAtMs, root, previousSha256, signer: signer.fingerprint });
    const bytes = signRecord(body, NAMESPACES.manifest, signer);
    previousSha256 = sha256Hex(bytes);
    await store.put(body.key, bytes, { createOnly: true });
    const stored = new Date(startedAtMs + 61_000);
    await utimes(join(storePath, body.key), stored, stored);
    if (index % 1000 === 999) say(`  ${index + 1} backups, ${chunks} chunks`);
  }
  await ids.close();
  await store.close();
  return { storePath, idsPath, rootFingerprint: keys.root.fingerprint, chunks };
}

export function openDirectory(path: string): Promise<Store> {
  const config = { name: 'bench', kind: 'directory', path, mustBeMounted: false } as const;
  return openStore(config, () => Promise.reject(new Error('a directory needs no secret')));
}

function storeLeaf(store: Store, chunks: readonly string[]): Promise<string> {
  return storeNode(store, [randomId()], [], chunks);
}

async function storeNode(
  store: Store,
  lists: readonly string[],
  children: readonly string[],
  chunks: readonly string[] = [],
): Promise<string> {
  const objects = [
    ...lists.map((id) => [objectKey('lists', id), 60_000, id]),
    ...chunks.map((id) => [objectKey('chunks', id), CHUNK_BYTES, createHash('sha256').update(id).digest('hex')]),
  ];
  const bytes = Buffer.from(JSON.stringify({ format: 1, objects, children }));
  const id = sha256Hex(bytes);
  await store.put(objectKey('sums', id), zstdCompressSync(bytes), { createOnly: true });
  return id;
}

const randomId = (): string => randomBytes(32).toString('hex');

function manifestOf(given: {
  readonly vaultId: string;
  readonly index: number;
  readonly startedAtMs: number;
  readonly root: string;
  readonly previousSha256: string | null;
  readonly signer: string;
}): ManifestBody {
  const { vaultId, index, startedAtMs, signer, previousSha256 } = given;
  const captureId = `run-${index}`;
  const id = backupIdOf(vaultId, captureId);
  const at = new Date(startedAtMs).toISOString();
  const ref = {
    name: 'tree.tar',
    mediaType: 'application/x-tar',
    lengthBytes: 100_000 * 1_048_576,
    root: randomId(),
    depth: 2,
    chunks: 100_000,
    sums: given.root,
  } as const;
  const counts = {
    chunksNew: 90,
    chunksReused: 100_000,
    readBytes: 1,
    storedBytes: 1,
    filesSeen: 1,
    changed: [],
    changedCount: 0,
  };
  return {
    format: 1,
    key: manifestKeyOf('hourly', startedAtMs, id),
    vaultId,
    system: SYSTEM,
    site: 'here',
    plan: 'hourly',
    id,
    captureId,
    purpose: 'backup',
    startedAt: at,
    pointAt: at,
    finishedAt: new Date(startedAtMs + 60_000).toISOString(),
    epoch: '0'.repeat(16),
    generation: 1,
    components: [
      {
        name: 'files',
        kind: 'files',
        tier: 'critical',
        host: 'host',
        capturedAt: at,
        artifacts: [ref],
        facts: {},
        warnings: [],
        counts,
      },
    ],
    systemFile: ref,
    freezes: [],
    signer,
    sequence: index + 1,
    previousSha256,
    holdfastVersion: 'bench',
  };
}
