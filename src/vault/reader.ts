/** Reading backups with an identity: catalogue, artifacts, verification of content. */
import { HoldfastError } from '../failures.ts';
import type { ArtifactReader } from '../part.ts';
import { parseIdentities } from '../seal/index.ts';
import type { Store } from '../stores/store.ts';
import { VaultArtifactReader } from './artifact-reader.ts';
import { checkAdded } from './verify/check-added.ts';
import { readCatalogue, readOneEntry, type CatalogueSource } from './catalogue.ts';
import { verifyContent } from './verify/content.ts';
import { openEpochReader, sourceOf, type EpochReader } from './epoch-reader.ts';
import { readHead } from './head.ts';
import type { ObjectSource } from './sums.ts';
import { readTrustRoots } from './trust.ts';
import type {
  ArtifactRef,
  BackupReader,
  CatalogueEntry,
  ProofBody,
  ReaderKeys,
  ReaderVault,
  StoredArtifact,
} from './types.ts';

export interface ReaderVaultOptions {
  readonly store: Store;
  readonly keys: ReaderKeys;
  /** Refused when the vault belongs to another system. */
  readonly system?: string;
  /** Threads that open chunks. Default: the number of cores. */
  readonly threads?: number;
}

/** Throws NotAVault, VaultFormat, BadInput for identities that are none. */
export async function openReaderVault(options: ReaderVaultOptions): Promise<ReaderVault> {
  parseIdentities(options.keys.identities);
  const head = await readHead(options.store, options.system);
  const roots = await readTrustRoots(options.store, head.vaultId, options.keys.rootFingerprint);
  return new Reader(options, { store: options.store, vaultId: head.vaultId, roots });
}

class Reader implements ReaderVault {
  readonly vaultId: string;
  private readonly options: ReaderVaultOptions;
  private readonly source: CatalogueSource;
  private readonly epochs = new Map<string, Promise<EpochReader>>();

  constructor(options: ReaderVaultOptions, source: CatalogueSource) {
    this.vaultId = source.vaultId;
    this.options = options;
    this.source = source;
  }

  catalogue(options: { plan?: string; signal?: AbortSignal } = {}): Promise<CatalogueEntry[]> {
    return readCatalogue(this.source, options);
  }

  async open(manifestKey: string): Promise<BackupReader> {
    const entry = await readOneEntry(this.source, manifestKey);
    if (!entry.trust.ok) throw new HoldfastError('Untrusted', `${manifestKey}: ${entry.trust.why}`);
    const epoch = await this.epoch(entry.body.epoch);
    return new Backup(entry, await sourceOf(this.options.store, epoch, entry.body), epoch);
  }

  async artifacts(epoch: string, refs: readonly ArtifactRef[]): Promise<readonly ArtifactReader[]> {
    const from = { store: this.options.store, ...(await this.epoch(epoch)) };
    return refs.map((ref) => new VaultArtifactReader(ref, from));
  }

  async checkAdded(
    epoch: string,
    artifacts: readonly StoredArtifact[],
    options: { signal: AbortSignal; onProgress?: (doneBytes: number) => void },
  ): Promise<void> {
    const { keys, pool } = await this.epoch(epoch);
    await checkAdded({ store: this.options.store, keys, pool, artifacts, ...options });
  }

  async verifyContent(
    manifestKey: string,
    options: { signal: AbortSignal; onProgress?: (doneBytes: number, totalBytes: number) => void },
  ): Promise<ProofBody> {
    return verifyContent({ ...this.source, manifestKey, epoch: (name) => this.epoch(name), ...options });
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.epochs.values());
    this.epochs.clear();
    await Promise.all(opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value.pool.close()] : [])));
  }

  private epoch(name: string): Promise<EpochReader> {
    const known = this.epochs.get(name);
    if (known !== undefined) return known;
    const { store, keys, threads } = this.options;
    const opening = openEpochReader(store, name, keys.identities, threads);
    this.epochs.set(name, opening);
    opening.catch(() => this.epochs.delete(name));
    return opening;
  }
}

class Backup implements BackupReader {
  readonly entry: CatalogueEntry;
  private readonly store: ObjectSource;
  private readonly epoch: EpochReader;

  constructor(entry: CatalogueEntry, store: ObjectSource, epoch: EpochReader) {
    this.entry = entry;
    this.store = store;
    this.epoch = epoch;
  }

  async systemFileText(): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const bytes of this.reader(this.entry.body.systemFile).read()) parts.push(bytes);
    return Buffer.concat(parts).toString('utf8');
  }

  artifacts(component: string): Promise<readonly ArtifactReader[]> {
    const found = this.entry.body.components.find(({ name }) => name === component);
    if (found === undefined) {
      const there = this.entry.body.components.map(({ name }) => name).join(', ');
      throw new HoldfastError('BackupMissing', `${this.entry.key} has no component ${component}; it has ${there}`);
    }
    return Promise.resolve(found.artifacts.map((ref) => this.reader(ref)));
  }

  private reader(ref: ArtifactRef): VaultArtifactReader {
    return new VaultArtifactReader(ref, { store: this.store, ...this.epoch });
  }
}
