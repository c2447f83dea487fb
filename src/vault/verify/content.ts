/** Verification of content: every list and chunk of a backup is fetched, opened and compared with its name. */
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { checkChunk, WINDOW_CHUNKS } from '../artifact-reader.ts';
import { epochKeyPath } from '../epoch.ts';
import { readListNode, rootOf, type Placed } from '../lists.ts';
import { artifactsOf, getManifest, judgeManifest, parseAtManifestKey } from '../manifest.ts';
import { Gate } from '../mutex.ts';
import { objectKey, sha256Hex } from '../names.ts';
import { sourceOf, type EpochReader } from '../epoch-reader.ts';
import type { ObjectSource } from '../sums.ts';
import type { TrustRoots } from '../trust.ts';
import type { ManifestBody, ProofBody } from '../types.ts';
import { Verdict } from './verdict.ts';

export interface ContentInput {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
  readonly manifestKey: string;
  readonly epoch: (name: string) => Promise<EpochReader>;
  readonly signal: AbortSignal;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Throws BackupMissing, WrongIdentity (then nothing can be told), and when the store cannot be asked; everything else is
 * in the verdict, and the rest goes on. What several artifacts share is read once.
 */
export async function verifyContent(input: ContentInput): Promise<ProofBody> {
  const { store, vaultId, manifestKey } = input;
  const bytes = await getManifest(store, manifestKey);
  const verdict = new Verdict({ vaultId, manifestKey, manifestSha256: sha256Hex(bytes), level: 'content' });
  const body = await verdict.try(manifestKey, () => Promise.resolve(trusted(input, bytes)));
  if (body === undefined) return verdict.proof();
  const epoch = await input.epoch(body.epoch);
  if (epoch.lost !== undefined) verdict.bad(epochKeyPath(body.epoch), epoch.lost.code, epoch.lost.message);
  const source = await verdict.try(manifestKey, () => sourceOf(store, epoch, body));
  if (source !== undefined) await new ContentWalk({ ...input, source }, verdict, epoch, body).walk();
  return verdict.proof();
}

function trusted(input: ContentInput, bytes: Uint8Array): ManifestBody {
  const found = parseAtManifestKey(bytes, input.manifestKey);
  if (found.kind === 'tombstone') {
    throw new HoldfastError('Untrusted', `${input.manifestKey} is a tombstone: this capture never became a backup`);
  }
  judgeManifest(input.roots, input.vaultId, input.manifestKey, found.record);
  return found.record.body;
}

class ContentWalk {
  private readonly input: ContentInput & { readonly source: ObjectSource };
  private readonly verdict: Verdict;
  private readonly epoch: EpochReader;
  private readonly body: ManifestBody;
  private readonly gate = new Gate(WINDOW_CHUNKS);
  private readonly seen = new Set<string>();
  private readonly underWay = new Set<Promise<void>>();
  private failure: Error | undefined;
  private doneBytes = 0;

  constructor(
    input: ContentInput & { readonly source: ObjectSource },
    verdict: Verdict,
    epoch: EpochReader,
    body: ManifestBody,
  ) {
    this.input = input;
    this.verdict = verdict;
    this.epoch = epoch;
    this.body = body;
  }

  async walk(): Promise<void> {
    try {
      for (const ref of artifactsOf(this.body)) await this.node(rootOf(ref));
    } finally {
      await Promise.all(this.underWay);
    }
    if (this.failure !== undefined) throw this.failure;
    this.input.signal.throwIfAborted();
  }

  private get totalBytes(): number {
    return artifactsOf(this.body).reduce((sum, ref) => sum + ref.lengthBytes, 0);
  }

  private async node(node: Placed & { readonly level: number }): Promise<void> {
    const { source, signal } = this.input;
    signal.throwIfAborted();
    if (this.failure !== undefined) throw this.failure;
    const key = objectKey('lists', node.id);
    if (this.isRepeat(key, node.lengthBytes)) return;
    const entries = await this.verdict.try(key, () => readListNode(source, this.epoch.keys, node));
    this.verdict.checked(0);
    if (entries === undefined) return;
    for (const entry of entries) {
      if (node.level > 0) await this.node({ ...entry, level: node.level - 1 });
      else await this.startChunk(entry);
    }
  }

  private async startChunk(chunk: Placed): Promise<void> {
    if (this.isRepeat(objectKey('chunks', chunk.id), chunk.lengthBytes)) return;
    const release = await this.gate.acquire();
    const work: Promise<void> = this.chunk(chunk).finally(() => {
      release();
      this.underWay.delete(work);
    });
    this.underWay.add(work);
  }

  private async chunk(chunk: Placed): Promise<void> {
    const { source, signal } = this.input;
    if (this.failure !== undefined || signal.aborted) return;
    try {
      const key = objectKey('chunks', chunk.id);
      await this.verdict.try(key, () => checkChunk(source, this.epoch.pool, chunk, signal));
      this.verdict.checked(chunk.lengthBytes);
      this.progress(chunk.lengthBytes);
    } catch (error) {
      this.failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  private isRepeat(key: string, lengthBytes: number): boolean {
    const repeat = this.seen.has(key);
    if (repeat) this.progress(lengthBytes);
    this.seen.add(key);
    return repeat;
  }

  private progress(bytes: number): void {
    this.doneBytes += bytes;
    this.input.onProgress?.(this.doneBytes, this.totalBytes);
  }
}
