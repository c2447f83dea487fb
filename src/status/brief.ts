/**
 * All backups of a system as judgments need them, from every store: as `catalogues.ts`, but in brief, and each manifest
 * and proof is read once. For what looks every minute at thousands of them.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { log } from '../observe/log.ts';
import type { BackupSeen, VerdictSeen } from '../policy/backup-seen.ts';
import type { Store } from '../stores/index.ts';
import type { ObjectInfo } from '../stores/store.ts';
import { whyEachApart } from '../sites/apart.ts';
import { stateDirectory } from '../system/home.ts';
import type { StoreConfig, System } from '../system/types.ts';
import { readEntry, readProof, type CatalogueSource } from '../vault/catalogue.ts';
import { readingVault } from '../vault/maintained.ts';
import { mapBounded } from '../vault/mutex.ts';
import type { TrustRoots } from '../vault/trust.ts';
import type { ProofBody } from '../vault/types.ts';
import { answeredInTime, STORE_LIMIT_MS, storeQuestion } from './asked-once.ts';
import { BriefCache } from './brief-cache.ts';
import { manifestFacts, proves, type ManifestFacts } from './seen.ts';
import { askStores, type UnreadStore } from './store-answers.ts';

/** Another one when the shapes below, or what is judged, change: what was kept before is then read anew. */
const VERSION = 2;
const READS_AT_ONCE = 16;

const level = z.enum(['presence', 'content', 'restored']);
const briefSchema = z.object({
  id: z.string(),
  sha256: z.string(),
  plan: z.string(),
  tag: z.string().exactOptional(),
  purpose: z.enum(['backup', 'safety']),
  generation: z.number(),
  trusted: z.boolean(),
  why: z.string().exactOptional(),
  startedAtMs: z.number(),
  pointAtMs: z.number(),
  finishedAtMs: z.number(),
  downtimeMs: z.number(),
  signer: z.string(),
  sequence: z.number(),
  components: z.array(z.object({ name: z.string(), kind: z.string(), sizeBytes: z.number(), storedBytes: z.number() })),
}) satisfies z.ZodType<ManifestFacts>;

interface Found extends ObjectInfo {
  readonly brief: ManifestFacts;
}

const proofSchema = z.object({
  manifestKey: z.string(),
  manifestSha256: z.string(),
  level,
  ok: z.boolean(),
  atMs: z.number(),
  errors: z.number(),
});
type BriefProof = z.infer<typeof proofSchema>;

export interface SeenCatalogue {
  /** Newest recovery point first. */
  readonly backups: readonly BackupSeen[];
  /** Stores that could not be read; the others still count. */
  readonly unread: readonly UnreadStore[];
  /** When each vault that could be read was made. */
  readonly vaults: readonly VaultAge[];
}

export interface VaultAge {
  readonly store: string;
  readonly createdAtMs: number;
}

/** Of the stores of a plan: when the first of them could hold something. */
export function vaultSinceMs(vaults: readonly VaultAge[], stores: readonly string[]): number | undefined {
  const own = vaults.filter(({ store }) => stores.includes(store)).map(({ createdAtMs }) => createdAtMs);
  return own.length === 0 ? undefined : Math.min(...own);
}

/** Never throws for a store that can't be read. */
export async function readSeen(system: System, signal?: AbortSignal): Promise<SeenCatalogue> {
  const { answers, unread } = await askStores(system.stores, (config) =>
    answeredInTime(storeQuestion(system, config), STORE_LIMIT_MS, () => readStore(system, config, signal)),
  );
  const byName = new Map<string, BackupSeen>();
  for (const { value } of answers) {
    for (const [name, seen] of value.backups) {
      const known = byName.get(name);
      byName.set(name, known === undefined ? seen : merged(known, seen));
    }
  }
  const vaults = answers.flatMap(({ store, value }) => vaultAge(store, value.createdAtMs));
  const found = [...byName.values()].toSorted((a, b) => b.pointAtMs - a.pointAtMs);
  const why = await whyEachApart(system, found, signal);
  const backups = found.map((one, at) => {
    const apart = why[at];
    return apart === undefined ? one : { ...one, apart };
  });
  return { backups, unread, vaults };
}

export function vaultAge(store: string, createdAtMs: number | undefined): VaultAge[] {
  return createdAtMs === undefined || Number.isNaN(createdAtMs) ? [] : [{ store, createdAtMs }];
}

interface StoreSeen {
  readonly createdAtMs: number | undefined;
  readonly backups: ReadonlyMap<string, BackupSeen>;
}

