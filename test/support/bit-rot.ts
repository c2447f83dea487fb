/** A vault with every kind of object in a directory, damage to one file of it, and what a look at the whole store says. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PARTS, type ReadingLevel } from '../../src/policy/read-back.ts';
import { chunkId } from '../../src/seal/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { appendAudit } from '../../src/vault/audit/append.ts';
import { signerOf } from '../../src/vault/envelope.ts';
import { epochName, idKeyOf } from '../../src/vault/epoch.ts';
import { parseChunkIdKey } from '../../src/vault/index.ts';
import type { BadFound, ReadingBody } from '../../src/vault/verify/readings.ts';
import { writeHold } from '../../src/vault/sweep/holds.ts';
import { sweepNameOf } from '../../src/vault/sweep/sweep-records.ts';
import { condemn, sweep } from '../../src/vault/sweep/sweep.ts';
import { readStoreBack } from '../../src/vault/verify/store-reading.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { artifactOf, backUp, makeTestVault, noise, recipeSegment, streamSegment, SYSTEM } from './vault.ts';
import type { MadeBackup, TestVault } from './vault.ts';

export const DAMAGES = ['flipped', 'truncated', 'emptied', 'swapped', 'deleted'] as const;
export type Damage = (typeof DAMAGES)[number];

/** Leaf nodes of list trees end behind a chunk whose id begins with such a number, from the 128th entry on. */
const NODE_END = 1024;
const CHUNK_BYTES = 300;

export interface RottenVault {
  readonly vault: TestVault;
  readonly backups: readonly MadeBackup[];
  /** The content of the artifact `tree` of the last backup. */
  readonly tree: Buffer;
  /** Keys of all objects, by kind. */
  readonly kinds: ReadonlyMap<string, readonly string[]>;
}

/** Two backups that share most of a list tree of two levels, a proof of each, a log with a gap that was written down. */
export async function makeRottenVault(): Promise<RottenVault> {
  const vault = await makeTestVault();
  const chunks = treeOfTwoLevels(vault);
  const other = [...chunks.slice(0, -1), noise(22, CHUNK_BYTES)];
  const writer = await vault.writer();
  const backups: MadeBackup[] = [];
  for (const [captureId, own] of Object.entries({ 'run-1': chunks, 'run-2': other })) {
    const artifacts = [
      artifactOf('tree', [recipeSegment(captureId, own)]),
      artifactOf('stream', [streamSegment(noise(23, 70_000), 'fixed')]),
    ];
    const made = await backUp(writer, { captureId, artifacts, startedAtMs: Date.now() - 60_000 });
    const signal = new AbortController().signal;
    await writer.writeProof(await writer.verifyPresence(made.manifestKey, { signal }));
    backups.push(made);
  }
  await writer.close();
  await fillLog(vault);
  await holdAndSweep(vault, backups);
  await fillAuditLog(vault);
  const roots = new Set(backups.flatMap(({ refs }) => refs.filter(({ depth }) => depth > 1).map(({ root }) => root)));
  const kinds = new Map<string, string[]>();
  for (const key of await keysIn(vault.storePath)) {
    const kind = kindOf(key, roots);
    kinds.set(kind, [...(kinds.get(kind) ?? []), key]);
  }
  return { vault, backups, tree: Buffer.concat(other), kinds };
}

function treeOfTwoLevels({ keys }: TestVault): Uint8Array[] {
  const recipients = [keys.operations.recipient, keys.escrow.recipient];
  const idKey = idKeyOf(epochName(recipients), parseChunkIdKey(keys.chunkIdKey));
  const chunks = Array.from({ length: 150 }, (_, index) => noise(100 + index, CHUNK_BYTES));
  for (let seed = 1000; ; seed += 1) {
    const last = noise(seed, CHUNK_BYTES);
    if (Number.parseInt(chunkId(idKey, last).slice(0, 8), 16) % NODE_END !== 0) continue;
    return [...chunks.slice(0, 135), last, ...chunks.slice(135)];
  }
}

/** A hold of each backup, and two sweeps that found nothing to delete. */
async function holdAndSweep(vault: TestVault, backups: readonly MadeBackup[]): Promise<void> {
  const { store, vaultId, keys } = vault;
  const signer = signerOf(keys.signer.privateKey);
  for (const { manifestKey } of backups) {
    await writeHold(store, { vaultId, signer, atMs: Date.now() }, { manifestKey, why: 'case 7', by: 'anna' });
  }
  const roots = await readTrustRoots(store, vaultId, keys.root.fingerprint);
  for (const run of ['one', 'two']) {
    const context = {
      from: { store, vaultId, roots },
      author: { vaultId, signer, host: 'host-a' },
      name: sweepNameOf(Date.now(), run),
      signal: new AbortController().signal,
      report: () => undefined,
      lingerMs: 0,
    };
    await condemn(context, { manifests: [], minimumAgeSeconds: 24 * 3600 });
    await sweep(context, { patienceMs: 0, pollMs: 10 });
  }
}

