/** What two stores must hold when nothing is under way: each backup the policy keeps, whole, and nothing else. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { loadSystem, resolveSecret } from '../../src/system/index.ts';
import type { System } from '../../src/system/index.ts';
import { openReaderVault } from '../../src/vault/index.ts';
import type { ReaderVault } from '../../src/vault/index.ts';
import { readHead } from '../../src/vault/head.ts';
import { addNamed, NamedObjects } from '../../src/vault/named-objects.ts';
import { parseObjectKey } from '../../src/vault/names.ts';
import { readManifestRoots } from '../../src/vault/sweep/manifest-roots.ts';
import { openRecords } from '../../src/vault/sweep/prune-survey.ts';
import { readSweeps } from '../../src/vault/sweep/sweep-records.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { digestOf } from './content.ts';

const never = new AbortController().signal;

export interface MadeBackup {
  readonly backup: string;
  readonly plan: string;
  /** Of what was captured. */
  readonly digest: string;
}

export interface StoresToCheck {
  readonly system: string;
  readonly stores: readonly string[];
  /** In the order in which they were made. */
  readonly made: readonly MadeBackup[];
  /** So many of each plan stay at least. */
  readonly kept: number;
  readonly pathOf: (store: string) => string;
  /** Where backups are restored to be compared. */
  readonly scratch: string;
}

/** In words, one for each thing that is wrong. */
export async function checkStores(given: StoresToCheck): Promise<string[]> {
  const system = await loadSystem(given.system);
  const found: string[] = [];
  for (const name of given.stores) {
    const config = system.stores.find((one) => one.name === name);
    if (config === undefined) throw new Error(`no store ${name}`);
    const store = await openStore(config, resolveSecret);
    try {
      const wrong = [
        ...(await wrongBackups(given, system, store)),
        ...(await wrongObjects(store)),
        ...(await leftRecords(system, store)),
        ...leftFiles(given.pathOf(name)),
      ];
      found.push(...wrong.map((what) => `${name}: ${what}`));
    } finally {
      await store.close();
    }
  }
  return found;
}

/** Each that is there restores to the bytes that were captured, and those the policy keeps are there. */
async function wrongBackups({ made, kept, scratch }: StoresToCheck, system: System, store: Store): Promise<string[]> {
  const { identity, rootFingerprint } = system.keys;
  if (identity === undefined) throw new Error('the system has no identity');
  const identities = [(await resolveSecret(identity)).trim().split('\n').at(-1) ?? ''];
  const reader = await openReaderVault({ store, system: system.name, keys: { identities, rootFingerprint } });
  try {
    const entries = await reader.catalogue();
    const there = new Set(entries.map(({ body }) => body.id));
    const wanted = [...Map.groupBy(made, ({ plan }) => plan).values()].flatMap((own) => own.slice(-kept));
    const wrong = wanted
      .filter(({ backup }) => !there.has(backup))
      .map(({ backup, plan }) => `${backup} of ${plan} is gone`);
    for (const { key, body, trust } of entries) {
      const known = made.find(({ backup }) => backup === body.id);
      if (!trust.ok) wrong.push(`${key}: ${trust.why}`);
      else if (known === undefined) wrong.push(`${key} is of no backup that was made`);
      else if ((await restoredDigest(reader, key, path.join(scratch, 'restored'))) !== known.digest) {
        wrong.push(`${key} restores to other bytes than were captured`);
      }
    }
    return wrong;
  } finally {
    await reader.close();
  }
}

async function restoredDigest(reader: ReaderVault, key: string, into: string): Promise<string> {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into);
  try {
    const [tree] = await (await reader.open(key)).artifacts('data');
    if (tree === undefined) return 'no artifact';
    const tar = spawn('tar', ['-xpf', '-', '-C', into], { stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = once(tar, 'exit');
    await pipeline(Readable.from(tree.read()), tar.stdin);
    const [code] = (await ended) as [number | null];
    return code === 0 ? digestOf(into) : `tar ended with ${String(code)}`;
  } finally {
    rmSync(into, { recursive: true, force: true });
  }
}

/** Objects are those that manifests name, no less and no more. */
async function wrongObjects(store: Store): Promise<string[]> {
  const { roots, unknown } = await readManifestRoots(store, never);
  const named = new NamedObjects();
  await addNamed(store, roots, named, { signal: never });
  const missing = new Set(named.keys());
  const wrong = [...unknown];
  for (const room of ['chunks', 'lists', 'sums']) {
    for await (const { key } of store.list(`${room}/`)) {
      if (!missing.delete(key))
        wrong.push(parseObjectKey(key) === undefined ? `${key} is no object` : `${key} is named by nothing`);
    }
  }
  return [...wrong, ...[...missing].map((key) => `${key} is missing`)];
}

/** What would keep the next sweep or capture waiting. */
async function leftRecords(system: System, store: Store): Promise<string[]> {
  const { vaultId } = await readHead(store, system.name);
  const roots = await readTrustRoots(store, vaultId, system.keys.rootFingerprint);
  const open = await openRecords({ store, vaultId, roots }, Date.now(), never);
  const sweeps = (await readSweeps(store)).filter(({ done }) => !done);
  return [
    ...open.map(({ backupId, captureId }) => `the record of ${captureId ?? backupId} is open`),
    ...sweeps.map(({ name }) => `the sweep ${name} is not done`),
  ];
}

const aged = new Set<string>();

/**
 * Windows of time whose objects are doubtful are no litter. Half-written files go when they are old: they are made so here,
 * and one that the next cycle has not removed is told.
 */
function leftFiles(store: string): string[] {
  const left: string[] = [];
  for (const file of filesIn(path.join(store, '.tmp'))) {
    if (path.basename(file).startsWith('lost_')) continue;
    if (!HALF_WRITTEN.test(path.basename(file)) || aged.has(file)) left.push(file);
    else utimesSync(file, 0, 0);
    aged.add(file);
  }
  return [...left, ...filesIn(path.join(store, 'probe'))].map((file) => `${file} is left`);
}

const HALF_WRITTEN = /^\d+-[0-9a-f-]{36}$/;

function filesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).map((name) => path.join(directory, name)) : [];
}
