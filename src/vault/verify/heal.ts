/**
 * Healing: a good copy from another store takes the place of a bad object. At every moment the bad one lies there, or the
 * good one, or nothing where nothing lay; never anything that was not compared first.
 */
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { signRecord, NAMESPACES, type Signer } from '../envelope.ts';
import type { CaptureRecord } from '../formats.ts';
import { getIfThere } from '../get-if-there.ts';
import { tombstoneBytes } from '../manifest.ts';
import { backupIdOf, captureKeyOf, FORMAT, manifestKeyOf, parseObjectKey, sha256Hex } from '../names.ts';
import { caseKey, requireSame, writeCase } from './quarantine.ts';
import { openRecords, type PruneSource } from '../sweep/prune-survey.ts';
import { refuseDuringSweep } from '../sweep/sweeps.ts';

/** Under this name healings are announced. */
export const HEAL_PLAN = 'heal';

/** Another store of the system, by its name there. */
export interface OtherStore {
  readonly name: string;
  readonly store: Store;
}

export interface Healing {
  readonly store: Store;
  readonly vaultId: string;
  readonly signer: Signer;
  /** Where it is done: what it leaves when it dies is closed by the next one there. */
  readonly host: string;
  readonly others: readonly OtherStore[];
  /** What this program can write by itself, by key. */
  readonly own?: ReadonlyMap<string, Uint8Array>;
  readonly signal: AbortSignal;
}

export interface Bad {
  readonly key: string;
  readonly code: string;
  readonly what: string;
}

export type Healed =
  | { readonly outcome: 'healed'; readonly from: string }
  /** It was put aside, so that the next capture stores it again. */
  | { readonly outcome: 'removed' }
  | { readonly outcome: 'left'; readonly why: string };

/** Resolves when the bytes are those that belong under the key; throws what is wrong with them. */
export type IsGood = (key: string, bytes: Uint8Array) => Promise<void>;

/**
 * Announces the healing to sweeps as a capture is announced, and closes it afterwards. Throws SweepRunning while a sweep
 * deletes: what it condemned must not come back under its hands.
 */
export async function whileHealing<T>(healing: Healing, run: string, heal: () => Promise<T>): Promise<T> {
  const { store, vaultId, signer, host } = healing;
  await refuseDuringSweep(store);
  const atMs = Date.now();
  // Each time another one: what is closed announces nothing. One that a crash left open is closed by `closeLeftHealings`.
  const captureId = `${idPrefix(host)}${run} ${atMs}`;
  const backupId = backupIdOf(vaultId, captureId);
  const key = captureKeyOf(backupId);
  const record: CaptureRecord = {
    format: FORMAT,
    vaultId,
    captureId,
    backupId,
    manifestKey: manifestKeyOf(HEAL_PLAN, atMs, backupId),
    plan: HEAL_PLAN,
    epoch: '',
    startedAt: new Date(atMs).toISOString(),
    signer: signer.fingerprint,
  };
  await store.put(key, signRecord(record, NAMESPACES.capture, signer), { createOnly: true });
  const { manifestKey } = record;
  try {
    await refuseDuringSweep(store, { recorded: true });
    return await heal();
  } finally {
    // Nothing will be committed under this name: a sweep need not wait for it.
    await close({ store, vaultId, signer }, { manifestKey, captureId });
  }
}

/**
 * Closes what healings of this host left open when they died: until then each sweep would wait for them. The caller holds
 * the lock that says that none of them lives. Returns how many there were.
 */
export async function closeLeftHealings(
  from: PruneSource,
  by: { readonly signer: Signer; readonly host: string },
  signal: AbortSignal,
): Promise<number> {
  const { store, vaultId } = from;
  let closed = 0;
  for (const { captureId, manifestKey, settleable } of await openRecords(from, Date.now(), signal)) {
    if (captureId === undefined || manifestKey === undefined || !settleable) continue;
    if (!captureId.startsWith(idPrefix(by.host)) || !manifestKey.startsWith(`backups/${HEAL_PLAN}/`)) continue;
    await close({ store, vaultId, signer: by.signer }, { manifestKey, captureId });
    closed += 1;
  }
  return closed;
}

async function close(
  { store, vaultId, signer }: Pick<Healing, 'store' | 'vaultId' | 'signer'>,
  { manifestKey, captureId }: { readonly manifestKey: string; readonly captureId: string },
): Promise<void> {
  const stone = { vaultId, manifestKey, captureId, why: 'abandoned', atMs: Date.now() } as const;
  await store.put(manifestKey, tombstoneBytes(stone, signer), { createOnly: true });
}

