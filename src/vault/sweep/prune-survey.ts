/** What a prune decides by, read from the store: backups with the store's own times, proofs, holds, and open captures. */
import { HoldfastError } from '../../failures.ts';
import { isRead, provenRead } from '../../policy/proven-read.ts';
import { basePointIn, type BasePoint } from '../../policy/reachable.ts';
import { bestProof } from '../../policy/retention-evidence.ts';
import type { RetentionFact } from '../../policy/retention.ts';
import { settleAgeMs, type OpenRecord } from '../../policy/sweep.ts';
import type { ObjectInfo, Store } from '../../stores/store.ts';
import { readCatalogue } from '../catalogue.ts';
import { NAMESPACES, readRecord } from '../envelope.ts';
import { captureSchema } from '../formats.ts';
import { keysIn, listed } from '../listed.ts';
import { readHolds, type Hold } from './holds.ts';
import { artifactsOf, isTombstone } from '../manifest.ts';
import { mapBounded } from '../mutex.ts';
import { backupIdOfCapture, backupIdOfKey, captureKeyOf } from '../names.ts';
import { checkClaim, type TrustRoots } from '../trust.ts';
import { readingOf, readReadings } from '../verify/readings.ts';
import type { CatalogueEntry } from '../types.ts';

const READS_AT_ONCE = 16;
const LATE_MS = 3600 * 1000;

export interface PruneSource {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
  /** When the vault was made, by its head; absent where that was not asked. */
  readonly createdAtMs?: number;
  /** Says which entries are apart; absent where nobody asks which sites there are. */
  readonly judged?: (entries: readonly CatalogueEntry[]) => Promise<readonly CatalogueEntry[]>;
}

/** One backup: what retention is decided by, and where what it names begins. */
export interface Surveyed {
  readonly fact: RetentionFact;
  readonly sha256: string;
  readonly backupId: string;
  /** Roots of its trees of checksums. */
  readonly sums: readonly string[];
  /** By component: where a base backup of a database cluster begins. */
  readonly bases: readonly { readonly component: string; readonly base: BasePoint }[];
}

export interface Survey {
  readonly backups: readonly Surveyed[];
  /** Why nobody knows all that the manifests name: while there is one, no object may be deleted. */
  readonly unknown: readonly string[];
  readonly holds: readonly Hold[];
}

/** Reads every manifest, proof and hold once. */
export async function surveyBackups(from: PruneSource, signal: AbortSignal): Promise<Survey> {
  const { store } = from;
  const [listedEntries, readings, manifests, captures, holds] = await Promise.all([
    readCatalogue(from, { signal }),
    readReadings(from, signal),
    listed(store, 'backups/', signal).then(byKey),
    listed(store, 'captures/', signal).then(byKey),
    readHolds(store, from),
  ]);
  const entries = (await from.judged?.(listedEntries)) ?? listedEntries;
  const read = provenRead(readings.map(readingOf));
  const readers = new Set(readings.map(({ signer }) => signer));
  const unknown: string[] = [];
  const backups: Surveyed[] = [];
  for (const entry of entries) {
    const stored = manifests.get(entry.key);
    // Committed since the listing, or gone since: the next prune sees it; the sweep lists the manifests again.
    if (stored === undefined) continue;
    // A tombstone that is not trusted is listed with its reason; it is still no backup, and names nothing.
    if (entry.body.signer === '' && (await isTombstone(store, entry.key))) continue;
    const backupId = backupIdOfKey(entry.key) ?? entry.key;
    const recorded = captures.get(captureKeyOf(backupId));
    const copied = await cameAsCopy(from, entry, { stored, recorded });
    // Readings add up, so that all of them count as made by the backup's own signer when one of them is.
    const isReadBack = read !== undefined && isRead(read, entry.body.id, stored.modifiedAtMs);
    const readBack = isReadBack ? (readers.has(entry.body.signer) ? 'own-signer' : 'other-signer') : undefined;
    const fact = factOf(entry, { stored, recorded, copied, readBack, holds: holds.get(backupId) ?? [] });
    const { sums, trouble } = sumsOf(entry);
    if (trouble !== undefined) unknown.push(trouble);
    backups.push({ fact, sha256: entry.sha256, backupId, sums, bases: basesOf(entry) });
  }
  return { backups, unknown, holds: [...holds.values()].flat() };
}

/**
 * Records of captures, copies and heals that may still commit, with their age by the store's clock at `storeNowMs`. The
 * names of manifests are listed after the records, so that one that commits in between is open at worst.
 */
