/**
 * Reads parts of a whole store back: everything the backups name, every record, everything else that lies there. What is
 * bad is told with the backups that need it, and healed when asked to; nothing bad ends the reading.
 */
import { HoldfastError } from '../../failures.ts';
import { PARTS, rangesOf, type ReadingLevel } from '../../policy/read-back.ts';
import { backupIdOfKey, FORMAT, objectKey, parseObjectKey, sha256Hex } from '../names.ts';
import type { ExpectedObjects } from './expected-objects.ts';
import { healObject, whileHealing, type Healed, type Healing, type IsGood, type OtherStore } from './heal.ts';
import type { Signer } from '../envelope.ts';
import { keysIn } from '../listed.ts';
import { openOpener, type Opener } from '../opener.ts';
import { lookForMissing } from './missing.ts';
import { lookAtParts, partOf } from './part-look.ts';
import { writeReading, type BadFound, type ReadingBody } from './readings.ts';
import { checkRecord, RECORD_ROOMS } from './record-check.ts';
import { checkRootFile, lookAtRootFiles, ownFiles } from './root-files.ts';
import {
  backupsNaming,
  judgeBackup,
  noting,
  readBackups,
  readExpected,
  type NamedBackup,
  type Note,
  type VaultPlace,
} from '../store-facts.ts';
import { readTrustRoots } from '../trust.ts';
import { checkSumsBytes } from '../sums.ts';

const BACKUPS_SHOWN = 20;
const OBJECTS_AT_ONCE = 20_000;
/** A record at least so often, so that a repeat loses little. */
const RECORD_EVERY_MS = 60_000;

export interface StoreReadingInput extends VaultPlace {
  readonly system: string;
  readonly level: ReadingLevel;
  readonly parts: readonly number[];
  readonly run: string;
  readonly signer: Signer;
  /** The host that reads. */
  readonly host: string;
  /** With one, what is stored is opened as well. */
  readonly identities?: readonly string[] | undefined;
  /** Present: bad objects are healed from these stores. */
  readonly others?: readonly OtherStore[] | undefined;
  /** Other stores to compare with, where nothing is healed. */
  readonly compare?: readonly OtherStore[] | undefined;
  /** Components whose write-ahead log is received into this store. */
  readonly logsHere?: readonly string[];
  readonly onProgress?: (done: number, total: number, bytes: number) => void;
}

/** Resolves to the records it wrote, one for each range. Throws when the store cannot be asked, and WrongIdentity. */
export async function readStoreBack(input: StoreReadingInput): Promise<ReadingBody[]> {
  const reading = new StoreReading(input);
  return reading.run();
}

interface Found {
  readonly error: HoldfastError;
  readonly always: boolean;
}

class StoreReading {
  private readonly input: StoreReadingInput;
  private readonly written: ReadingBody[] = [];
  private backups: NamedBackup[] = [];
  private expected!: ExpectedObjects;
  private opener: Opener | undefined;
  private found = new Map<string, Found>();
  private place: VaultPlace;
  private signersBad = false;
  /** Of which something tells that they were there: no tombstone takes their place. */
  private readonly deleted = new Set<string>();
  /** What every look reads, and was bad: told in every record of this run. */
  private always: BadFound[] = [];
  /** When the backups were listed that it knows of. */
  private rootsAtMs = 0;
  private objects = 0;
  private bytes = 0;
  private unjudged = 0;
  private allBytes = 0;

  constructor(input: StoreReadingInput) {
    this.input = input;
    this.place = input;
  }

  async run(): Promise<ReadingBody[]> {
    await this.lookAtSigners();
    await this.lookAtRoots();
    const { store, identities, level } = this.input;
    const epochs = [...new Set(this.backups.map(({ epoch }) => epoch))];
    if (identities !== undefined && level === 'content') this.opener = await openOpener(store, epochs, identities);
    try {
      // Manifests and checksums that were healed lead to objects that were not known before.
      if (await this.settle()) await this.lookAtRoots();
      await this.lookForDeleted();
      if (await this.settle()) await this.lookAtRoots();
      await this.settle();
      await this.lookAtParts();
    } finally {
      await this.opener?.close();
    }
    return this.written;
  }

  /** First of all, because without them nothing else is believed. */
  private async lookAtSigners(): Promise<void> {
    const keys = await keysOf(this.place, 'signers/', this.beside);
    for (const key of keys) await this.lookAtRecord(key);
    // A number that is left out was somebody's.
    const last = Math.max(0, ...keys.map(numberOf));
    for (let n = 1; n < last; n += 1) {
      const key = `signers/${n}.json`;
      if (!keys.includes(key)) this.noteRoot(key, new HoldfastError('ObjectMissing', `${key} is missing`));
    }
    this.signersBad = this.found.size > 0;
    if (!(await this.settle())) return;
    this.signersBad = this.always.some(({ outcome }) => outcome !== 'healed');
    const { store, vaultId, roots } = this.place;
    this.place = { ...this.place, roots: await readTrustRoots(store, vaultId, roots.rootFingerprint) };
  }

