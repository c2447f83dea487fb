/** One backup, from the stores that have it into one that lacks it: objects first, its manifest last, as it was signed. */
import { zstdDecompressSync } from 'node:zlib';

import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { copyObjects, Sources, type CopyTally } from './objects.ts';
import type { Lacking, ObjectsThere } from './there.ts';
import { judgeAudit } from '../audit/record.ts';
import { NAMESPACES, readRecord, signRecord, type Signer } from '../envelope.ts';
import { epochKeyPath } from '../epoch.ts';
import {
  captureSchema,
  parseRecord,
  proofSchema,
  sumsNodeSchema,
  type CaptureRecord,
  type SumsNode,
} from '../formats.ts';
import { keysIn } from '../listed.ts';
import { artifactsOf, parseAtManifestKey } from '../manifest.ts';
import { mapBounded } from '../mutex.ts';
import { captureKeyOf, FORMAT, objectKey, sha256Hex } from '../names.ts';
import { isSealing, otherSealings } from '../sealings.ts';
import { MAX_SUMS_BYTES, type Expected } from '../sums.ts';
import { readSweeps, refuseDuringSweep } from '../sweep/sweeps.ts';
import type { TrustRoots } from '../trust.ts';
import type { ManifestBody } from '../types.ts';

const NODES_AT_ONCE = 8;

export interface BackupToCopy {
  readonly body: ManifestBody;
  /** As it is stored: it is written to the target byte for byte. */
  readonly bytes: Uint8Array;
  readonly sources: readonly Store[];
}

export interface CopyBackupOptions {
  readonly target: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
  readonly signer: Signer;
  readonly there: ObjectsThere;
  readonly tally: CopyTally;
  readonly signal: AbortSignal;
  readonly onProgress: (done: { readonly objects: number; readonly of: number }) => void;
  readonly atOnce?: number;
}

export type Copied = 'copied' | 'there';

/**
 * A repeat, also beside itself, finds what arrived and goes on. Throws CaptureSuperseded when a sweep of the target has
 * settled this copy, SweepRunning, ObjectMissing and ObjectCorrupt when no source holds an object whole.
 */
export async function copyBackup(backup: BackupToCopy, options: CopyBackupOptions): Promise<Copied> {
  const { body, bytes } = backup;
  const { target, signal } = options;
  const sources = new Sources(backup.sources);
  if (await isCommitted(target, body.key, bytes)) {
    await copyRecordsOf(backup, target, signal);
    return 'there';
  }
  await refuseDuringSweep(target);
  await recordCopy(target, body, options.signer);
  // Asked again: a sweep that began meanwhile has seen the record or is seen here.
  await refuseDuringSweep(target, { recorded: true });
  // Only now: one that ended between the last look and the record may have removed what was seen before.
  options.there.heed(await readSweeps(target));
  const named = await namedBy(body, sources, signal);
  const lacking = await options.there.lacking(named);
  let arrived = named.size - lacking.length;
  await copyObjects(await withoutOtherForms(lacking, options), {
    sources,
    target,
    tally: options.tally,
    signal,
    ...(options.atOnce === undefined ? {} : { atOnce: options.atOnce }),
    onArrived: (key, sizeBytes) => {
      options.there.add(key, sizeBytes);
      arrived += 1;
      options.onProgress({ objects: arrived, of: named.size });
    },
  });
  await requireKey(target, body.epoch, sources, signal);
  await copyRecordsOf(backup, target, signal);
  await target.sync();
  return commitCopy(target, body.key, bytes);
}

/** Objects of a copy that is committed, as far as they are missing in the target or differ from every sealing of it. */
export async function sendAgain(
  backup: BackupToCopy,
  options: Omit<CopyBackupOptions, 'there' | 'onProgress'>,
): Promise<void> {
  const { target, signal, tally } = options;
  const sources = new Sources(backup.sources);
  const lacking: Lacking[] = [];
  await mapBounded([...(await namedBy(backup.body, sources, signal))], NODES_AT_ONCE, async ([key, expected]) => {
    const info = await target.head(key);
    const sha256 = info === undefined ? undefined : await target.storedSha256?.(key);
    const same = sha256 === undefined || expected.sha256 === null || sha256 === expected.sha256;
    if (info?.sizeBytes === expected.sizeBytes && same) return;
    lacking.push({ key, expected, ...(info === undefined ? {} : { thereBytes: info.sizeBytes, thereSha256: sha256 }) });
  });
  const wanted = await withoutOtherForms(lacking, options);
  await copyObjects(wanted, { sources, target, signal, tally, onArrived: () => undefined });
  await target.sync();
}

