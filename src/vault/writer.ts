/** Writing backups: begin, sessions, commit. Reads neither chunks nor lists, and never overwrites or deletes. */
import type { AuditHeadSeen } from '../policy/audit-chain.ts';
import { headsIn } from './audit/append.ts';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { HoldfastError } from '../failures.ts';
import type { Artifact } from '../part.ts';
import type { Store } from '../stores/store.ts';
import { Session } from './capture-session.ts';
import { Chain } from './chain.ts';
import { NAMESPACES, readRecord, signerOf, signRecord, type Signer } from './envelope.ts';
import { ensureKeyRecord, epochKeyPath, epochOf, type Epoch } from './epoch.ts';
import { captureSchema, type CaptureRecord } from './formats.ts';
import { readHead } from './head.ts';
import { readAtManifestKey, tombstoneBytes, type AtManifestKey } from './manifest.ts';
import { NamedMutex } from './mutex.ts';
import { backupIdOf, captureKeyOf, FORMAT, manifestKeyOf, proofKeyOf, sha256Hex } from './names.ts';
import { ObjectsHere } from './objects-here.ts';
import { verifyPresence } from './verify/presence.ts';
import { refuseDuringSweep } from './sweep/sweeps.ts';
import { readTrustRoots, requireAdmitted, type TrustRoots } from './trust.ts';
import type {
  ArtifactRef,
  CaptureProgress,
  CaptureSession,
  CaptureTicket,
  CommitInput,
  Committed,
  ManifestBody,
  ProofBody,
  WriterKeys,
  WriterVault,
} from './types.ts';
import { HOLDFAST_VERSION } from './version.ts';

export interface WriterVaultOptions {
  readonly store: Store;
  readonly system: string;
  readonly keys: WriterKeys;
  /** Of this system on this host; caches live under it, and losing them costs time only. */
  readonly stateDirectory: string;
  /** Threads that read and seal. Default: the number of cores. */
  readonly threads?: number;
  /** zstd level. */
  readonly level?: number;
}

/** Manifests of one chain are written one after another, also by several vaults open in this process. */
const commits = new NamedMutex();

/**
 * Opens a vault for capturing. Writes `keys/<epoch>` when the recipients are new. Throws NotAVault, VaultFormat,
 * Untrusted when the root has not admitted this host's signer, BadInput for keys that do not fit.
 */
export async function openWriterVault(options: WriterVaultOptions): Promise<WriterVault> {
  const { store, system, keys } = options;
  const head = await readHead(store, system);
  const signer = signerOf(keys.signerKey);
  const epoch = epochOf(keys.recipients, keys.chunkIdKey);
  const roots = await readTrustRoots(store, head.vaultId, keys.rootFingerprint);
  requireAdmitted(roots, signer.fingerprint, store.label);
  await ensureKeyRecord(store, head.vaultId, keys, signer);
  const directory = join(options.stateDirectory, 'vaults', head.vaultId);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return new Writer({ ...options, vaultId: head.vaultId, signer, epoch, roots, directory });
}

interface WriterParts extends WriterVaultOptions {
  readonly vaultId: string;
  readonly signer: Signer;
  readonly epoch: Epoch;
  readonly roots: TrustRoots;
  readonly directory: string;
}

class Writer implements WriterVault {
  readonly vaultId: string;
  private readonly the: WriterParts;
  private readonly chain: Chain;
  private objects: Promise<ObjectsHere> | undefined;

  constructor(parts: WriterParts) {
    this.the = parts;
    this.vaultId = parts.vaultId;
    this.chain = new Chain(parts.directory, parts.store, parts.signer.fingerprint);
  }

  async begin(input: { captureId: string; plan: string; startedAtMs: number }): Promise<CaptureTicket> {
    await refuseDuringSweep(this.the.store);
    const { record, repeated } = await this.recordCapture(this.captureRecord(input));
    await refuseDuringSweep(this.the.store, { recorded: true });
    if (repeated) await this.refuseSettled(record.manifestKey);
    await this.requireKeyRecord();
    const { captureId, manifestKey, backupId, plan, epoch, startedAt } = record;
    return { captureId, manifestKey, backupId, plan, epoch, startedAt };
  }

  /** A prune may have taken it away since the vault was opened; from the record on it leaves this epoch alone. */
  private async requireKeyRecord(): Promise<void> {
    const { store, keys, signer, epoch } = this.the;
    if ((await store.head(epochKeyPath(epoch.name))) !== undefined) return;
    await ensureKeyRecord(store, this.vaultId, keys, signer);
  }

