/**
 * The effects of a sweep; what it does next is decided in src/policy/sweep.ts. One process at a time sweeps a store: the
 * caller holds the lock of the host that maintains it. docs/decisions/sweeps.md gives the reasons.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';

import { HoldfastError } from '../../failures.ts';
import { isLongOver, leftSweeps, mayDelete, nextSweepAction, type SweepMarks } from '../../policy/sweep.ts';
import type { Store } from '../../stores/store.ts';
import { readRecord } from '../envelope.ts';
import { readAtManifestKey, tombstoneBytes } from '../manifest.ts';
import { readManifestRoots } from './manifest-roots.ts';
import { addNamed, NamedObjects } from '../named-objects.ts';
import { condemnedText } from './condemned.ts';
import { readHolds } from './holds.ts';
import { removeLeftovers } from './leftovers.ts';
import { backupIdOfKey, captureKeyOf, parseObjectKey } from '../names.ts';
import { openRecords, type OpenCapture, type PruneSource } from './prune-survey.ts';
import { itemsUnder, nothingRemoved, removeObject, removeUnder, type Removed } from './removal.ts';
import {
  marksOf,
  readPruned,
  readSweeps,
  sweepKeys,
  sweepMarkSchema,
  writeSweepMark,
  writeSweepPlan,
  type Pruned,
  type SweepAuthor,
} from './sweep-records.ts';

const ROOMS = ['chunks', 'lists', 'sums'] as const;
const CLOCK_MS = 3600 * 1000;
/** So long another host's process may go on deleting without a word. */
const OTHER_HOST_MS = 24 * 3600 * 1000;
const MAX_CONDEMNED_BYTES = 1024 * 1024 * 1024;
const pack = promisify(zstdCompress);
const unpack = promisify(zstdDecompress);

export interface SweepContext {
  readonly from: PruneSource;
  readonly author: SweepAuthor;
  /** Made by `sweepNameOf`. */
  readonly name: string;
  readonly signal: AbortSignal;
  readonly report: (what: string) => void;
  /** A request of a dead process may still be on its way to the store for so long. */
  readonly lingerMs: number;
  /** Of the recipients that the system file names; without it no key of an epoch is removed. */
  readonly currentEpoch?: string;
  /** Default 24 hours, and 30 days for what was put aside. */
  readonly leftoverAges?: { readonly minimumAgeSeconds: number; readonly asideSeconds?: number };
}

export interface Condemned {
  readonly manifests: number;
  /** Manifests that a lock of the store or a hold keeps: their backups stay, until a later prune. */
  readonly lockedManifests: number;
  readonly objects: number;
  readonly bytes: number;
}

/**
 * Ends what dead sweeps left, writes the plan, removes its manifests with what belongs to them, and condemns what nothing
 * names any more. A repeat goes on where the last attempt stopped. Throws ObjectCorrupt or ObjectMissing when it is not
 * known what some manifest names: then the manifests of the plan are gone, and no object is condemned.
 */
export async function condemn(
  context: SweepContext,
  wanted: { readonly manifests: readonly Pruned[]; readonly minimumAgeSeconds: number },
): Promise<Condemned> {
  const { author, name, from, signal } = context;
  const { store } = from;
  const sweeps = await readSweeps(store);
  await endLeft(context, leftSweeps(sweeps, name));
  const atMs = Date.now();
  const plan = await writeSweepPlan(store, author, { name, atMs, manifests: wanted.manifests });
  const storeNowMs = await storedAt(store, sweepKeys.plan(name));
  if (Math.abs(Date.parse(plan.at) - storeNowMs) > CLOCK_MS) {
    throw new HoldfastError('StoreUnfit', `this host's clock and that of ${store.label} differ by more than an hour`, {
      hint: 'Correct the clock: ages decide what is deleted.',
    });
  }
  const lockedManifests = await removeManifests(context, plan.manifests, storeNowMs);
  const manifests = plan.manifests.length - lockedManifests;
  const there = await store.head(sweepKeys.condemned(name));
  if (there !== undefined) return { manifests, lockedManifests, ...(await readCondemned(context)).counts };
  context.report('what the backups name');
  const named = await nameAll(context);
  const youngMs = storeNowMs - wanted.minimumAgeSeconds * 1000;
  const condemned = new NamedObjects();
  let bytes = 0;
  for (const room of ROOMS) {
    for await (const { key, sizeBytes, modifiedAtMs } of itemsUnder(store, `${room}/`, signal)) {
      const object = parseObjectKey(key);
      // Left alone: what is no object of ours, and what an open capture is just storing.
      if (object === undefined || modifiedAtMs > youngMs || named.has(object.room, object.id)) continue;
      condemned.add(object.room, object.id);
      bytes += sizeBytes;
    }
  }
  const key = sweepKeys.condemned(name);
  const text = condemnedText(key, [...condemned.keys()].toSorted(), bytes);
  await store.put(key, await pack(Buffer.from(text)), { createOnly: true });
  await store.sync();
  return { manifests, lockedManifests, objects: condemned.size, bytes };
}

