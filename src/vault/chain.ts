/**
 * A signer's manifests are numbered, and each names the hash of the one before, so that one removed in between shows.
 * Where the chain stands is kept on the host, and found again from the store when the host lost it.
 */
import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';

import { HoldfastError } from '../failures.ts';
import { keysIn } from './listed.ts';
import { sha256Hex } from './names.ts';
import type { Store } from '../stores/store.ts';
import { mapBounded } from './mutex.ts';
import { parseAtManifestKey } from './manifest.ts';

const linkSchema = z.object({ sequence: z.number().int().positive(), sha256: z.string(), key: z.string() });
export type ChainLink = z.infer<typeof linkSchema>;
/** `in` is the store that the pending one was announced for; absent in files of older releases. */
const pendingSchema = linkSchema.extend({ in: z.string().exactOptional() });
const stateSchema = z.object({ last: linkSchema.nullable(), pending: pendingSchema.nullable() });
type ChainState = z.infer<typeof stateSchema>;

export class Chain {
  private readonly path: string;
  private readonly store: Store;
  private readonly signer: string;

  constructor(directory: string, store: Store, signer: string) {
    // One for all stores of the vault: whichever takes the next backup, it follows the one before.
    this.path = join(directory, `chain-${sha256Hex(Buffer.from(signer)).slice(0, 16)}.json`);
    this.store = store;
    this.signer = signer;
  }

  /** The signer's last committed manifest; null before the first. */
  async last(): Promise<ChainLink | null> {
    const state = await this.read();
    if (state === undefined) return this.findInStore();
    const { last, pending } = state;
    if (pending === null) return last;
    if (await this.isCommitted(pending)) return pending;
    if (pending.in === undefined || pending.in === this.store.label) return last;
    // It was meant for a store that is out of reach, and may be there: its number is never given twice.
    return { sequence: pending.sequence, sha256: last?.sha256 ?? pending.sha256, key: last?.key ?? pending.key };
  }

  /** Say before the put what is about to be committed: a crash between put and `committed` is then found out. */
  async announce(last: ChainLink | null, pending: ChainLink): Promise<void> {
    // Durable, because a chain that a power cut set back would be forked by the next manifest.
    await this.write({ last, pending: { ...pending, in: this.store.label } }, { durable: true });
  }

  async committed(link: ChainLink): Promise<void> {
    await this.write({ last: link, pending: null });
  }

  private async isCommitted(link: ChainLink): Promise<boolean> {
    if ((await this.store.head(link.key)) === undefined) return false;
    return sha256Hex(await this.store.get(link.key)) === link.sha256;
  }

  private async findInStore(): Promise<ChainLink | null> {
    const keys = await keysIn(this.store, 'backups/');
    const links = await mapBounded(keys, 16, (key) => this.linkAt(key));
    return links.reduce<ChainLink | null>(
      (best, link) => (link !== undefined && link.sequence > (best?.sequence ?? 0) ? link : best),
      null,
    );
  }

  private async linkAt(key: string): Promise<ChainLink | undefined> {
    try {
      const found = parseAtManifestKey(await this.store.get(key), key);
      if (found.kind === 'tombstone' || found.record.body.signer !== this.signer) return undefined;
      return { sequence: found.record.body.sequence, sha256: found.sha256, key };
    } catch (error) {
      // What cannot be read is nobody's link; the catalogue reports it.
      if (error instanceof HoldfastError && (error.code === 'ObjectCorrupt' || error.code === 'VaultFormat'))
        return undefined;
      throw error;
    }
  }

  private async read(): Promise<ChainState | undefined> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return stateSchema.parse(JSON.parse(text));
    } catch {
      // Torn by a power cut: the store knows.
      return undefined;
    }
  }

  private async write(state: ChainState, options: { durable: boolean } = { durable: false }): Promise<void> {
    await writeFile(`${this.path}.new`, JSON.stringify(state), { mode: 0o600, flush: options.durable });
    await rename(`${this.path}.new`, this.path);
    if (options.durable) await syncDirectory(dirname(this.path));
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
