/** The vault as the rest of the program sees it. The format itself is specified in docs/FORMAT.md. */
import type { Artifact, ArtifactReader, MediaType } from '../part.ts';
import type { ObjectInfo } from '../stores/store.ts';
import type { Tier } from '../system/types.ts';
import type { AuditHeadSeen } from '../policy/audit-chain.ts';
import type { AddedChunks } from './verify/added-chunks.ts';

/** Everything an artifact needs to be found again. Small: it travels through histories. */
export interface ArtifactRef {
  readonly name: string;
  readonly mediaType: MediaType;
  readonly lengthBytes: number;
  /** Id of the root node of the list tree. */
  readonly root: string;
  readonly depth: number;
  readonly chunks: number;
  /** Id of the root of the tree of stored checksums: what presence is checked by, without any key. */
  readonly sums?: string;
}

export interface StoreCounts {
  readonly chunksNew: number;
  readonly chunksReused: number;
  /** Plain bytes that were read to make this artifact. */
  readonly readBytes: number;
  /** Sealed bytes written. */
  readonly storedBytes: number;
  readonly filesSeen: number;
  /** Paths (shortened, at most 20) that changed while they were read. */
  readonly changed: readonly string[];
  readonly changedCount: number;
}

export interface ComponentRecord {
  readonly name: string;
  readonly kind: string;
  readonly tier: Tier;
  readonly host: string;
  readonly capturedAt: string;
  readonly artifacts: readonly ArtifactRef[];
  /** Facts of the kind: counts, owner, freeze, checks. JSON, small, no secrets, no file lists. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  readonly counts: StoreCounts;
}

export interface FreezeRecord {
  readonly mode: 'pause' | 'stop';
  readonly containers: readonly string[];
  readonly startedAt: string;
  /** How long the containers did not serve. */
  readonly downtimeMs: number;
}

/** The signed body of a manifest: the recovery point. */
export interface ManifestBody {
  readonly format: 1;
  /** Its own key in the store, so that a copy under another name shows. */
  readonly key: string;
  readonly vaultId: string;
  readonly system: string;
  readonly site: string;
  readonly plan: string;
  readonly id: string;
  readonly captureId: string;
  /** `safety` backups are never counted as newest, fresh or proved. */
  readonly purpose: 'backup' | 'safety';
  readonly tag?: string;
  readonly startedAt: string;
  /** The recovery point: every component is at least as new as this. */
  readonly pointAt: string;
  readonly finishedAt: string;
  readonly epoch: string;
  readonly generation: number;
  readonly components: readonly ComponentRecord[];
  /** The system file, sealed, as an artifact. */
  readonly systemFile: ArtifactRef;
  readonly freezes: readonly FreezeRecord[];
  readonly signer: string;
  readonly sequence: number;
  readonly previousSha256: string | null;
  /** The newest record of each audit log that the store held; absent where there was none, or it could not be read. */
  readonly auditHeads?: readonly AuditHeadSeen[];
  readonly holdfastVersion: string;
}

export type VerificationLevel = 'presence' | 'content' | 'restored';

/** A signed claim that a backup was verified. Verdicts go on after a bad one. */
export interface ProofBody {
  readonly format: 1;
  readonly vaultId: string;
  readonly manifestKey: string;
  readonly manifestSha256: string;
  readonly level: VerificationLevel;
  readonly at: string;
  readonly ok: boolean;
  readonly objectsChecked: number;
  readonly bytesChecked: number;
  /** At most 50, then `moreBad`. */
  readonly bad: readonly { readonly key: string; readonly code: string; readonly what: string }[];
  readonly moreBad: number;
  /** Empty until `writeProof` signs it. */
  readonly signer: string;
}

/** One line of the catalogue, read from the store alone. */
export interface CatalogueEntry {
  readonly key: string;
  /** When its manifest came into the store, by the store's clock; absent where it was not listed. */
  readonly storedAtMs?: number;
  /** Of a manifest that cannot be read: what its name says, and nothing else. */
  readonly body: ManifestBody;
  readonly sha256: string;
  /** Gaps in the signer's chain, proofs that do not hold: facts beside the verdict, for people. */
  readonly notes?: readonly string[];
  /** How far it can be trusted, with the reason when it can't. */
  readonly trust: { readonly ok: true } | { readonly ok: false; readonly why: string };
  /** Why it is no part of the history in force: made by a site that was fenced. */
  readonly apart?: string;
  readonly proofs: readonly ProofBody[];
}

/** Keys in memory, on the host that resolved them. Never serialised. */
export interface WriterKeys {
  readonly recipients: readonly string[];
  /** 32 bytes. */
  readonly chunkIdKey: Uint8Array;
  /** OpenSSH private key text. */
  readonly signerKey: string;
  readonly rootFingerprint: string;
}

export interface ReaderKeys {
  /** `AGE-SECRET-KEY-1…` lines. */
  readonly identities: readonly string[];
  /** Undefined: trust is only as good as the store's word; callers must have warned and asked. */
  readonly rootFingerprint?: string;
}