/** Every object of a backup with what was stored, and the nodes that tell it. Needs no key. */
async function namedBy(body: ManifestBody, sources: Sources, signal: AbortSignal): Promise<Map<string, Expected>> {
  const named = new Map<string, Expected>();
  let level = artifactsOf(body).map(({ name, root, sums }) => {
    if (sums !== undefined) return sums;
    const what = `no checksums were stored for ${name}, so that nothing tells what it is made of without a key`;
    throw new HoldfastError('ObjectMissing', what, { details: { key: objectKey('lists', root) } });
  });
  while (level.length > 0) {
    const fresh = [...new Set(level)].filter((id) => !named.has(objectKey('sums', id)));
    const nodes = await mapBounded(fresh, NODES_AT_ONCE, async (id) => {
      const key = objectKey('sums', id);
      const found = await sources.fetch(key, signal, (packed) => readNode(packed, id));
      named.set(key, { sizeBytes: found.packed.length, sha256: sha256Hex(found.packed) });
      return found.node;
    });
    for (const { objects } of nodes) {
      for (const [key, sizeBytes, sha256] of objects) named.set(key, { sizeBytes, sha256 });
    }
    level = nodes.flatMap(({ children }) => children);
  }
  return named;
}

/** Undefined when it isn't what its name says. */
function readNode(packed: Uint8Array, id: string): { node: SumsNode; packed: Uint8Array } | undefined {
  try {
    const bytes = zstdDecompressSync(packed, { maxOutputLength: MAX_SUMS_BYTES });
    return sha256Hex(bytes) === id ? { node: parseRecord(sumsNodeSchema, bytes, id), packed } : undefined;
  } catch (error) {
    // Another format is told; bytes that can't be unpacked are not the node.
    if (error instanceof HoldfastError) throw error;
    return undefined;
  }
}

/**
 * Without what is whole in another form: a node of checksums that was packed otherwise, which its name proves, and what
 * another capture sealed, which a trusted backup of the target vouches for.
 */
async function withoutOtherForms(
  lacking: readonly Lacking[],
  { target, roots, vaultId, signal }: Pick<CopyBackupOptions, 'target' | 'roots' | 'vaultId' | 'signal'>,
): Promise<Lacking[]> {
  const differing = lacking.filter(({ thereBytes }) => thereBytes !== undefined);
  const known = await otherSealings(
    { store: target, roots, vaultId },
    new Set(differing.map(({ key }) => key)),
    signal,
  );
  const isWhole = async ({ key, thereBytes: sizeBytes = 0, thereSha256: sha256 }: Lacking): Promise<boolean> =>
    key.startsWith('sums/')
      ? readNode(await target.get(key), key.split('/').at(-1) ?? '') !== undefined
      : isSealing({ sizeBytes, sha256 }, known.get(key));
  const whole = new Set<string>();
  for (const one of differing) if (await isWhole(one)) whole.add(one.key);
  return lacking.filter(({ key }) => !whole.has(key));
}

/** Throws CaptureSuperseded for a tombstone, Untrusted when other bytes stand at the name. */
async function isCommitted(target: Store, key: string, bytes: Uint8Array): Promise<boolean> {
  if ((await target.head(key)) === undefined) return false;
  const there = await target.get(key);
  if (Buffer.compare(there, bytes) === 0) return true;
  const found = parseAtManifestKey(there, key);
  if (found.kind === 'tombstone') {
    const { at, why } = found.record.body;
    throw new HoldfastError('CaptureSuperseded', `${target.label}: the copy of ${key} was settled at ${at} (${why})`, {
      hint: 'This backup stays out of that store; the next ones are copied.',
    });
  }
  throw new HoldfastError('Untrusted', `${target.label}: another manifest stands at ${key}`);
}

