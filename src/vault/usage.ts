/** What lies in a store: bytes by component and class, what is shared, what no backup names, and how it grew. */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { openEpochReader } from './epoch-reader.ts';
import { keysIn } from './listed.ts';
import { readListNode, rootOf, type ListKeys, type Placed } from './lists.ts';
import { artifactsOf, judgeManifest, parseAtManifestKey } from './manifest.ts';
import { mapBounded } from './mutex.ts';
import { parseObjectKey } from './names.ts';
import type { VaultPlace } from './store-facts.ts';
import { readSums } from './sums.ts';
import type { ArtifactRef, ManifestBody } from './types.ts';

const READS_AT_ONCE = 16;

export interface UsageRow {
  /** A component; or what is none: see `OTHERS`. */
  readonly of: string;
  readonly class?: string;
  readonly objects: number;
  readonly bytes: number;
}

/** What is stored beside the objects of a single component. Names of components never begin with a parenthesis. */
export const OTHERS = {
  shared: '(shared)',
  system: '(system files)',
  unnamed: '(named by no backup)',
  records: '(records)',
  quarantine: '(quarantine)',
} as const;

export interface MonthOfGrowth {
  /** `2026-11`. */
  readonly month: string;
  readonly backups: number;
  /** Plain bytes of all that these backups hold. */
  readonly plainBytes: number;
  /** What was stored anew for them, sealed. */
  readonly storedBytes: number;
}

export interface Usage {
  readonly rows: readonly UsageRow[];
  readonly backups: number;
  /** Plain bytes of all backups, each counted whole. */
  readonly plainBytes: number;
  /** Plain bytes of what is in all of them, counted once; undefined without an identity that opens their lists. */
  readonly uniquePlainBytes?: number;
  /** Sealed bytes of the objects that backups name. */
  readonly storedBytes: number;
  readonly growth: readonly MonthOfGrowth[];
  /** Backups and nodes that could not be read: what they name counts as named by none. */
  readonly unread: number;
}

/** Lists the whole store, and reads manifests and checksums; with an identity also lists. */
export async function readUsage(place: VaultPlace, identities: readonly string[] | undefined): Promise<Usage> {
  const bodies = await readBodies(place);
  const owners = new Owners(place);
  for (const body of bodies.read) await owners.claimAll(body);
  const rows = await listed(place, owners);
  const named = rows.filter(({ of }) => !Object.values<string>(OTHERS).slice(2).includes(of) && !of.startsWith('wal '));
  const unique = identities === undefined ? undefined : await uniquePlain(place, bodies.read, identities);
  return {
    rows,
    backups: bodies.read.length,
    plainBytes: bodies.read.reduce((sum, body) => sum + plainOf(body), 0),
    ...(unique === undefined ? {} : { uniquePlainBytes: unique }),
    storedBytes: named.reduce((sum, { bytes }) => sum + bytes, 0),
    growth: growthOf(bodies.read),
    unread: bodies.unread + owners.unread,
  };
}

export function growthOf(bodies: readonly ManifestBody[]): MonthOfGrowth[] {
  const months = Map.groupBy(bodies, ({ finishedAt }) => new Date(finishedAt).toISOString().slice(0, 7));
  return [...months]
    .map(([month, own]) => ({
      month,
      backups: own.length,
      plainBytes: own.reduce((sum, body) => sum + plainOf(body), 0),
      storedBytes: own.reduce((sum, { components }) => sum + storedFor(components), 0),
    }))
    .toSorted((a, b) => (a.month < b.month ? -1 : 1));
}

function storedFor(components: ManifestBody['components']): number {
  return components.reduce((sum, { counts }) => sum + counts.storedBytes, 0);
}

function plainOf(body: ManifestBody): number {
  return artifactsOf(body).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

async function readBodies(place: VaultPlace): Promise<{ read: ManifestBody[]; unread: number }> {
  const keys = await keysIn(place.store, 'backups/', place.signal);
  const bodies = await mapBounded(keys, READS_AT_ONCE, (key) => bodyOf(place, key));
  const read = bodies.filter((body) => body !== undefined && body !== 'unread');
  return { read, unread: bodies.filter((body) => body === 'unread').length };
}

async function bodyOf(
  { store, roots, vaultId }: VaultPlace,
  key: string,
): Promise<ManifestBody | 'unread' | undefined> {
  const found = await unlessBad(async () => parseAtManifestKey(await store.get(key), key));
  if (found === undefined) return 'unread';
  if (found.kind === 'tombstone') return undefined;
  const judged = await unlessBad(() => {
    judgeManifest(roots, vaultId, key, found.record);
    return Promise.resolve(found.record.body);
  });
  return judged ?? 'unread';
}

/** Undefined for an object that is not there, or damaged: this counts bytes, and `verify` judges. */
async function unlessBad<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const isBad = error instanceof HoldfastError && !error.waitingHelps && error.code !== 'StoreDenied';
    if (isBad) return undefined;
    throw error;
  }
}