  async prepare(ticket: CaptureTicket): Promise<void> {
    this.requireEpoch(ticket.epoch);
    (await this.openObjects()).warm(ticket.captureId);
  }

  async session(
    ticket: CaptureTicket,
    component: string,
    options: { signal: AbortSignal; readBack?: boolean; onProgress?: (progress: CaptureProgress) => void },
  ): Promise<CaptureSession> {
    this.requireEpoch(ticket.epoch);
    options.signal.throwIfAborted();
    const objects = await this.openObjects();
    await objects.heedSweeps();
    return new Session({
      writer: objects.writer,
      pool: () => objects.pool(ticket.captureId),
      ready: () => objects.ready(ticket.captureId),
      gear: objects.gear,
      reuse: await objects.reuseCache(component),
      signal: options.signal,
      readBack: options.readBack === true,
      onProgress: options.onProgress,
      settle: () => objects.settle(),
      onClose: () => undefined,
    });
  }

  async commit(input: CommitInput): Promise<Committed> {
    const { ticket } = input;
    this.requireEpoch(ticket.epoch);
    const { store } = this.the;
    if ((await store.head(ticket.manifestKey)) !== undefined) return this.ownManifest(ticket);
    const systemFile = await this.storeSystemFile(ticket, input.systemFileText);
    await (await this.openObjects()).settle();
    return commits.run(`${this.vaultId} ${this.the.signer.fingerprint}`, async () => {
      const last = await this.chain.last();
      const { heads, warnings } = await this.auditHeads();
      const body = this.manifestBody(input, systemFile, last, heads);
      const bytes = signRecord(body, NAMESPACES.manifest, this.the.signer);
      const link = { sequence: body.sequence, sha256: sha256Hex(bytes), key: body.key };
      await this.chain.announce(last, link);
      const outcome = await store.put(body.key, bytes, { createOnly: true, sha256: link.sha256 });
      if (outcome === 'exists') return this.ownManifest(ticket);
      await store.sync();
      await this.chain.committed(link);
      return { manifestKey: body.key, sha256: link.sha256, body, warnings };
    });
  }

  async abandon(ticket: CaptureTicket): Promise<void> {
    const { manifestKey, captureId } = ticket;
    const stone = { vaultId: this.vaultId, manifestKey, captureId, why: 'abandoned', atMs: Date.now() } as const;
    // A manifest that is there already stays: the capture was committed after all.
    await this.the.store.put(manifestKey, tombstoneBytes(stone, this.the.signer), { createOnly: true });
  }

  async verifyPresence(
    manifestKey: string,
    options: { signal: AbortSignal; onProgress?: (done: number, total: number) => void },
  ): Promise<ProofBody> {
    const { store, roots } = this.the;
    const input = { store, vaultId: this.vaultId, roots, manifestKey, ...options };
    const { proof, missing } = await verifyPresence(input);
    // A cache that still believed in them would leave them out of every backup to come.
    if (missing.length > 0) await (await this.openObjects()).forget(missing);
    return proof;
  }

  async writeProof(body: ProofBody): Promise<string> {
    const bytes = signRecord({ ...body, signer: this.the.signer.fingerprint }, NAMESPACES.proof, this.the.signer);
    const key = proofKeyOf(body.manifestKey, body.level, Date.parse(body.at), sha256Hex(bytes));
    await this.the.store.put(key, bytes, { createOnly: true });
    return key;
  }

  async close(): Promise<void> {
    const objects = await this.objects?.catch(() => undefined);
    await objects?.close();
  }

  private openObjects(): Promise<ObjectsHere> {
    const { store, epoch, keys, directory, threads, level } = this.the;
    this.objects ??= ObjectsHere.open({ store, epoch, recipients: keys.recipients, directory, threads, level });
    // A failure to open is not kept: the next call tries again.
    this.objects.catch(() => (this.objects = undefined));
    return this.objects;
  }

