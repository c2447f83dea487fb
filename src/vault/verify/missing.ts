/** Objects that nothing names and that were there all the same: told by what they left, and by the other stores. */
import { HoldfastError } from '../../failures.ts';
import { NAMESPACES, readRecord } from '../envelope.ts';
import { captureSchema, proofSchema } from '../formats.ts';
import { keysIn } from '../listed.ts';
import { parseAtManifestKey } from '../manifest.ts';
import { mapBounded } from '../mutex.ts';
import { backupIdOfCapture, backupIdOfKey } from '../names.ts';
import { isAboutObject, type NamedBackup, type Note, type VaultPlace } from '../store-facts.ts';
import { readPruned } from '../sweep/sweep-records.ts';
import { checkClaim } from '../trust.ts';
import { deletedManifests, type OpenCaptureRecord } from './deleted-manifests.ts';
import { HEAL_PLAN, type OtherStore } from './heal.ts';
import { missingLog } from './log-holes.ts';

const READS_AT_ONCE = 16;

export interface MissingInput {
  /** Whose manifests hold. */
  readonly backups: readonly NamedBackup[];
  /** To compare with; one that can't be asked tells nothing. */
  readonly beside: readonly OtherStore[];
  /** Components whose log is received into this store. */
  readonly logsHere: readonly string[];
}

/** Notes each of them as ObjectMissing. */
export async function lookForMissing(place: VaultPlace, input: MissingInput, note: Note): Promise<void> {
  const missing = (key: string, why: string): void =>
    note(key, new HoldfastError('ObjectMissing', `${key} is missing: ${why}`));
  const beside = new Beside(input.beside, place.signal);
  for (const [key, why] of await deletedHere(place, input.backups, beside)) missing(key, why);
  const there = new Set(input.backups.map(({ id }) => id));
  const holds = new Set(await keysIn(place.store, 'holds/', place.signal));
  for (const { name, keys } of await beside.list('holds/')) {
    for (const key of keys) {
      if (holds.has(key) || !there.has(key.split('/')[1] ?? '')) continue;
      holds.add(key);
      missing(key, `${name} holds it, and the backup is here`);
    }
  }
  const log = Map.groupBy(await keysIn(place.store, 'wal/', place.signal), componentOf);
  for (const [component, here] of log) {
    const others = (await beside.list(`wal/${component}/`)).flatMap(({ keys }) => keys);
    for (const { key, what } of missingLog(component, here, others, input.logsHere.includes(component))) {
      missing(key, what);
    }
  }
}

/** In this order: what is committed or removed meanwhile is then seen as such. */
async function deletedHere(
  place: VaultPlace,
  backups: readonly NamedBackup[],
  beside: Beside,
): Promise<Map<string, string>> {
  const { store, signal } = place;
  const captures = await keysIn(store, 'captures/', signal);
  const proofs = (await keysIn(store, 'proofs/', signal)).filter((key) => key.includes('-presence-'));
  const taken = new Set((await keysIn(store, 'backups/', signal)).map((key) => backupIdOfKey(key) ?? key));
  const open = await mapBounded(
    captures.filter((key) => !taken.has(backupIdOfCapture(key))),
    READS_AT_ONCE,
    (key) => openRecord(place, key, beside),
  );
  const proved = await mapBounded(
    proofs.filter((key) => !taken.has(key.split('/')[1] ?? '')),
    READS_AT_ONCE,
    (key) => provedBy(place, key),
  );
  const pruned = await readPruned(store, place, signal);
  return deletedManifests({
    links: backups.map(({ link }) => link),
    pruned,
    prunedKeys: new Set(pruned.map(({ key }) => key)),
    open: open.filter((one) => one !== undefined),
    proved: proved.filter((key) => key !== undefined),
  });
}

async function openRecord(place: VaultPlace, key: string, beside: Beside): Promise<OpenCaptureRecord | undefined> {
  return unlessBad(async () => {
    const record = readRecord(captureSchema, await place.store.get(key), key);
    const { manifestKey, signer, startedAt, copy = false, plan, vaultId } = record.body;
    checkClaim(place.roots, record, { namespace: NAMESPACES.capture, vaultId: place.vaultId, at: startedAt });
    if (vaultId !== place.vaultId || plan === HEAL_PLAN) return undefined;
    const elsewhere = await beside.holderOf(manifestKey);
    const facts = { manifestKey, signer, startedAtMs: Date.parse(startedAt), copy };
    return elsewhere === undefined ? facts : { ...facts, elsewhere };
  });
}

async function provedBy(place: VaultPlace, key: string): Promise<string | undefined> {
  return unlessBad(async () => {
    const record = readRecord(proofSchema, await place.store.get(key), key);
    const { manifestKey, at } = record.body;
    checkClaim(place.roots, record, { namespace: NAMESPACES.proof, vaultId: place.vaultId, at });
    return backupIdOfKey(manifestKey) === key.split('/')[1] ? manifestKey : undefined;
  });
}

/** A record that is bad itself is told by the look at its part, and says nothing here. */
async function unlessBad<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof HoldfastError && isAboutObject(error)) return undefined;
    throw error;
  }
}

/** The other stores, for as long as they answer. */
class Beside {
  private readonly signal: AbortSignal;
  private answering: readonly OtherStore[];

  constructor(stores: readonly OtherStore[], signal: AbortSignal) {
    this.answering = stores;
    this.signal = signal;
  }

  async list(prefix: string): Promise<{ readonly name: string; readonly keys: readonly string[] }[]> {
    return this.ask(async ({ name, store }) => ({ name, keys: await keysIn(store, prefix, this.signal) }));
  }

  /** The name of one that holds the manifest itself, not the mark of a capture that became none. */
  async holderOf(manifestKey: string): Promise<string | undefined> {
    const found = await this.ask(async ({ name, store }) => {
      if ((await store.head(manifestKey)) === undefined) return undefined;
      const bytes = await unlessBad(() => store.get(manifestKey));
      if (bytes === undefined) return undefined;
      const kind = await unlessBad(() => Promise.resolve(parseAtManifestKey(bytes, manifestKey).kind));
      return kind === 'manifest' ? name : undefined;
    });
    return found.find((name) => name !== undefined);
  }

  private async ask<T>(question: (store: OtherStore) => Promise<T>): Promise<T[]> {
    const answers: T[] = [];
    for (const one of this.answering) {
      try {
        answers.push(await question(one));
      } catch (error) {
        this.signal.throwIfAborted();
        if (!(error instanceof HoldfastError)) throw error;
        // Not asked again for each object.
        this.answering = this.answering.filter((other) => other !== one);
      }
    }
    return answers;
  }
}

function componentOf(key: string): string {
  return key.split('/')[1] ?? '';
}
