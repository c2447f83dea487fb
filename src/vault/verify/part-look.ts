/** Looks at the objects of one part of a store: each that is there, and each that should be. */
import { HoldfastError } from '../../failures.ts';
import type { ObjectInfo } from '../../stores/store.ts';
import { PARTS, type ReadingLevel } from '../../policy/read-back.ts';
import type { ExpectedObjects } from './expected-objects.ts';
import { getIfThere } from '../get-if-there.ts';
import { mapBounded } from '../mutex.ts';
import { parseObjectKey, sha256Hex, type Room } from '../names.ts';
import type { Opener } from '../opener.ts';
import { checkRecord } from './record-check.ts';
import { noting, type Note, type VaultPlace } from '../store-facts.ts';
import { readSums } from '../sums.ts';

/** Objects of a few MiB that are in memory at once. */
const READS_AT_ONCE = 8;
const HEADS_AT_ONCE = 32;

export interface PartLook extends VaultPlace {
  readonly level: ReadingLevel;
  readonly expected: ExpectedObjects;
  readonly opener: Opener | undefined;
  readonly note: Note;
  /** Called for each object that was looked at. */
  readonly checked: (bytes: number, judged: boolean) => void;
}

/** Both included. */
export interface PartRange {
  readonly from: number;
  readonly to: number;
}

/** The part that a key belongs to: of a content-addressed object by its id, of a record by the hash of its name. */
export function partOf(key: string): number {
  const id = parseObjectKey(key)?.id ?? sha256Hex(Buffer.from(key));
  return Number.parseInt(id.slice(0, 2), 16);
}

/** Checks chunks, lists and sums of some parts, and at the level of content the records whose keys are given. */
export async function lookAtParts(look: PartLook, range: PartRange, records: readonly string[]): Promise<void> {
  const missing = new Set<string>();
  for (let part = range.from; part <= range.to; part += 1)
    for (const key of look.expected.inPart(part)) missing.add(key);
  for (const room of ['chunks', 'lists', 'sums'] as const) {
    const found: ObjectInfo[] = [];
    for (const prefix of prefixesOf(room, range)) {
      for await (const info of look.store.list(prefix, { signal: look.signal })) {
        if (parseObjectKey(info.key) === undefined) continue;
        missing.delete(info.key);
        found.push(info);
      }
    }
    await mapBounded(found, look.level === 'content' ? READS_AT_ONCE : HEADS_AT_ONCE, async (info) => {
      look.signal.throwIfAborted();
      const judged = await noting(info.key, look.note, () => checkObject(look, info));
      look.checked(info.sizeBytes, judged ?? true);
    });
  }
  for (const key of missing) {
    // Checksums were read on the way from the manifests, which has told already.
    if (parseObjectKey(key)?.room === 'sums') continue;
    look.note(key, new HoldfastError('ObjectMissing', `${key} is missing`));
    look.checked(0, true);
  }
  if (look.level === 'content') await lookAtRecords(look, records);
}

/** Each part is a directory of its own; all of them are one listing. */
function prefixesOf(room: Room, { from, to }: PartRange): string[] {
  if (from === 0 && to === PARTS - 1) return [`${room}/`];
  return Array.from({ length: to - from + 1 }, (_, index) => `${room}/${digitsOf(from + index)}/`);
}

function digitsOf(part: number): string {
  return part.toString(16).padStart(2, '0');
}

async function lookAtRecords(look: PartLook, keys: readonly string[]): Promise<void> {
  await mapBounded(keys, READS_AT_ONCE, async (key) => {
    look.signal.throwIfAborted();
    const bytes = await getIfThere(look.store, key);
    // Removed since the listing.
    if (bytes === undefined) return;
    const judged = await noting(key, look.note, () => Promise.resolve(checkRecord(look, key, bytes)));
    look.checked(bytes.length, judged ?? true);
  });
}

/** True when there was something to judge it by. Throws ObjectCorrupt. */
async function checkObject(look: PartLook, info: ObjectInfo): Promise<boolean> {
  const object = parseObjectKey(info.key);
  if (object?.room === 'sums') return checkSums(look, info, object.id);
  return look.level === 'presence' ? checkPresence(look, info) : checkContent(look, info);
}

async function checkSums(look: PartLook, info: ObjectInfo, id: string): Promise<boolean> {
  // What a backup names was read on the way from its manifest.
  if (look.level === 'content' && look.expected.find(info.key).length === 0) await readSums(look.store, id);
  return true;
}

async function checkPresence({ store, expected }: PartLook, { key, sizeBytes }: ObjectInfo): Promise<boolean> {
  if (sizeBytes === 0) throw new HoldfastError('ObjectCorrupt', `${key} is empty`);
  const wanted = expected.find(key).filter((one) => one.sizeBytes > 0);
  if (wanted.length === 0) return false;
  if (!wanted.some((one) => one.sizeBytes === sizeBytes)) {
    const sizes = [...new Set(wanted.map((one) => one.sizeBytes))].join(' or ');
    throw new HoldfastError('ObjectCorrupt', `${key} has ${sizeBytes} bytes instead of ${sizes}`);
  }
  const sums = wanted.flatMap(({ sha256 }) => (sha256 === undefined ? [] : [sha256]));
  if (sums.length < wanted.length || store.storedSha256 === undefined) return true;
  const stored = await store.storedSha256(key);
  if (stored !== undefined && !sums.includes(stored)) {
    throw new HoldfastError('ObjectCorrupt', `${key} has another checksum in the store than when it was written`);
  }
  return true;
}

async function checkContent(look: PartLook, { key }: ObjectInfo): Promise<boolean> {
  const bytes = await getIfThere(look.store, key);
  const wanted = look.expected.find(key);
  if (bytes === undefined) {
    if (wanted.length === 0) return true;
    throw new HoldfastError('ObjectMissing', `${key} is missing`);
  }
  if (bytes.length === 0) throw new HoldfastError('ObjectCorrupt', `${key} is empty`);
  const { opener } = look;
  const fits = await matches(bytes, wanted);
  if (fits === false && opener === undefined) {
    throw new HoldfastError('ObjectCorrupt', `${key} does not have the bytes that were stored`);
  }
  const object = parseObjectKey(key);
  if (opener === undefined || object === undefined || object.room === 'sums') return fits === true;
  // Stored again since the checksums were written, it has other bytes and the same content.
  if ((await opener.check(object.room, object.id, bytes)) === 'opened') return true;
  if (fits !== false) return fits === true;
  throw new HoldfastError('ObjectCorrupt', `${key} does not have the bytes that were stored`);
}

/** Undefined when there is nothing to compare with. */
async function matches(
  bytes: Uint8Array,
  wanted: readonly { readonly sizeBytes: number; readonly sha256: string | undefined }[],
): Promise<boolean | undefined> {
  const told = wanted.filter(({ sizeBytes, sha256 }) => sizeBytes > 0 || sha256 !== undefined);
  if (told.length === 0) return undefined;
  // Off the event loop, unlike a hash object.
  const sha256 = Buffer.from(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString('hex');
  if (told.some((one) => one.sha256 === sha256)) return true;
  const bySize = told.filter((one) => one.sha256 === undefined);
  if (bySize.some(({ sizeBytes }) => sizeBytes === bytes.length)) return undefined;
  return false;
}
