/** Records of what was read back of a store, and where its cursor stands: small, signed, create-only. */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { z } from 'zod';
import type { Reading } from '../../policy/read-back.ts';
import type { Store } from '../../stores/store.ts';
import { HoldfastError } from '../../failures.ts';
import { NAMESPACES, readRecord, signRecord, type OpenedRecord, type Signer } from '../envelope.ts';
import { parseRecord } from '../formats.ts';
import { keysIn } from '../listed.ts';
import { mapBounded } from '../mutex.ts';
import { compactTime, FORMAT, sha256Hex } from '../names.ts';
import { checkClaim, type TrustRoots } from '../trust.ts';

const BAD_SHOWN = 50;
const MAX_REST_BYTES = 1024 * 1024 * 1024;
const REST = /^verified\/(?:presence|content)\/rest-([0-9a-f]{64})$/;
const pack = promisify(zstdCompress);
const unpack = promisify(zstdDecompress);

const count = z.number().int().nonnegative();
const part = z.number().int().min(0).max(255);
const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');

const badSchema = z.object({
  key: z.string(),
  code: z.string(),
  what: z.string(),
  /** Absent for what every reading looks at. */
  part: part.exactOptional(),
  /** Ids of backups that need it, at most some, and how many there are. */
  backups: z.array(z.string()),
  backupCount: count,
  /** What became of it. */
  outcome: z.enum(['found', 'healed', 'removed', 'left']),
  /** The store that a good copy came from. */
  from: z.string().exactOptional(),
});
export type BadFound = z.infer<typeof badSchema>;

export const readingSchema = z.object({
  format: z.literal(FORMAT),
  vaultId: z.string(),
  /** The run that it belongs to: a repeat goes on where the last attempt stopped. */
  run: z.string(),
  level: z.enum(['presence', 'content']),
  /** With what content was compared: stored checksums, or also opened with an identity. */
  opened: z.boolean(),
  from: part,
  to: part,
  startedAt: time,
  /** When the backups were listed by which it was read; absent in what was written before that was told. */
  rootsAt: time.exactOptional(),
  at: time,
  ok: z.boolean(),
  objectsChecked: count,
  bytesChecked: count,
  /** Objects that nothing could be compared with: no backup names them. */
  unjudged: count,
  /** At most 50, then `moreBad`, which `rest` names: another object, of which this is the SHA-256. */
  bad: z.array(badSchema),
  moreBad: count,
  rest: z.string().exactOptional(),
  signer: z.string(),
});
export type ReadingBody = z.infer<typeof readingSchema>;

/** `verified/<level>/<time>-<from>-<to>-<digest>.json`: names sort by time, and tell a swapped one. */
export function readingKeyOf(body: Pick<ReadingBody, 'level' | 'from' | 'to' | 'at'>, sha256: string): string {
  const hex = (number: number): string => number.toString(16).padStart(2, '0');
  const name = `${compactTime(Date.parse(body.at))}-${hex(body.from)}-${hex(body.to)}-${sha256.slice(0, 12)}`;
  return `verified/${body.level}/${name}.json`;
}

/** Throws ObjectCorrupt, VaultFormat. */
export function parseReading(bytes: Uint8Array, key: string): OpenedRecord<ReadingBody> {
  return readRecord(readingSchema, bytes, key);
}

/** What lies in no record for its length: `verified/<level>/rest-<SHA-256>`, zstd of one bad object a line. */
function restKeyOf(level: ReadingBody['level'], sha256: string): string {
  return `verified/${level}/rest-${sha256}`;
}

export function isRest(key: string): boolean {
  return REST.test(key);
}

/** Throws ObjectCorrupt when the bytes are not those of the name. */
export function requireRest(key: string, bytes: Uint8Array): void {
  if (REST.exec(key)?.[1] === sha256Hex(bytes)) return;
  throw new HoldfastError('ObjectCorrupt', `${key} does not have the content of its name`, { details: { key } });
}

/** `bad` may be of any length: the record names the first, and all others lie beside it. Resolves to the whole body. */
export async function writeReading(
  store: Store,
  body: Omit<ReadingBody, 'signer' | 'moreBad' | 'rest'>,
  signer: Signer,
): Promise<ReadingBody> {
  const whole: ReadingBody = { ...body, moreBad: 0, signer: signer.fingerprint };
  const rest = body.bad.slice(BAD_SHOWN);
  const short: ReadingBody = { ...whole, bad: body.bad.slice(0, BAD_SHOWN), moreBad: rest.length };
  if (rest.length > 0) {
    const packed = await pack(Buffer.from(rest.map((one) => JSON.stringify(one)).join('\n')));
    short.rest = sha256Hex(packed);
    // First: what the record names is there.
    await store.put(restKeyOf(body.level, short.rest), packed, { createOnly: true });
  }
  const bytes = signRecord(short, NAMESPACES.reading, signer);
  await store.put(readingKeyOf(whole, sha256Hex(bytes)), bytes, { createOnly: true });
  return whole;
}

/** With all that was bad. What its record does not name stays a number when it can't be read. */
async function whole(store: Store, body: ReadingBody): Promise<ReadingBody> {
  if (body.rest === undefined) return body;
  const key = restKeyOf(body.level, body.rest);
  try {
    const packed = await store.get(key);
    requireRest(key, packed);
    const lines = (await unpack(packed, { maxOutputLength: MAX_REST_BYTES })).toString('utf8').split('\n');
    return { ...body, bad: [...body.bad, ...lines.map((line) => parseRecord(badSchema, line, key))], moreBad: 0 };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
    return body;
  }
}

export interface ReadingsFrom {
  readonly store: Store;
  readonly vaultId: string;
  readonly roots: TrustRoots;
}

/** Those that can be trusted, with all they found; the others don't count, and are told by the next look at them. */
export async function readReadings(from: ReadingsFrom, signal?: AbortSignal): Promise<ReadingBody[]> {
  const keys = (await keysIn(from.store, 'verified/', signal)).filter((key) => !isRest(key));
  const read = await mapBounded(keys, 16, async (key) => {
    try {
      const record = parseReading(await from.store.get(key), key);
      const { vaultId, roots } = from;
      checkClaim(roots, record, { namespace: NAMESPACES.reading, vaultId, at: record.body.at });
      return await whole(from.store, record.body);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
      return undefined;
    }
  });
  return read.filter((body) => body !== undefined);
}

/** As the policy of reading back sees it. */
export function readingOf(body: ReadingBody): Reading {
  const { level, opened, from, to, rootsAt, at, bad, moreBad } = body;
  return {
    level,
    opened,
    from,
    to,
    ...(rootsAt === undefined ? {} : { rootsAtMs: Date.parse(rootsAt) }),
    atMs: Date.parse(at),
    unnamed: moreBad,
    bad: bad.map(({ key, part: of, outcome, backups, backupCount }) => ({
      key,
      backups,
      backupCount,
      healed: outcome === 'healed',
      ...(of === undefined ? {} : { part: of }),
    })),
  };
}