  private async lookAtRecord(key: string): Promise<void> {
    const { store } = this.place;
    await noting(key, this.noteRoot, async () => checkRecord(this.place, key, await store.get(key)));
  }

  private readonly noteRoot: Note = (key, error) => {
    this.note(key, error, true);
  };

  private note(key: string, error: HoldfastError, always: boolean): void {
    // The word about its signer may be what is damaged: that is told, and what hangs on it can't be judged.
    if (this.signersBad && error.details['unknownSigner'] !== undefined) this.unjudged += 1;
    else this.found.set(key, { error, always });
  }

  /** The backups, the keys, and the checksums: whatever else is looked at is judged by these. */
  private async lookAtRoots(): Promise<void> {
    this.rootsAtMs = Date.now();
    const note = this.noteRoot;
    await lookAtRootFiles(this.vault, this.beside, note);
    this.backups = await readBackups(this.place, note);
    const keys = await keysOf(this.place, 'keys/', this.beside);
    for (const key of new Set([...keys, ...this.backups.map(({ epoch }) => `keys/${epoch}`)])) {
      await this.lookAtRecord(key);
    }
    for (const { withoutSums } of this.backups) {
      for (const root of withoutSums) {
        const what = 'no checksums were stored for what it lists; verify the backup instead';
        note(objectKey('lists', root), new HoldfastError('ObjectMissing', what));
      }
    }
    this.expected = await readExpected(this.place, this.backups, note);
  }

  private get vault() {
    return { ...this.place, system: this.input.system };
  }

  private get beside(): readonly OtherStore[] {
    return this.input.others ?? this.input.compare ?? [];
  }

  private async lookForDeleted(): Promise<void> {
    const { beside, backups, place } = this;
    await lookForMissing(place, { backups, beside, logsHere: this.input.logsHere ?? [] }, (key, error) => {
      if (key.startsWith('backups/')) this.deleted.add(key);
      this.noteRoot(key, error);
    });
  }

  private async lookAtParts(): Promise<void> {
    const { parts, level } = this.input;
    const records = level === 'content' ? await this.recordsByPart() : new Map<number, string[]>();
    let done = 0;
    for (const range of rangesOf(parts)) {
      let from = range.from;
      let startedMs = Date.now();
      for (let next = range.from; next <= range.to;) {
        const to = Math.min(range.to, next + this.partsAtOnce() - 1);
        const among = Array.from({ length: to - next + 1 }, (_, index) => records.get(next + index) ?? []).flat();
        const look = {
          ...this.place,
          level,
          expected: this.expected,
          opener: this.opener,
          note: (key: string, error: HoldfastError) => this.note(key, error, false),
          checked: (bytes: number, judged: boolean) => this.checked(bytes, judged, done),
        };
        await lookAtParts(look, { from: next, to }, among);
        done += to - next + 1;
        next = to + 1;
        if (to < range.to && Date.now() - startedMs < RECORD_EVERY_MS) continue;
        await this.record(from, to, startedMs);
        from = next;
        startedMs = Date.now();
      }
    }
  }

  /** What is expected of them is held in memory. */
  private partsAtOnce(): number {
    return Math.min(PARTS, Math.max(1, Math.floor((OBJECTS_AT_ONCE * PARTS) / Math.max(1, this.expected.size))));
  }

  private checked(bytes: number, judged: boolean, done: number): void {
    this.objects += 1;
    this.bytes += bytes;
    this.allBytes += bytes;
    if (!judged) this.unjudged += 1;
    if (this.objects % 64 === 0) this.input.onProgress?.(done, this.input.parts.length, this.allBytes);
  }

  private async recordsByPart(): Promise<Map<number, string[]>> {
    const byPart = new Map<number, string[]>();
    const wanted = new Set(this.input.parts);
    for (const room of RECORD_ROOMS) {
      for await (const { key } of this.input.store.list(`${room}/`, { signal: this.input.signal })) {
        const part = partOf(key);
        if (!wanted.has(part)) continue;
        const keys = byPart.get(part) ?? [];
        keys.push(key);
        byPart.set(part, keys);
      }
    }
    return byPart;
  }

  private async record(from: number, to: number, startedMs: number): Promise<void> {
    const { store, vaultId, run, level, signer } = this.input;
    const mine: BadFound[] = [];
    await this.settle(mine);
    const bad = [...this.always, ...mine];
    const body = await writeReading(
      store,
      {
        format: FORMAT,
        vaultId,
        run,
        level,
        opened: this.opener !== undefined,
        from,
        to,
        startedAt: new Date(startedMs).toISOString(),
        rootsAt: new Date(this.rootsAtMs).toISOString(),
        at: new Date().toISOString(),
        ok: bad.every(({ outcome }) => outcome === 'healed'),
        objectsChecked: this.objects,
        bytesChecked: this.bytes,
        unjudged: this.unjudged,
        bad,
      },
      signer,
    );
    await store.sync();
    this.written.push(body);
    // Told once; what is still bad among the roots is told again.
    this.always = this.always.filter(({ outcome }) => outcome !== 'healed');
    this.objects = 0;
    this.bytes = 0;
    this.unjudged = 0;
  }