/** An open capture: captures/<id> is written and the sweeps were read. JSON: it travels between activities. */
export interface CaptureTicket {
  readonly captureId: string;
  readonly manifestKey: string;
  readonly backupId: string;
  readonly plan: string;
  readonly epoch: string;
  readonly startedAt: string;
  /** Under which the site was active when it began; absent for a system without a section `failover`. */
  readonly generation?: number;
  /** What is to be told with the backup. */
  readonly warnings?: readonly string[];
}

export interface CaptureProgress {
  readonly bytesDone: number;
  readonly filesDone: number;
  readonly chunksNew: number;
  readonly storedBytes: number;
}

/** An artifact as a capture stored it. */
export interface StoredArtifact {
  readonly ref: ArtifactRef;
  readonly added: AddedChunks;
}

/** Writes artifacts into the vault for one component. Safe to repeat: what is stored already is found. */
export interface CaptureSession {
  store(artifact: Artifact): Promise<{ ref: ArtifactRef; counts: StoreCounts; added: AddedChunks }>;
  /** Everything stored so far is durable when this resolves; the cache of known chunks is kept for next time. */
  finish(): Promise<void>;
  /** Everything that was stored with `readBack` was read back, and is as it should be. */
  wasReadBack(): void;
  /** Stops threads, keeps what is stored; always call it. */
  close(): Promise<void>;
}

export interface Committed {
  readonly manifestKey: string;
  readonly sha256: string;
  readonly body: ManifestBody;
  /** What the backup goes without; nothing that it is restored from. */
  readonly warnings: readonly string[];
}

export interface CommitInput {
  readonly ticket: CaptureTicket;
  readonly system: string;
  readonly site: string;
  readonly purpose: 'backup' | 'safety';
  readonly tag?: string;
  readonly pointAt: string;
  readonly generation: number;
  readonly components: readonly ComponentRecord[];
  readonly systemFileText: string;
  readonly freezes: readonly FreezeRecord[];
}

export interface WriterVault {
  readonly vaultId: string;
  /** `captureId` decides the ticket: a repeat with the same id gives the same ticket. */
  begin(input: { captureId: string; plan: string; startedAtMs: number }): Promise<CaptureTicket>;
  /** Before a freeze: reads the caches and starts the threads, so that the freeze need not wait for either. */
  prepare(ticket: CaptureTicket): Promise<void>;
  session(
    ticket: CaptureTicket,
    component: string,
    /** With `readBack`, what is stored counts as unread until the session is told that it was read back. */
    options: { signal: AbortSignal; readBack?: boolean; onProgress?: (progress: CaptureProgress) => void },
  ): Promise<CaptureSession>;
  /**
   * Seals the system file, syncs the store, then writes the signed manifest create-only. A repeat finds its own
   * manifest and returns it. Throws CaptureSuperseded when a sweep's tombstone is there first.
   */
  commit(input: CommitInput): Promise<Committed>;
  /** The capture ended without a manifest: its record is closed. Stored chunks stay for the next run. */
  abandon(ticket: CaptureTicket): Promise<void>;
  /** Presence: each named object is there with its stored length and, where the store has one, checksum. */
  verifyPresence(
    manifestKey: string,
    options: { signal: AbortSignal; onProgress?: (done: number, total: number) => void },
  ): Promise<ProofBody>;
  writeProof(body: ProofBody): Promise<string>;
  close(): Promise<void>;
}

export interface BackupReader {
  readonly entry: CatalogueEntry;
  systemFileText(): Promise<string>;
  artifacts(component: string): Promise<readonly ArtifactReader[]>;
}

export interface ReaderVault {
  readonly vaultId: string;
  /** Newest first. Bad manifests are listed with their reason, never skipped in silence. */
  catalogue(options?: { plan?: string; signal?: AbortSignal }): Promise<CatalogueEntry[]>;
  /** Throws BackupMissing, Untrusted. */
  open(manifestKey: string): Promise<BackupReader>;
  /** Artifacts of a capture whose manifest is not written yet, for checks before the commit. */
  artifacts(epoch: string, refs: readonly ArtifactRef[]): Promise<readonly ArtifactReader[]>;
  /**
   * Reads back what a capture added before its manifest is written: the lists of its artifacts in full, which must name
   * the chunks that were captured, in their order, and each chunk that was not in the store before. Throws ObjectMissing,
   * ObjectCorrupt, WrongIdentity.
   */
  checkAdded(
    epoch: string,
    artifacts: readonly StoredArtifact[],
    options: { signal: AbortSignal; onProgress?: (doneBytes: number) => void },
  ): Promise<void>;
  /** Content: every chunk and list is fetched, opened and compared with its name and length. Goes on after a bad one. */
  verifyContent(
    manifestKey: string,
    options: { signal: AbortSignal; onProgress?: (doneBytes: number, totalBytes: number) => void },
  ): Promise<ProofBody>;
  close(): Promise<void>;
}

export type { ObjectInfo };