export async function openRecords(from: PruneSource, storeNowMs: number, signal: AbortSignal): Promise<OpenCapture[]> {
  const records = await listed(from.store, 'captures/', signal);
  const manifests = await keysIn(from.store, 'backups/', signal);
  const settled = new Set(manifests.map((key) => backupIdOfKey(key) ?? key));
  const open = records.filter(({ key }) => !settled.has(backupIdOfCapture(key)));
  return mapBounded(open, READS_AT_ONCE, (info) => openCapture(from.store, info, storeNowMs));
}

export interface OpenCapture extends OpenRecord {
  readonly manifestKey?: string;
  readonly captureId?: string;
}

async function openCapture(store: Store, info: ObjectInfo, storeNowMs: number): Promise<OpenCapture> {
  const backupId = backupIdOfCapture(info.key);
  const age = storeNowMs - info.modifiedAtMs;
  try {
    const { body } = readRecord(captureSchema, await store.get(info.key), info.key);
    const { manifestKey, captureId, copy } = body;
    const settleable = body.backupId === backupId && backupIdOfKey(manifestKey) === backupId;
    return { backupId, old: age >= settleAgeMs(copy ?? false), settleable, manifestKey, captureId };
  } catch (error) {
    if (!(error instanceof HoldfastError) || !['ObjectCorrupt', 'VaultFormat'].includes(error.code)) throw error;
    return { backupId, old: age >= settleAgeMs(true), settleable: false };
  }
}

function byKey(objects: readonly ObjectInfo[]): Map<string, ObjectInfo> {
  return new Map(objects.map((info) => [info.key, info]));
}

function factOf(
  { key, body, trust, apart, proofs }: CatalogueEntry,
  seen: {
    readonly stored: ObjectInfo;
    readonly recorded: ObjectInfo | undefined;
    readonly copied: boolean;
    readonly readBack: RetentionFact['proof'];
    readonly holds: readonly Hold[];
  },
): RetentionFact {
  const own = bestProof(proofs, body.signer);
  const proof = own === 'other-signer' ? own : (seen.readBack ?? own);
  return {
    key,
    plan: body.plan,
    purpose: body.purpose,
    ...(body.tag === undefined ? {} : { tag: body.tag }),
    startedAtMs: Date.parse(body.startedAt),
    finishedAtMs: Date.parse(body.finishedAt),
    signer: body.signer,
    sequence: body.sequence,
    storedAtMs: seen.stored.modifiedAtMs,
    ...(seen.recorded === undefined ? {} : { recordedAtMs: seen.recorded.modifiedAtMs }),
    ...(seen.copied ? { copied: true } : {}),
    ...(trust.ok ? {} : { untrusted: trust.why }),
    ...(apart === undefined ? {} : { apart }),
    ...(proof === undefined ? {} : { proof }),
    ...(proofs.at(-1)?.ok === false ? { damaged: true } : {}),
    holds: seen.holds.map(({ why, doubt }) => (doubt === undefined ? why : `${why} (${doubt})`)),
  };
}

/** Asked only of one that came long after its end. The word of its own key would be a forger's word too. */
async function cameAsCopy(
  { store, vaultId, roots }: PruneSource,
  { body }: CatalogueEntry,
  { stored, recorded }: { readonly stored: ObjectInfo; readonly recorded: ObjectInfo | undefined },
): Promise<boolean> {
  if (recorded === undefined || stored.modifiedAtMs - Date.parse(body.finishedAt) < LATE_MS) return false;
  try {
    const record = readRecord(captureSchema, await store.get(recorded.key), recorded.key);
    const at = new Date(recorded.modifiedAtMs).toISOString();
    checkClaim(roots, record, { namespace: NAMESPACES.capture, vaultId, at });
    return record.body.copy === true && record.body.signer !== body.signer;
  } catch (error) {
    if (
      error instanceof HoldfastError &&
      ['ObjectCorrupt', 'VaultFormat', 'ObjectMissing', 'Untrusted'].includes(error.code)
    )
      return false;
    throw error;
  }
}

function basesOf({ body }: CatalogueEntry): Surveyed['bases'] {
  return body.components.flatMap(({ name, facts }) => {
    const base = basePointIn(body.id, facts);
    return base === undefined ? [] : [{ component: name, base }];
  });
}

function sumsOf({ key, body }: CatalogueEntry): { sums: string[]; trouble?: string } {
  if (body.signer === '') return { sums: [], trouble: `${key} cannot be read, so nobody knows what it is made of` };
  const refs = artifactsOf(body);
  const without = refs.find(({ sums }) => sums === undefined);
  const sums = refs.flatMap(({ sums: own }) => (own === undefined ? [] : [own]));
  return without === undefined ? { sums } : { sums, trouble: `${key} has no checksums of ${without.name}` };
}