export interface Swept {
  readonly outcome: 'swept' | 'gave-way';
  /** Backups whose captures were still open, when it gave way. */
  readonly to: readonly string[];
  readonly objects: number;
  readonly bytes: number;
  readonly locked: number;
  /** Captures that were settled by a tombstone. */
  readonly settled: number;
  /** Keys of epochs, and what was put aside, that were removed. */
  readonly leftovers: number;
}

/**
 * From the end of the grace time to the mark `done`. Waits up to `patienceMs` for captures that are open, while new ones
 * wait for it. A repeat goes on where the last attempt stopped.
 */
export async function sweep(
  context: SweepContext,
  options: { readonly patienceMs: number; readonly pollMs: number },
): Promise<Swept> {
  const { from, name, signal } = context;
  const { store } = from;
  const { condemned } = await readCondemned(context);
  const storeNowMs = await storedAt(store, sweepKeys.condemned(name));
  const tally = nothingRemoved();
  const startedMs = performance.now();
  let settled = 0;
  let leftovers = 0;
  let sweptAll = false;
  if ((await readMarks(store, name)).deleting) await sleep(context.lingerMs, undefined, { signal });
  for (;;) {
    signal.throwIfAborted();
    // In this order: who is recorded after the marks were read finds them there.
    const marks = await readMarks(store, name);
    const open = await openRecords(from, storeNowMs, signal);
    const patienceOver = performance.now() - startedMs > options.patienceMs;
    const action = nextSweepAction({ marks, graceOver: true, patienceOver, open, swept: sweptAll });
    switch (action.kind) {
      case 'wait':
        context.report(`waits for ${action.on.length} open captures`);
        await sleep(options.pollMs, undefined, { signal });
        break;
      case 'close':
        await mark(context, 'closing');
        break;
      case 'mark':
        await mark(context, 'deleting');
        break;
      case 'settle':
        settled += await settle(context, open);
        break;
      case 'delete':
        leftovers = await deleteCondemned(context, condemned, tally, storeNowMs);
        sweptAll = true;
        break;
      case 'finish':
        await done(context, 'swept', tally);
        break;
      case 'giveWay':
        await done(
          context,
          'gave-way',
          tally,
          `${action.to.length} captures were open: ${action.to.slice(0, 5).join(', ')}`,
        );
        return { outcome: 'gave-way', to: action.to, ...tally, settled, leftovers };
      case 'over':
        return { outcome: 'swept', to: [], ...tally, settled, leftovers };
    }
  }
}

/** Tombstones and capture records that are long over, and what removed backups left when a process died. */
export async function tidy(context: SweepContext): Promise<void> {
  const { from, signal } = context;
  const { store } = from;
  const { tombstones, keys } = await readManifestRoots(store, signal);
  const nowMs = await storedAt(store, sweepKeys.plan(context.name));
  const tally = nothingRemoved();
  for (const { key, storedAtMs } of tombstones) {
    if (!isLongOver(nowMs - storedAtMs)) continue;
    // The record first: without its tombstone it would be open again.
    await removeObject(store, captureKeyOf(backupIdOfKey(key) ?? ''), tally, signal);
    await removeObject(store, key, tally, signal);
  }
  const pruned = await readPruned(store, from, signal);
  const there = new Set(keys);
  const gone = new Map<string, number>();
  for (const { key, plannedAtMs } of pruned) {
    const backupId = backupIdOfKey(key) ?? '';
    if (!there.has(key)) gone.set(backupId, Math.max(plannedAtMs, gone.get(backupId) ?? 0));
  }
  const left = new Set<string>();
  for (const prefix of ['proofs/', 'captures/']) {
    for await (const { key } of store.list(prefix, { signal }))
      left.add(key.split('/')[1]?.replace(/\.json$/, '') ?? '');
  }
  for (const [backupId, plannedAtMs] of gone) {
    if (left.has(backupId)) await removeRecordsOf(context, backupId, plannedAtMs);
  }
}

