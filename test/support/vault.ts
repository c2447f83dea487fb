/** A vault in a directory of its own, with keys made for it; and artifacts out of memory and files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Artifact, ChunkRecipe, MediaType, RecipeSegment, Segment } from '../../src/part.ts';
import { openStore, type Store } from '../../src/stores/index.ts';
import {
  generateKeys,
  initVault,
  openReaderVault,
  openWalSource,
  openWalWriter,
  openWriterVault,
  parseChunkIdKey,
  type ArtifactRef,
  type CaptureTicket,
  type ClosableWalSource,
  type ComponentRecord,
  type InitVaultOptions,
  type ReaderVault,
  type StoreCounts,
  type VaultKeySet,
  type WalWriter,
  type WriterKeys,
  type WriterVault,
} from '../../src/vault/index.ts';

export const SYSTEM = 'stack-under-test';

export interface TestVault extends AsyncDisposable {
  readonly directory: string;
  /** Where the store's objects lie, unless one was given. */
  readonly storePath: string;
  readonly statePath: string;
  readonly store: Store;
  readonly keys: VaultKeySet;
  readonly vaultId: string;
  /** Another store, with nothing in it. */
  emptyStore(): Promise<Store>;
  /** The writer reads and writes through `store` unless another is given. */
  writer(options?: { store?: Store; statePath?: string }): Promise<WriterVault>;
  reader(options?: { store?: Store; identity?: string; rootFingerprint?: string }): Promise<ReaderVault>;
  walWriter(component: string, options?: { store?: Store }): Promise<WalWriter>;
  walSource(component: string, systemIdentifier: string): Promise<ClosableWalSource | undefined>;
}

const DAY_MS = 86_400_000;

/** What a vault of `SYSTEM` is made with: one host, which may capture from yesterday on for a year. */
export function initOptions(keys: VaultKeySet): Omit<InitVaultOptions, 'store'> {
  return {
    system: SYSTEM,
    recipients: [keys.operations.recipient, keys.escrow.recipient],
    chunkIdKey: parseChunkIdKey(keys.chunkIdKey),
    rootKey: keys.root.privateKey,
    signers: [
      {
        name: 'host-a',
        publicKey: keys.signer.publicKey,
        role: 'capture',
        validFrom: new Date(Date.now() - DAY_MS),
        validUntil: new Date(Date.now() + 365 * DAY_MS),
      },
    ],
  };
}

/** Of that host. */
export function writerKeysOf(keys: VaultKeySet): WriterKeys {
  const { recipients, chunkIdKey } = initOptions(keys);
  return { recipients, chunkIdKey, signerKey: keys.signer.privateKey, rootFingerprint: keys.root.fingerprint };
}