function merged(a: BackupSeen, b: BackupSeen): BackupSeen {
  const storedAt = [...(a.storedAt ?? []), ...(b.storedAt ?? [])];
  return { ...a, stores: [...a.stores, ...b.stores], storedAt, verdicts: [...a.verdicts, ...b.verdicts] };
}

/** By key and digest: the same name with other bytes is another thing, and must be seen. */
function readStore(system: System, config: StoreConfig, signal: AbortSignal | undefined): Promise<StoreSeen> {
  return readingVault(system, config, async (from) => {
    const { store, vaultId, roots, createdAtMs } = from;
    const file = path.join(stateDirectory(system.name), `seen-${config.name}.jsonl`);
    const cache = new BriefCache(file, trustDigest(vaultId, roots));
    await cache.open();
    const manifests = await readAll(store, 'backups/', signal, (info) => manifestOf(from, cache, info));
    const proofs = await readAll(store, 'proofs/', signal, (info) => proofOf(from, cache, info));
    await cache.save().catch((error: unknown) => {
      // Only slower the next time.
      log('status').warn({ err: error, file }, 'what was read could not be kept');
    });
    const byManifest = Map.groupBy(
      proofs.filter((proof) => proof !== undefined),
      ({ manifestKey }) => manifestKey,
    );
    const backups = new Map(
      manifests
        .filter((one) => one !== undefined)
        .map((found) => {
          const { key, brief } = found;
          const own = (byManifest.get(key) ?? []).filter(({ manifestSha256 }) => manifestSha256 === brief.sha256);
          return [`${key} ${brief.sha256}`, seenIn(config.name, found, own)];
        }),
    );
    return { createdAtMs, backups };
  });
}

/** Whose word everything is judged by: what was judged by others is judged anew. */
function trustDigest(vaultId: string, { signers, rootFingerprint }: TrustRoots): string {
  const statements = [...signers].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([VERSION, vaultId, rootFingerprint ?? '', statements]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

async function readAll<T>(
  store: Store,
  prefix: string,
  signal: AbortSignal | undefined,
  read: (info: ObjectInfo) => Promise<T>,
): Promise<T[]> {
  const found: ObjectInfo[] = [];
  for await (const info of store.list(prefix, signal === undefined ? {} : { signal })) found.push(info);
  return mapBounded(found, READS_AT_ONCE, (info) => {
    signal?.throwIfAborted();
    return read(info);
  });
}

async function manifestOf(from: CatalogueSource, cache: BriefCache, info: ObjectInfo): Promise<Found | undefined> {
  const known = cache.get(info, briefSchema);
  if (known !== undefined) return { ...info, brief: known };
  const entry = await readEntry(from, info.key);
  if (entry === undefined) return undefined;
  const brief = manifestFacts(entry);
  // What can't be trusted may be read better the next time.
  if (brief.trusted) cache.add(info, brief);
  return { ...info, brief };
}

async function proofOf(from: CatalogueSource, cache: BriefCache, info: ObjectInfo): Promise<BriefProof | undefined> {
  const known = cache.get(info, proofSchema);
  if (known !== undefined) return known;
  const { proof } = await readProof(from, info.key);
  if (proof === undefined) return undefined;
  const brief = briefProof(proof);
  cache.add(info, brief);
  return brief;
}

function briefProof({ manifestKey, manifestSha256, level: of, ok, at, bad, moreBad }: ProofBody): BriefProof {
  return { manifestKey, manifestSha256, level: of, ok, atMs: Date.parse(at), errors: bad.length + moreBad };
}

function seenIn(store: string, { key, modifiedAtMs, brief }: Found, proofs: readonly BriefProof[]): BackupSeen {
  const verdict = verdictIn(store, proofs);
  const { sha256, ...seen } = brief;
  const storedAt = [{ store, atMs: modifiedAtMs }];
  return { ...seen, key, sha256, stores: [store], storedAt, verdicts: verdict === undefined ? [] : [verdict] };
}

/** The newest verdict, and when it was last read back in full, or restored, and found good. */
function verdictIn(store: string, proofs: readonly BriefProof[]): VerdictSeen | undefined {
  const sorted = proofs.toSorted((a, b) => a.atMs - b.atMs);
  const newest = sorted.at(-1);
  if (newest === undefined) return undefined;
  const { level: of, ok, atMs, errors } = newest;
  const proved = sorted.findLast(proves);
  return { store, level: of, ok, atMs, errors, ...(proved === undefined ? {} : { provedAtMs: proved.atMs }) };
}