/** Which component each object belongs to. */
class Owners {
  unread = 0;
  private readonly store: Store;
  private readonly signal: AbortSignal;
  private readonly owner = new Map<string, string>();
  private readonly seen = new Set<string>();

  constructor({ store, signal }: VaultPlace) {
    this.store = store;
    this.signal = signal;
  }

  of(key: string): string {
    return this.owner.get(key) ?? OTHERS.unnamed;
  }

  async claimAll(body: ManifestBody): Promise<void> {
    for (const { name, artifacts } of body.components) for (const ref of artifacts) await this.claimTree(ref, name);
    await this.claimTree(body.systemFile, OTHERS.system);
  }

  private async claimTree({ sums }: ArtifactRef, owner: string): Promise<void> {
    if (sums !== undefined) await this.claimNode(sums, owner);
  }

  private async claimNode(id: string, owner: string): Promise<void> {
    const mark = `${id} ${owner}`;
    if (this.seen.has(mark)) return;
    this.seen.add(mark);
    this.signal.throwIfAborted();
    this.claim(`sums/${id.slice(0, 2)}/${id}`, owner);
    const node = await unlessBad(() => readSums(this.store, id));
    if (node === undefined) this.unread += 1;
    for (const [key] of node?.objects ?? []) this.claim(key, owner);
    for (const child of node?.children ?? []) await this.claimNode(child, owner);
  }

  private claim(key: string, owner: string): void {
    const before = this.owner.get(key);
    this.owner.set(key, before === undefined || before === owner ? owner : OTHERS.shared);
  }
}

async function listed({ store, signal }: VaultPlace, owners: Owners): Promise<UsageRow[]> {
  const rows = new Map<string, { of: string; class?: string; objects: number; bytes: number }>();
  for await (const { key, sizeBytes, storageClass } of store.list('', { signal })) {
    const of = ownerOf(key, owners);
    const name = `${of}\n${storageClass ?? ''}`;
    const row = rows.get(name) ?? {
      of,
      ...(storageClass === undefined ? {} : { class: storageClass }),
      objects: 0,
      bytes: 0,
    };
    row.objects += 1;
    row.bytes += sizeBytes;
    rows.set(name, row);
  }
  return [...rows.values()].toSorted((a, b) => b.bytes - a.bytes);
}

function ownerOf(key: string, owners: Owners): string {
  if (parseObjectKey(key) !== undefined) return owners.of(key);
  if (key.startsWith('wal/')) return `wal ${key.split('/')[1] ?? ''}`;
  return key.startsWith('quarantine/') ? OTHERS.quarantine : OTHERS.records;
}

/** Lengths stand in the lists, which are sealed. Undefined when one cannot be opened. */
async function uniquePlain(
  place: VaultPlace,
  bodies: readonly ManifestBody[],
  identities: readonly string[],
): Promise<number | undefined> {
  const chunks = new Set<string>();
  const nodes = new Set<string>();
  let bytes = 0;
  const visit = async (keys: ListKeys, node: Placed & { readonly level: number }): Promise<void> => {
    if (nodes.has(node.id)) return;
    nodes.add(node.id);
    place.signal.throwIfAborted();
    for (const entry of await readListNode(place.store, keys, node)) {
      if (node.level > 0) await visit(keys, { ...entry, level: node.level - 1 });
      else if (!chunks.has(entry.id)) {
        chunks.add(entry.id);
        bytes += entry.lengthBytes;
      }
    }
  };
  return unlessBad(async () => {
    for (const [epoch, own] of Map.groupBy(bodies, (body) => body.epoch)) {
      const reader = await openEpochReader(place.store, epoch, identities, 1);
      try {
        for (const ref of own.flatMap(artifactsOf)) await visit(reader.keys, rootOf(ref));
      } finally {
        await reader.pool.close();
      }
    }
    return bytes;
  });
}
