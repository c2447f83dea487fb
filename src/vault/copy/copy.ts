/** Bringing one store up to what the others hold. Opens no chunk and needs no identity. */
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import type { BasePoint } from '../../policy/reachable.ts';
import { carryAudit, carryHolds, copyBackup, sendAgain, type BackupToCopy, type Copied } from './backup.ts';
import type { CopyTally } from './objects.ts';
import { ObjectsThere } from './there.ts';
import { copyWal, type WalCopied } from './wal.ts';
import { surveyStores, type Surveyed } from './survey.ts';
import { NAMESPACES, signerOf, signRecord, type Signer } from '../envelope.ts';
import { readHead } from '../head.ts';
import { copySigners, copyTrust, requireSameVault } from '../join.ts';
import { getManifest, judgeManifest, parseAtManifestKey } from '../manifest.ts';
import { proofKeyOf, sha256Hex } from '../names.ts';
import { verifyPresence } from '../verify/presence.ts';
import { readSweeps } from '../sweep/sweeps.ts';
import { readTrustRoots, type TrustRoots } from '../trust.ts';
import type { ProofBody } from '../types.ts';

export interface CopyOptions {
  readonly target: Store;
  /** In the order of preference. One that does not answer is passed over when another does. */
  readonly sources: readonly Store[];
  readonly system: string;
  readonly rootFingerprint: string;
  /** OpenSSH private key text, of a keeper or a capturing host: signs the records of copies. */
  readonly signerKey: string;
  readonly signal: AbortSignal;
  /** Objects at once; default for stores of the network. */
  readonly atOnce?: number;
}

export interface VaultCopy {
  readonly vaultId: string;
  readonly tally: CopyTally;
  /** Sources that did not answer, with the reason. */
  readonly silent: readonly { readonly store: Store; readonly error: HoldfastError }[];
  /** Backups of any store of those asked for, newest first. */
  survey(wanted: (plan: string, backupId: string) => boolean): Promise<Surveyed[]>;
  /** See `copyBackup`. */
  copy(manifestKey: string, onProgress: (done: { objects: number; of: number }) => void): Promise<Copied>;
  /** Holds and releases that are newer than the copies of these backups. */
  carryHolds(backupIds: ReadonlySet<string>): Promise<void>;
  /** Records of the audit log that the target lacks. */
  carryAudit(): Promise<void>;
  /** Log of a component that the target lacks and these base backups need. */
  copyWal(component: string, from: readonly BasePoint[], onProgress: (pieces: number) => void): Promise<WalCopied>;
  /** Presence in the target; what is missing or damaged is sent again first. The verdict is signed and stored there. */
  verify(manifestKey: string, onProgress: (done: number, total: number) => void): Promise<ProofBody>;
}

/** Throws NotAVault when there is none, or another vault in the target; what a source says when none answers. */
export async function openCopy(options: CopyOptions): Promise<VaultCopy> {
  const { target, system, rootFingerprint, signal } = options;
  const head = await readHead(target, system);
  const sources: Store[] = [];
  const silent: { store: Store; error: HoldfastError }[] = [];
  for (const store of options.sources) {
    try {
      requireSameVault({ store: target, head }, { store, head: await readHead(store, system) });
      // Keys of epochs come with what is sealed by them: a prune may have removed the others.
      await copySigners(store, target, signal);
      sources.push(store);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError) || !isPassedOver(error)) throw error;
      silent.push({ store, error });
    }
  }
  const [first] = silent;
  if (sources.length === 0)
    throw first?.error ?? new HoldfastError('BadInput', `nothing to copy to ${target.label} from`);
  const roots = await readTrustRoots(target, head.vaultId, rootFingerprint);
  const signer = signerOf(options.signerKey);
  return new Copy({ ...options, sources, silent, vaultId: head.vaultId, roots, signer });
}

/** What keeps a source from being read. That it is another vault is told, not passed over. */
function isPassedOver({ code, waitingHelps }: HoldfastError): boolean {
  return waitingHelps || code === 'StoreDenied';
}

interface Parts extends CopyOptions {
  readonly silent: VaultCopy['silent'];
  readonly vaultId: string;
  readonly roots: TrustRoots;
  readonly signer: Signer;
}

class Copy implements VaultCopy {
  readonly vaultId: string;
  readonly tally: CopyTally = { objects: 0, bytes: 0, replaced: 0 };
  readonly silent: VaultCopy['silent'];
  private readonly the: Parts;
  private readonly there: ObjectsThere;
  private sweepsSeen: string | undefined;

  constructor(parts: Parts) {
    this.the = parts;
    this.vaultId = parts.vaultId;
    this.silent = parts.silent;
    this.there = new ObjectsThere(parts.target, parts.signal);
  }

  survey(wanted: (plan: string, backupId: string) => boolean): Promise<Surveyed[]> {
    return surveyStores(this.the, wanted);
  }

  async copy(manifestKey: string, onProgress: (done: { objects: number; of: number }) => void): Promise<Copied> {
    const backup = await this.backup(manifestKey);
    // What a sweep removed since is looked for again.
    const done = (await readSweeps(this.the.target)).filter((sweep) => sweep.done).at(-1)?.name ?? '';
    if (this.sweepsSeen !== done) this.there.forget();
    this.sweepsSeen = done;
    return copyBackup(backup, { ...this.the, tally: this.tally, there: this.there, onProgress });
  }

  carryHolds(backupIds: ReadonlySet<string>): Promise<void> {
    return carryHolds(this.the, (backupId) => backupIds.has(backupId));
  }

  carryAudit(): Promise<void> {
    return carryAudit(this.the);
  }

  async copyWal(
    component: string,
    from: readonly BasePoint[],
    onProgress: (pieces: number) => void,
  ): Promise<WalCopied> {
    for (const store of this.the.sources) await copyTrust(store, this.the.target, this.the.signal);
    return copyWal(component, from, { ...this.the, onProgress });
  }

  async verify(manifestKey: string, onProgress: (done: number, total: number) => void): Promise<ProofBody> {
    const { target, signer } = this.the;
    const input = { ...this.the, store: target, manifestKey, onProgress };
    let { proof } = await verifyPresence(input);
    if (!proof.ok) {
      await sendAgain(await this.backup(manifestKey), { ...this.the, tally: this.tally });
      ({ proof } = await verifyPresence(input));
    }
    const bytes = signRecord({ ...proof, signer: signer.fingerprint }, NAMESPACES.proof, signer);
    const key = proofKeyOf(manifestKey, proof.level, Date.parse(proof.at), sha256Hex(bytes));
    await target.put(key, bytes, { createOnly: true });
    return proof;
  }

  /** From the first source that has it, trusted. Throws Untrusted, BackupMissing. */
  private async backup(key: string): Promise<BackupToCopy> {
    let why: string | undefined;
    for (const store of this.the.sources) {
      try {
        const bytes = await getManifest(store, key);
        const found = parseAtManifestKey(bytes, key);
        if (found.kind === 'tombstone') continue;
        judgeManifest(this.the.roots, this.vaultId, key, found.record);
        const sources = [store, ...this.the.sources.filter((other) => other !== store)];
        return { body: found.record.body, bytes, sources };
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
        if (error.code !== 'BackupMissing') why ??= `${store.label}: ${error.message}`;
      }
    }
    if (why !== undefined) throw new HoldfastError('Untrusted', `${key}: ${why}`);
    throw new HoldfastError('BackupMissing', `${key} is in no other store any more`);
  }
}

export type { Surveyed } from './survey.ts';