/** The same record as a capture's, so that a sweep of the target waits for this copy or stops it. */
async function recordCopy(target: Store, body: ManifestBody, signer: Signer): Promise<void> {
  const record: CaptureRecord = {
    format: FORMAT,
    vaultId: body.vaultId,
    captureId: body.captureId,
    backupId: body.id,
    manifestKey: body.key,
    plan: body.plan,
    epoch: body.epoch,
    startedAt: body.startedAt,
    signer: signer.fingerprint,
    copy: true,
  };
  const key = captureKeyOf(body.id);
  const bytes = signRecord(record, NAMESPACES.capture, signer);
  if ((await target.put(key, bytes, { createOnly: true })) === 'written') return;
  // An earlier attempt's, or of a capture that began here and was given up: it names the same manifest.
  const there = readRecord(captureSchema, await target.get(key), key).body;
  if (there.manifestKey === body.key && there.captureId === body.captureId) return;
  throw new HoldfastError('Untrusted', `${target.label}: ${key} belongs to another capture, ${there.captureId}`);
}

async function commitCopy(target: Store, key: string, bytes: Uint8Array): Promise<Copied> {
  const outcome = await target.put(key, bytes, { createOnly: true, sha256: sha256Hex(bytes) });
  await target.sync();
  if (outcome === 'written') return 'copied';
  await isCommitted(target, key, bytes);
  return 'there';
}

/** Without the epoch's key a restore works from its identity alone, and later captures could reuse nothing. */
async function requireKey(target: Store, epoch: string, sources: Sources, signal: AbortSignal): Promise<void> {
  const key = epochKeyPath(epoch);
  if ((await target.head(key)) !== undefined) return;
  await target.put(key, await sources.fetch(key, signal, (found) => found), { createOnly: true });
}

/**
 * Holds, and verdicts that speak of the backup wherever it is: that it was restored, or read whole. What was found about
 * the place where the bytes lie stays with the store it was found in.
 */
async function copyRecordsOf({ body, sources }: BackupToCopy, target: Store, signal: AbortSignal): Promise<void> {
  const any = (): boolean => true;
  await carryRecords({ sources, target, signal }, `proofs/${body.id}/`, any, speaksEverywhere);
  await carryRecords({ sources, target, signal }, `holds/${body.id}/`, any, any);
}

interface Way {
  readonly sources: readonly Store[];
  readonly target: Store;
  readonly signal: AbortSignal;
}

/** Holds and their releases that came after their backups were copied: of those that are in the target. */
export async function carryHolds(way: Way, isThere: (backupId: string) => boolean): Promise<void> {
  const ofThese = (key: string): boolean => isThere(key.split('/')[1] ?? '');
  await carryRecords(way, 'holds/', ofThese, () => true);
  await way.target.sync();
}

/** The audit log, whatever is copied otherwise: what can't be trusted stays where it is, and is told there. */
export async function carryAudit(way: Way & { readonly vaultId: string; readonly roots: TrustRoots }): Promise<void> {
  await carryRecords(
    way,
    'audit/',
    () => true,
    (bytes, key) => isAuditRecord(way, key, bytes),
  );
  await way.target.sync();
}

function isAuditRecord(
  judge: { readonly vaultId: string; readonly roots: TrustRoots },
  key: string,
  bytes: Uint8Array,
): boolean {
  try {
    judgeAudit(judge, key, bytes);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}

async function carryRecords(
  { sources, target, signal }: Way,
  prefix: string,
  wanted: (key: string) => boolean,
  accept: (bytes: Uint8Array, key: string) => boolean,
): Promise<void> {
  const there = new Set(await keysIn(target, prefix, signal));
  for (const store of sources) {
    for await (const { key } of store.list(prefix, { signal })) {
      if (there.has(key) || !wanted(key)) continue;
      const bytes = await store.get(key, { signal });
      if (!accept(bytes, key)) continue;
      await target.put(key, bytes, { createOnly: true, signal });
      there.add(key);
    }
  }
}

function speaksEverywhere(bytes: Uint8Array, key: string): boolean {
  try {
    const { level, ok } = readRecord(proofSchema, bytes, key).body;
    return ok && level !== 'presence';
  } catch (error) {
    // One that can't be read proves nothing anywhere; the catalogue of its store reports it.
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}