/** Three events of one operation. */
async function fillAuditLog({ store, vaultId, keys }: TestVault): Promise<void> {
  const signer = signerOf(keys.signer.privateKey);
  for (const what of ['asked', 'approved', 'ended'] as const) {
    const event = { id: what, what, at: new Date().toISOString(), operation: 'restore', workflowId: 'w', runId: 'r' };
    await appendAudit([{ name: 'main', store }], { vaultId, signer }, event);
  }
}

async function fillLog(vault: TestVault): Promise<void> {
  const log = await vault.walWriter('main');
  const of = { systemIdentifier: '7000001', timeline: 1 };
  const segmentBytes = 16 * 1024 * 1024;
  for (const from of [0, 5000, 9000]) {
    const bytes = noise(from, 4000);
    await log.storeRange({ ...of, segmentBytes, from: BigInt(segmentBytes + from), bytes, receivedAtMs: Date.now() });
  }
  const history = Buffer.from('1\t0/2000000\tno recovery target specified\n');
  await log.storeHistory({ ...of, timeline: 2, bytes: history, receivedAtMs: Date.now() });
  const gap = { from: BigInt(segmentBytes + 4000), to: BigInt(segmentBytes + 5000), why: 'the spool was lost' };
  await log.recordGap({ ...of, ...gap });
  await log.sync();
  await log.close();
}

function kindOf(key: string, innerRoots: ReadonlySet<string>): string {
  const [room = ''] = key.split('/');
  if (room === 'lists') return innerRoots.has(key.slice(-64)) ? 'inner list' : 'leaf list';
  if (room === 'sweeps') {
    const [, , name = ''] = key.split('/');
    return name === 'plan.json' ? 'sweep plan' : name === 'condemned' ? name : 'sweep marks';
  }
  if (room === 'wal') return key.includes('/gap.') ? 'log gap' : key.endsWith('.history') ? 'log history' : 'log range';
  return room;
}

async function keysIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .filter((key) => !key.startsWith('.tmp/'))
    .toSorted();
}

/** Damages one file; `position` from 0 to 1 says where. Returns how to undo it; undefined when nothing was changed. */
export async function ruin(
  path: string,
  key: string,
  damage: Damage,
  options: { readonly position: number; readonly bit: number; readonly other: string },
): Promise<(() => Promise<void>) | undefined> {
  const file = join(path, key);
  const before = await readFile(file);
  const undo = () => writeFile(file, before);
  const at = Math.min(before.length - 1, Math.floor(options.position * before.length));
  switch (damage) {
    case 'flipped': {
      const bytes = Buffer.from(before);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << options.bit);
      await writeFile(file, bytes);
      return undo;
    }
    case 'truncated':
      await writeFile(file, before.subarray(0, at));
      return undo;
    case 'emptied':
      await writeFile(file, '');
      return undo;
    case 'swapped': {
      const other = await readFile(join(path, options.other));
      if (other.equals(before)) return undefined;
      await writeFile(file, other);
      return undo;
    }
    case 'deleted':
      await rm(file);
      return undo;
  }
}

export interface LookOptions {
  readonly level?: ReadingLevel;
  readonly withIdentity?: boolean;
  readonly others?: readonly { name: string; store: Store }[];
  readonly store?: Store;
  readonly parts?: readonly number[];
  readonly run?: string;
  /** Components whose log is received here. */
  readonly logsHere?: readonly string[];
}

/** Looks at all parts of a store, without leaving a record unless it heals. */
export async function look(vault: TestVault, options: LookOptions = {}): Promise<ReadingBody[]> {
  const { level = 'content', withIdentity = false, others, run = 'a-run' } = options;
  const store = options.store ?? vault.store;
  const { vaultId, keys } = vault;
  return readStoreBack({
    system: SYSTEM,
    store: others === undefined ? withoutRecords(store) : store,
    vaultId,
    roots: await readTrustRoots(store, vaultId, keys.root.fingerprint),
    signal: new AbortController().signal,
    level,
    parts: options.parts ?? Array.from({ length: PARTS }, (_, part) => part),
    run,
    host: 'host-a',
    signer: signerOf(keys.signer.privateKey),
    ...(withIdentity ? { identities: [keys.operations.identity] } : {}),
    ...(others === undefined ? {} : { others }),
    ...(options.logsHere === undefined ? {} : { logsHere: options.logsHere }),
  });
}

export function badOf(records: readonly ReadingBody[]): BadFound[] {
  return records.flatMap(({ bad }) => bad);
}

function withoutRecords(store: Store): Store {
  return {
    label: store.label,
    kind: store.kind,
    get: (key, options) => store.get(key, options),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    put: (key, bytes, options) =>
      key.startsWith('verified/') ? Promise.resolve('written') : store.put(key, bytes, options),
    delete: (key) => store.delete(key),
    sync: () => store.sync(),
    close: () => store.close(),
  };
}