/** Deletes what is condemned and named by nothing that is there now, when every capture is settled. */
async function deleteCondemned(
  context: SweepContext,
  condemned: NamedObjects,
  tally: Removed,
  storeNowMs: number,
): Promise<number> {
  const { store } = context.from;
  const named = await nameAll(context);
  const wanted = (key: string): boolean => {
    const object = parseObjectKey(key);
    if (object === undefined) return false;
    const { room, id } = object;
    return mayDelete({ condemned: condemned.has(room, id), named: named.has(room, id) });
  };
  const onProgress = ({ objects }: Removed): void => context.report(`deleted ${objects} objects`);
  for (const room of ROOMS) await removeUnder(store, `${room}/`, wanted, tally, { signal: context.signal, onProgress });
  return removeLeftovers(context, { named, nowMs: storeNowMs });
}

/** Everything that any manifest names, trusted or not. Throws when that is not known of one of them. */
async function nameAll({ from, signal, report }: SweepContext): Promise<NamedObjects> {
  const { roots, unknown } = await readManifestRoots(from.store, signal);
  const [first] = unknown;
  if (first !== undefined) {
    throw new HoldfastError('ObjectCorrupt', `no object is deleted: ${first}`, {
      hint: 'Bring this manifest back from another store, or delete it by hand when it is of no use.',
    });
  }
  const named = new NamedObjects();
  const onProgress = (nodes: number, objects: number): void => report(`${objects} objects named, ${nodes} nodes read`);
  await addNamed(from.store, roots, named, { signal, onProgress });
  return named;
}

/** Returns how many a lock or a hold keeps. */
async function removeManifests(
  context: SweepContext,
  manifests: readonly Pruned[],
  plannedAtMs: number,
): Promise<number> {
  const { from, signal, report } = context;
  let locked = 0;
  for (const [index, { key, sha256 }] of manifests.entries()) {
    signal.throwIfAborted();
    if (index % 100 === 0) report(`removes backups: ${index} of ${manifests.length}`);
    const tally = nothingRemoved();
    const backupId = backupIdOfKey(key) ?? '';
    // Asked here: between the decision and this moment, or this repeat of it, there may be days.
    if ((await readHolds(from.store, from, `holds/${backupId}/`)).size > 0) {
      locked += 1;
      continue;
    }
    if (await isAsPlanned(from.store, key, sha256)) {
      // The capture's record first: without its manifest it would be an open one.
      await removeObject(from.store, captureKeyOf(backupId), nothingRemoved(), signal);
      await removeObject(from.store, key, tally, signal);
    }
    if (tally.locked > 0) locked += 1;
    else await removeRecordsOf(context, backupId, plannedAtMs);
  }
  return locked;
}

/** False when it is gone already. Throws when something else stands there than what was decided about. */
async function isAsPlanned(store: Store, key: string, sha256: string): Promise<boolean> {
  if ((await store.head(key)) === undefined) return false;
  const found = await readAtManifestKey(store, key);
  if (found.kind === 'manifest' && found.sha256 === sha256) return true;
  throw new HoldfastError('PlanChanged', `${key} is not what the prune decided about; nothing of it was deleted`);
}

/**
 * Of a backup that is gone: its capture's record and what was said about it. Holds stay: they say what was promised. A
 * record that came after the plan is that of a copy which brings the backup back, and announces it to sweeps.
 */
async function removeRecordsOf({ from, signal }: SweepContext, backupId: string, plannedAtMs: number): Promise<void> {
  if (backupId === '') return;
  const tally = nothingRemoved();
  const key = captureKeyOf(backupId);
  const record = await from.store.head(key);
  if (record !== undefined && record.modifiedAtMs >= plannedAtMs) return;
  await removeUnder(from.store, `proofs/${backupId}/`, () => true, tally, { signal });
  await removeObject(from.store, key, tally, signal);
}