  /** Says of what was found who needs it and heals it. True when something was healed. */
  private async settle(into: BadFound[] = this.always): Promise<boolean> {
    if (this.found.size === 0) return false;
    const found = this.found;
    this.found = new Map();
    const naming = await backupsNaming(this.place, new Set(found.keys()));
    const bad: BadFound[] = [];
    for (const [key, { error, always }] of found) {
      const backups = naming.get(key) ?? idOf(key);
      if (isNobodysBusiness(key, error, backups)) continue;
      bad.push({
        key,
        code: error.code,
        what: error.message,
        ...(always ? {} : { part: partOf(key) }),
        backups: backups.slice(0, BACKUPS_SHOWN),
        backupCount: backups.length,
        outcome: 'found',
      });
    }
    const settled = await this.heal(bad);
    for (const one of settled) {
      const told = into.findIndex(({ key }) => key === one.key);
      if (told < 0) into.push(one);
      else into[told] = one;
    }
    return settled.some(({ outcome }) => outcome === 'healed');
  }

  private async heal(bad: readonly BadFound[]): Promise<BadFound[]> {
    const { others, store, vaultId, signer, host, signal, run } = this.input;
    if (others === undefined || bad.length === 0) return [...bad];
    const healing: Healing = { store, vaultId, signer, host, others, own: ownFiles(this.input), signal };
    return whileHealing(healing, run, async () => {
      const settled: BadFound[] = [];
      for (const one of bad) {
        const healed = await unlessDenied(() => healObject(healing, one, this.isGood));
        if (healed.outcome === 'left') settled.push({ ...one, outcome: 'left', what: `${one.what} (${healed.why})` });
        else settled.push({ ...one, ...healed });
      }
      return settled;
    });
  }

  /** Compared with the checksums of this vault's own backups: what another store holds is not believed. */
  private readonly isGood: IsGood = async (key, bytes) => {
    const object = parseObjectKey(key);
    if (checkRootFile(this.vault, key, bytes)) return;
    if (object === undefined) {
      if (this.deleted.has(key) && judgeBackup(this.place, key, bytes) === 'tombstone') {
        throw new HoldfastError('ObjectMissing', `${key} is the mark of a capture that never became a backup`);
      }
      if (checkRecord(this.place, key, bytes)) return;
      throw new HoldfastError('ObjectCorrupt', `${key} carries nothing to judge it by`);
    }
    if (object.room === 'sums') return void checkSumsBytes(object.id, bytes);
    const wanted = this.expected.find(key).flatMap(({ sha256 }) => (sha256 === undefined ? [] : [sha256]));
    if (wanted.includes(sha256Hex(bytes))) return;
    if (wanted.length === 0 && this.opener !== undefined) {
      if ((await this.opener.check(object.room, object.id, Uint8Array.from(bytes))) === 'opened') return;
    }
    throw new HoldfastError('ObjectCorrupt', `its ${key} is another one than the backups name`);
  };
}

/**
 * An object that was removed by a prune meanwhile is missed by nobody, and one that no backup names any more has nothing
 * to be compared with. One whose content was looked at is bad whoever needs it: a capture may find and name it.
 */
function isNobodysBusiness(key: string, error: HoldfastError, backups: readonly string[]): boolean {
  const object = parseObjectKey(key);
  if (object === undefined || backups.length > 0) return false;
  return error.code === 'ObjectMissing' || (object.room !== 'sums' && error.details['opened'] !== true);
}

/** Rights to replace what backups are made of don't cover every record: what may not be mended is told, the rest goes on. */
async function unlessDenied(heal: () => Promise<Healed>): Promise<Healed> {
  try {
    return await heal();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'StoreDenied') throw error;
    return { outcome: 'left', why: error.message };
  }
}

/** The keys of a small room, also those that only another store has: what is missing at the end shows by nothing else. */
async function keysOf(
  { store, signal }: VaultPlace,
  prefix: string,
  others: readonly OtherStore[] = [],
): Promise<string[]> {
  const keys = new Set(await keysIn(store, prefix, signal));
  for (const { store: other } of others) {
    try {
      for await (const { key } of other.list(prefix, { signal })) keys.add(key);
    } catch (error) {
      // One that can't be asked can't help either; what needs it is told as it is.
      if (!(error instanceof HoldfastError)) throw error;
    }
  }
  return [...keys];
}

/** A manifest is needed by its backup. */
function idOf(manifestKey: string): string[] {
  const id = backupIdOfKey(manifestKey);
  return id === undefined ? [] : [id];
}

function numberOf(key: string): number {
  return Number(/^signers\/(\d+)\.json$/.exec(key)?.[1] ?? 0);
}
