/** What backups a vault holds, from the store alone, with how far each can be trusted. */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { CatalogueMemory, type FoundProof } from './catalogue-memory.ts';
import { NAMESPACES, readRecord } from './envelope.ts';
import { proofSchema } from './formats.ts';
import { listed } from './listed.ts';
import { getManifest, judgeManifest, judgeTombstone, parseAtManifestKey } from './manifest.ts';
import { mapBounded } from './mutex.ts';
import { backupIdOfKey, FORMAT, sha256Hex } from './names.ts';
import { readPruned, type Pruned } from './sweep/sweep-records.ts';
import { checkClaim, type TrustRoots } from './trust.ts';
import type { CatalogueEntry, ManifestBody, ProofBody } from './types.ts';

const READS_AT_ONCE = 16;

export interface CatalogueSource {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
}

/** Newest first. What cannot be read or trusted is listed with the reason; tombstones of settled captures are not. */
export async function readCatalogue(
  from: CatalogueSource,
  options: { plan?: string | undefined; signal?: AbortSignal | undefined; memory?: CatalogueMemory | undefined },
): Promise<CatalogueEntry[]> {
  const { memory = new CatalogueMemory(), signal } = options;
  memory.begin(from.vaultId, from.roots);
  const manifests = await listed(from.store, 'backups/', signal);
  const entries = await mapBounded(manifests, READS_AT_ONCE, (info) => {
    signal?.throwIfAborted();
    return memory.entries.recall(info, async () => {
      const entry = await readEntry(from, info.key);
      return entry === undefined ? undefined : { ...entry, storedAtMs: info.modifiedAtMs };
    });
  });
  const proofs = Map.groupBy(await readProofs(from, 'proofs/', signal, memory), ({ backupId }) => backupId);
  memory.end();
  const present = entries.filter((entry) => entry !== undefined);
  const noted = addChainNotes(present, await readPruned(from.store, from, options.signal)).map((entry) =>
    withProofs(entry, proofs.get(backupIdOfKey(entry.key) ?? '') ?? []),
  );
  const wanted = noted.filter((entry) => options.plan === undefined || entry.body.plan === options.plan);
  return wanted.sort((a, b) => Date.parse(b.body.startedAt) - Date.parse(a.body.startedAt) || compare(b.key, a.key));
}

/** One backup with its proofs. Throws BackupMissing, also for the tombstone of a settled capture. */
export async function readOneEntry(from: CatalogueSource, key: string): Promise<CatalogueEntry> {
  const entry = judgeEntry(from, key, await getManifest(from.store, key));
  if (entry === undefined) throw new HoldfastError('BackupMissing', `${key}: this capture never became a backup`);
  return withProofs(entry, await readProofs(from, `proofs/${entry.body.id}/`));
}

/**
 * One backup without its proofs; undefined for the tombstone of a settled capture, and for what is gone. What is judged
 * follows from the object's bytes and the roots alone.
 */
export async function readEntry(from: CatalogueSource, key: string): Promise<CatalogueEntry | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await from.store.get(key);
  } catch (error) {
    // Pruned since the listing.
    if (error instanceof HoldfastError && error.code === 'ObjectMissing') return undefined;
    throw error;
  }
  return judgeEntry(from, key, bytes);
}

function judgeEntry(from: CatalogueSource, key: string, bytes: Uint8Array): CatalogueEntry | undefined {
  const sha256 = sha256Hex(bytes);
  let body: ManifestBody = nameOnly(key);
  try {
    const found = parseAtManifestKey(bytes, key);
    if (found.kind === 'tombstone') {
      judgeTombstone(from.roots, from.vaultId, key, found.record);
      return undefined;
    }
    body = found.record.body;
    judgeManifest(from.roots, from.vaultId, key, found.record);
    return { key, body, sha256, trust: { ok: true }, proofs: [] };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { key, body, sha256, trust: { ok: false, why: error.message }, proofs: [] };
  }
}

async function readProofs(
  from: CatalogueSource,
  prefix: string,
  signal?: AbortSignal,
  memory = new CatalogueMemory(),
): Promise<FoundProof[]> {
  const proofs = await listed(from.store, prefix, signal);
  return mapBounded(proofs, READS_AT_ONCE, (info) => memory.proofs.recall(info, () => readProof(from, info.key)));
}