async function settle({ from, author }: SweepContext, open: readonly OpenCapture[]): Promise<number> {
  const { store, vaultId } = from;
  let settled = 0;
  for (const { manifestKey, captureId } of open) {
    if (manifestKey === undefined || captureId === undefined) continue;
    const stone = { vaultId, manifestKey, captureId, why: 'swept', atMs: Date.now() } as const;
    // Exactly one of the two wins: this, or the commit that is on its way.
    const outcome = await store.put(manifestKey, tombstoneBytes(stone, author.signer), { createOnly: true });
    if (outcome === 'written') settled += 1;
  }
  return settled;
}

/** The lock of the host says that no process of this host sweeps any more; of another host only time can say it. */
export async function endLeft(context: SweepContext, left: readonly SweepMarks[]): Promise<void> {
  const { from, author, lingerMs, signal } = context;
  for (const { name, deleting } of left) {
    if (deleting) {
      await refuseOtherHost(context, name);
      await sleep(lingerMs, undefined, { signal });
    }
    const facts = { outcome: 'ended', why: `its process had died; ended by ${context.name}` } as const;
    await writeSweepMark(from.store, author, { name, mark: 'done', atMs: Date.now() }, facts);
  }
}

async function refuseOtherHost({ from, author }: SweepContext, name: string): Promise<void> {
  const key = sweepKeys.mark(name, 'deleting');
  const host = await hostOf(from.store, key);
  if (host === undefined || host === author.host) return;
  const untilMs = (await storedAt(from.store, key)) + OTHER_HOST_MS;
  if (Date.now() > untilMs) return;
  throw new HoldfastError('SweepRunning', `the sweep ${name} was begun by the host ${host} and is not done`, {
    hint: `Run prune there, or wait until ${new Date(untilMs).toISOString()}: then it counts as dead.`,
  });
}

async function hostOf(store: Store, key: string): Promise<string | undefined> {
  try {
    return readRecord(sweepMarkSchema, await store.get(key), key).body.host;
  } catch (error) {
    // Nothing of ours: nobody deletes by a mark that is none.
    if (error instanceof HoldfastError && ['ObjectCorrupt', 'VaultFormat'].includes(error.code)) return undefined;
    throw error;
  }
}

function mark({ from, author, name }: SweepContext, which: 'closing' | 'deleting'): Promise<void> {
  return writeSweepMark(from.store, author, { name, mark: which, atMs: Date.now() });
}

function done(context: SweepContext, outcome: Swept['outcome'], tally: Removed, why?: string): Promise<void> {
  const { objects: deletedObjects, bytes: deletedBytes, locked: lockedObjects } = tally;
  const facts = { outcome, deletedObjects, deletedBytes, lockedObjects, ...(why === undefined ? {} : { why }) };
  const { from, author, name } = context;
  return writeSweepMark(from.store, author, { name, mark: 'done', atMs: Date.now() }, facts);
}

async function readMarks(store: Store, name: string): Promise<SweepMarks> {
  const found = new Set<string>();
  for await (const { key } of store.list(`sweeps/${name}/`)) found.add(key.split('/')[2] ?? '');
  return marksOf(name, found);
}

async function readCondemned({ from, name }: SweepContext): Promise<{
  readonly condemned: NamedObjects;
  readonly counts: { readonly objects: number; readonly bytes: number };
}> {
  const packed = await from.store.get(sweepKeys.condemned(name));
  const text = (await unpack(packed, { maxOutputLength: MAX_CONDEMNED_BYTES })).toString('utf8');
  const condemned = new NamedObjects();
  for (const line of text.split('\n')) {
    const object = parseObjectKey(line);
    if (object !== undefined) condemned.add(object.room, object.id);
  }
  return { condemned, counts: { objects: condemned.size, bytes: Number(/^# (\d+)/.exec(text)?.[1] ?? 0) } };
}

async function storedAt(store: Store, key: string): Promise<number> {
  const info = await store.head(key);
  if (info === undefined) throw new HoldfastError('ObjectMissing', `${store.label}: ${key} is missing`);
  return info.modifiedAtMs;
}