  private captureRecord(input: { captureId: string; plan: string; startedAtMs: number }): CaptureRecord {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(input.plan)) {
      throw new HoldfastError('BadInput', `${JSON.stringify(input.plan)} cannot be the name of a plan`);
    }
    const backupId = backupIdOf(this.vaultId, input.captureId);
    return {
      format: FORMAT,
      vaultId: this.vaultId,
      captureId: input.captureId,
      backupId,
      manifestKey: manifestKeyOf(input.plan, input.startedAtMs, backupId),
      plan: input.plan,
      epoch: this.the.epoch.name,
      startedAt: new Date(input.startedAtMs).toISOString(),
      signer: this.the.signer.fingerprint,
    };
  }

  /** The first record under a capture's id decides: a repeat takes over its manifest's name. */
  private async recordCapture(wanted: CaptureRecord): Promise<{ record: CaptureRecord; repeated: boolean }> {
    const { store, signer } = this.the;
    const key = captureKeyOf(wanted.backupId);
    const bytes = signRecord(wanted, NAMESPACES.capture, signer);
    if ((await store.put(key, bytes, { createOnly: true })) === 'written') return { record: wanted, repeated: false };
    const record = readRecord(captureSchema, await store.get(key), key).body;
    if (record.captureId !== wanted.captureId || record.vaultId !== wanted.vaultId) {
      throw new HoldfastError('Untrusted', `${key} belongs to another capture, ${record.captureId}`);
    }
    this.requireEpoch(record.epoch);
    return { record, repeated: true };
  }

  private requireEpoch(epoch: string): void {
    if (epoch === this.the.epoch.name) return;
    throw new HoldfastError('CaptureSuperseded', 'the recipients changed since this capture began', {
      hint: 'Start the backup again: it begins a new epoch, sealed to the new recipients.',
    });
  }

  private async refuseSettled(manifestKey: string): Promise<void> {
    if ((await this.the.store.head(manifestKey)) === undefined) return;
    refuseTombstone(await readAtManifestKey(this.the.store, manifestKey), manifestKey);
  }

  private async ownManifest(ticket: CaptureTicket): Promise<Committed> {
    const { manifestKey, captureId } = ticket;
    const { record, sha256 } = refuseTombstone(await readAtManifestKey(this.the.store, manifestKey), manifestKey);
    if (record.body.captureId !== captureId || record.signedBy !== this.the.signer.fingerprint) {
      throw new HoldfastError('Untrusted', `${manifestKey} is taken by another manifest, of ${record.body.captureId}`);
    }
    // Whoever wrote it may have ended before it was durable.
    await this.the.store.sync();
    return { manifestKey, sha256, body: record.body, warnings: [] };
  }

  private async storeSystemFile(ticket: CaptureTicket, text: string): Promise<ArtifactRef> {
    const session = await this.session(ticket, '.system', { signal: new AbortController().signal });
    try {
      return (await session.store(systemFileArtifact(text))).ref;
    } finally {
      await session.close();
    }
  }

  /** A backup is worth more than what it says of the log: one that can't be read costs the words, not the backup. */
  private async auditHeads(): Promise<{ heads: AuditHeadSeen[]; warnings: string[] }> {
    try {
      return { heads: await headsIn(this.the.store), warnings: [] };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const what = `The audit log of ${this.the.store.label} could not be read, so this backup vouches for nothing in it`;
      return { heads: [], warnings: [`${what}: ${error.message}`] };
    }
  }

  private manifestBody(
    input: CommitInput,
    systemFile: ArtifactRef,
    last: { sequence: number; sha256: string } | null,
    auditHeads: readonly AuditHeadSeen[],
  ): ManifestBody {
    const { ticket } = input;
    return {
      format: FORMAT,
      key: ticket.manifestKey,
      vaultId: this.vaultId,
      system: input.system,
      site: input.site,
      plan: ticket.plan,
      id: ticket.backupId,
      captureId: ticket.captureId,
      purpose: input.purpose,
      ...(input.tag === undefined ? {} : { tag: input.tag }),
      startedAt: ticket.startedAt,
      pointAt: input.pointAt,
      finishedAt: new Date().toISOString(),
      epoch: ticket.epoch,
      generation: input.generation,
      components: input.components,
      systemFile,
      freezes: input.freezes,
      signer: this.the.signer.fingerprint,
      sequence: (last?.sequence ?? 0) + 1,
      previousSha256: last?.sha256 ?? null,
      ...(auditHeads.length === 0 ? {} : { auditHeads }),
      holdfastVersion: HOLDFAST_VERSION,
    };
  }
}

function refuseTombstone(found: AtManifestKey, key: string): Extract<AtManifestKey, { kind: 'manifest' }> {
  if (found.kind === 'manifest') return found;
  const { why, at } = found.record.body;
  throw new HoldfastError('CaptureSuperseded', `${key}: the capture was settled at ${at} (${why})`);
}

function systemFileArtifact(text: string): Artifact {
  const bytes = new TextEncoder().encode(text);
  return {
    name: 'system.yaml',
    mediaType: 'application/octet-stream',
    async *segments() {
      yield await Promise.resolve({
        kind: 'stream' as const,
        cut: 'fixed' as const,
        async *open() {
          if (bytes.length > 0) yield await Promise.resolve(bytes);
        },
      });
    },
  };
}