/** In the store that is given, which is closed with it, or in a directory. */
export async function makeTestVault(options: { store?: Store } = {}): Promise<TestVault> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-vault-'));
  const storePath = join(directory, 'store');
  const statePath = join(directory, 'state');
  const store = options.store ?? (await openDirectory(storePath));
  const keys = generateKeys(SYSTEM);
  const { vaultId } = await initVault({ ...initOptions(keys), store });
  const writerKeys = writerKeysOf(keys);
  return {
    directory,
    storePath,
    statePath,
    store,
    keys,
    vaultId,
    emptyStore: () => openDirectory(join(directory, 'empty')),
    writer: (options = {}) =>
      openWriterVault({
        store: options.store ?? store,
        system: SYSTEM,
        keys: writerKeys,
        stateDirectory: options.statePath ?? statePath,
      }),
    reader: (options = {}) =>
      openReaderVault({
        store: options.store ?? store,
        system: SYSTEM,
        keys: {
          identities: [options.identity ?? keys.operations.identity],
          rootFingerprint: options.rootFingerprint ?? keys.root.fingerprint,
        },
      }),
    walWriter: (component, options = {}) =>
      openWalWriter({ store: options.store ?? store, system: SYSTEM, component, keys: writerKeys }),
    walSource: (component, systemIdentifier) =>
      openWalSource({
        store,
        system: SYSTEM,
        component,
        systemIdentifier,
        keys: { identities: [keys.operations.identity], rootFingerprint: keys.root.fingerprint },
      }),
    async [Symbol.asyncDispose]() {
      await store.close();
      // What a test did not wait for may be writing its last object.
      await rm(directory, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

export function openDirectory(path: string): Promise<Store> {
  return openStore({ name: 'test', kind: 'directory', path, mustBeMounted: false }, () =>
    Promise.reject(new Error('a directory needs no secret')),
  );
}

/** An artifact of segments made beforehand. */
export function artifactOf(
  name: string,
  segments: readonly Segment[],
  mediaType: MediaType = 'application/octet-stream',
): Artifact {
  return {
    name,
    mediaType,
    async *segments() {
      for (const segment of segments) yield await Promise.resolve(segment);
    },
  };
}

/** A stream of bytes, handed over in buffers of this length. */
export function streamSegment(bytes: Uint8Array, cut: 'content' | 'fixed' = 'content', bufferBytes = 65_536): Segment {
  return {
    kind: 'stream',
    cut,
    async *open() {
      for (let at = 0; at < bytes.length; at += bufferBytes) {
        yield await Promise.resolve(bytes.slice(at, at + bufferBytes));
      }
    },
  };
}

/** Chunks out of memory under a fingerprint; `reads` counts how often they had to be made. */
export function recipeSegment(fingerprint: string, chunks: readonly Uint8Array[]): RecipeSegment & { reads: number } {
  const segment = {
    kind: 'recipes' as const,
    fingerprint,
    settled: true,
    lengthBytes: chunks.reduce((sum, bytes) => sum + bytes.length, 0),
    files: 1,
    reads: 0,
    *recipes(): Iterable<ChunkRecipe> {
      segment.reads += 1;
      for (const bytes of chunks) yield { pieces: [{ kind: 'bytes', bytes }], lengthBytes: bytes.length };
    },
  };
  return segment;
}

export interface BackupInput {
  readonly captureId: string;
  readonly artifacts: readonly Artifact[];
  readonly plan?: string;
  readonly startedAtMs?: number;
  readonly signal?: AbortSignal;
}

export interface MadeBackup {
  readonly ticket: CaptureTicket;
  readonly manifestKey: string;
  readonly sha256: string;
  readonly refs: readonly ArtifactRef[];
  readonly counts: readonly StoreCounts[];
}

/** Begin, one component, commit. */
export async function backUp(writer: WriterVault, input: BackupInput): Promise<MadeBackup> {
  const { captureId, plan = 'daily', startedAtMs = Date.now() } = input;
  const ticket = await writer.begin({ captureId, plan, startedAtMs });
  const { refs, counts } = await captureInto(writer, ticket, input);
  const { manifestKey, sha256 } = await commitOf(writer, ticket, refs, counts);
  return { ticket, manifestKey, sha256, refs, counts };
}

export async function captureInto(
  writer: WriterVault,
  ticket: CaptureTicket,
  input: Pick<BackupInput, 'artifacts' | 'signal'>,
): Promise<{ refs: ArtifactRef[]; counts: StoreCounts[] }> {
  const signal = input.signal ?? new AbortController().signal;
  const session = await writer.session(ticket, 'ledger', { signal });
  try {
    const refs: ArtifactRef[] = [];
    const counts: StoreCounts[] = [];
    for (const artifact of input.artifacts) {
      const stored = await session.store(artifact);
      refs.push(stored.ref);
      counts.push(stored.counts);
    }
    await session.finish();
    return { refs, counts };
  } finally {
    await session.close();
  }
}

export function commitOf(
  writer: WriterVault,
  ticket: CaptureTicket,
  artifacts: readonly ArtifactRef[],
  counts: readonly StoreCounts[],
): ReturnType<WriterVault['commit']> {
  return writer.commit({
    ticket,
    system: SYSTEM,
    site: 'here',
    purpose: 'backup',
    pointAt: ticket.startedAt,
    generation: 1,
    components: [componentOf(artifacts, counts, ticket.startedAt)],
    systemFileText: `system: ${SYSTEM}\n`,
    freezes: [],
  });
}

function componentOf(
  artifacts: readonly ArtifactRef[],
  counts: readonly StoreCounts[],
  capturedAt: string,
): ComponentRecord {
  const none: StoreCounts = {
    chunksNew: 0,
    chunksReused: 0,
    readBytes: 0,
    storedBytes: 0,
    filesSeen: 0,
    changed: [],
    changedCount: 0,
  };
  const first = counts[0] ?? none;
  return {
    name: 'ledger',
    kind: 'files',
    tier: 'critical',
    host: 'host-a',
    capturedAt,
    artifacts,
    facts: {},
    warnings: [],
    counts: first,
  };
}

/** All bytes of an artifact, as one buffer: for small ones. */
export async function readAll(reader: { read(): AsyncIterable<Uint8Array> } | undefined): Promise<Buffer> {
  if (reader === undefined) throw new Error('there is no such artifact');
  const parts: Uint8Array[] = [];
  for await (const bytes of reader.read()) parts.push(bytes);
  return Buffer.concat(parts);
}

/** Bytes that a seed always gives, and that hardly compress. */
export function noise(seed: number, lengthBytes: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(lengthBytes / 4));
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return new Uint8Array(words.buffer, 0, lengthBytes);
}