function idPrefix(host: string): string {
  return `heal ${host} `;
}

/** May be repeated: what an earlier attempt has done is found. Throws when the store itself cannot be written. */
export async function healObject(healing: Healing, bad: Bad, isGood: IsGood): Promise<Healed> {
  const { store, signal } = healing;
  signal.throwIfAborted();
  const found = await getIfThere(store, bad.key);
  if (found !== undefined && (await holds(isGood, bad.key, found))) {
    return { outcome: 'healed', from: 'an earlier attempt' };
  }
  const { good, tried } = await findGood(healing, bad.key, isGood);
  const isRepeatable = parseObjectKey(bad.key) !== undefined;
  if (good === undefined && (!isRepeatable || found === undefined)) {
    // Hosts that believe in it must learn that it is gone.
    if (isRepeatable) await closeCase(healing, bad, caseKey(bad.key, Date.now(), new Uint8Array()), 'removed');
    return isRepeatable ? { outcome: 'removed' } : { outcome: 'left', why: tried };
  }
  const name = caseKey(bad.key, Date.now(), found ?? new Uint8Array());
  if (found !== undefined) {
    await store.put(name, found, { createOnly: true, sha256: sha256Hex(found) });
    await store.sync();
  }
  if (good === undefined) {
    await remove(store, bad.key, found ?? new Uint8Array());
    await closeCase(healing, bad, name, 'removed');
    return { outcome: 'removed' };
  }
  await replace(store, bad.key, found, good.bytes);
  await closeCase(healing, bad, name, 'healed', good.from);
  return { outcome: 'healed', from: good.from };
}

/** The first store that holds it whole. One that cannot be asked is passed over, and told when none has it. */
async function findGood(
  { others, own, signal }: Healing,
  key: string,
  isGood: IsGood,
): Promise<{ good?: { bytes: Uint8Array; from: string }; tried: string }> {
  const tried: string[] = [];
  for (const { name, store } of others) {
    signal.throwIfAborted();
    try {
      const bytes = await store.get(key);
      await isGood(key, bytes);
      return { good: { bytes, from: name }, tried: '' };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      tried.push(`${name}: ${error.message}`);
    }
  }
  const written = own?.get(key);
  if (written !== undefined) return { good: { bytes: written, from: 'this program' }, tried: '' };
  return { tried: tried.length === 0 ? 'the system has no other store' : `no other store has it: ${tried.join('; ')}` };
}

/** In one step where something lies there, so that there is no moment without an object. */
async function replace(store: Store, key: string, bad: Uint8Array | undefined, good: Uint8Array): Promise<void> {
  const before = bad === undefined ? undefined : await latestVersion(store, key);
  const sha256 = sha256Hex(good);
  await store.put(key, good, { createOnly: bad === undefined, sha256 });
  await store.sync();
  // The bad one lies in quarantine; as an old version it would only take room. A lock may keep it for its time.
  if (before !== undefined) await deleteVersion(store, key, before);
}

async function remove(store: Store, key: string, judged: Uint8Array): Promise<void> {
  const version = await latestVersion(store, key);
  const now = await getIfThere(store, key);
  if (now === undefined) return;
  requireSame(key, judged, now);
  if (version === undefined || !(await deleteVersion(store, key, version))) await store.delete(key);
  await store.sync();
}

async function latestVersion(store: Store, key: string): Promise<string | undefined> {
  if (store.versions === undefined) return undefined;
  for await (const version of store.versions.list(key)) {
    if (version.key === key && version.latest && !version.deleteMarker) return version.versionId;
  }
  return undefined;
}

/** False when a lock holds it. */
async function deleteVersion(store: Store, key: string, versionId: string): Promise<boolean> {
  try {
    await store.versions?.delete(key, versionId);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'StoreLocked') return false;
    throw error;
  }
}

/** Written last: a capture that began while the bad object still lay there forgets it at its next look. */
async function closeCase(
  { store, vaultId, signer }: Healing,
  { key: object, code, what }: Bad,
  name: string,
  outcome: 'healed' | 'removed',
  from?: string,
): Promise<void> {
  const at = new Date().toISOString();
  const body = { format: FORMAT, vaultId, key: `${name}.json`, object, code, what, outcome, at } as const;
  await writeCase(store, { ...body, ...(from === undefined ? {} : { from }) }, signer);
}

async function holds(isGood: IsGood, key: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await isGood(key, bytes);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}