/** A claim that a backup was verified, or why it does not count. Throws while the store can't be read, or may not be. */
export async function readProof(from: CatalogueSource, key: string): Promise<FoundProof> {
  const backupId = key.split('/')[1] ?? '';
  try {
    const record = readRecord(proofSchema, await from.store.get(key), key);
    const { vaultId } = from;
    checkClaim(from.roots, record, { namespace: NAMESPACES.proof, vaultId, at: record.body.at });
    return { backupId, proof: record.body };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
    return { backupId, note: `the proof ${key} does not count: ${error.message}` };
  }
}

function withProofs(entry: CatalogueEntry, mine: readonly FoundProof[]): CatalogueEntry {
  const fits = (proof: ProofBody) => proof.manifestKey === entry.key && proof.manifestSha256 === entry.sha256;
  const proofs = mine.flatMap(({ proof }) => (proof !== undefined && fits(proof) ? [proof] : []));
  const notes = mine.flatMap(({ note, proof }) => {
    if (note !== undefined) return [note];
    return proof !== undefined && !fits(proof) ? [`a proof of ${proof.at} speaks of another manifest`] : [];
  });
  return {
    ...entry,
    ...withNotes([...(entry.notes ?? []), ...notes]),
    proofs: proofs.sort((a, b) => Date.parse(a.at) - Date.parse(b.at)),
  };
}

/**
 * A signer's manifests are numbered and chained: says where one is missing or does not follow. Those that a prune wrote
 * down as removed are links of the chain as if they were there.
 */
function addChainNotes(entries: readonly CatalogueEntry[], pruned: readonly Pruned[]): CatalogueEntry[] {
  const there = new Set(entries.map(({ key }) => key));
  const removed = Map.groupBy(
    pruned.filter(({ key }) => !there.has(key)),
    ({ signer }) => signer,
  );
  const bySigner = Map.groupBy(
    entries.filter((entry) => entry.trust.ok),
    (entry) => entry.body.signer,
  );
  const notes = new Map<string, string>();
  for (const [signer, own] of bySigner) {
    const gone = (removed.get(signer) ?? []).map(({ sequence, sha256 }) => ({ sequence, sha256, entry: undefined }));
    const present = own.map((entry) => ({ sequence: entry.body.sequence, sha256: entry.sha256, entry }));
    const chain = [...gone, ...present].sort((a, b) => a.sequence - b.sequence);
    chain.forEach(({ entry }, index) => {
      const note = entry === undefined ? undefined : chainNote(chain[index - 1], entry);
      if (entry !== undefined && note !== undefined) notes.set(entry.key, note);
    });
  }
  return entries.map((entry) => ({
    ...entry,
    ...withNotes([notes.get(entry.key)].filter((note) => note !== undefined)),
  }));
}

function chainNote(
  before: { readonly sequence: number; readonly sha256: string } | undefined,
  entry: CatalogueEntry,
): string | undefined {
  const { sequence, previousSha256 } = entry.body;
  const last = before?.sequence ?? 0;
  if (sequence === last) return `its signer numbered two manifests ${sequence}`;
  if (sequence === last + 1) {
    return previousSha256 === (before?.sha256 ?? null) ? undefined : `it does not follow its signer's manifest ${last}`;
  }
  const missing = sequence - last === 2 ? `manifest ${last + 1} is` : `manifests ${last + 1} to ${sequence - 1} are`;
  return `before it, its signer's ${missing} missing`;
}

function withNotes(notes: readonly string[]): { notes?: readonly string[] } {
  return notes.length === 0 ? {} : { notes };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What the name of an unreadable manifest says. */
function nameOnly(key: string): ManifestBody {
  const found = /^backups\/([^/]*)\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-([^/]*)\.json$/.exec(key);
  const [, plan = '', year, month, day, hour, minute, second, id = ''] = found ?? [];
  const named = `${year ?? ''}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}Z`;
  const at = Number.isNaN(Date.parse(named)) ? new Date(0).toISOString() : named;
  const empty = {
    name: '',
    mediaType: 'application/octet-stream',
    lengthBytes: 0,
    root: '',
    depth: 1,
    chunks: 0,
  } as const;
  return {
    format: FORMAT,
    key,
    vaultId: '',
    system: '',
    site: '',
    plan,
    id,
    captureId: '',
    purpose: 'backup',
    startedAt: at,
    pointAt: at,
    finishedAt: at,
    epoch: '',
    generation: 0,
    components: [],
    systemFile: empty,
    freezes: [],
    signer: '',
    sequence: 0,
    previousSha256: null,
    holdfastVersion: '',
  };
}
