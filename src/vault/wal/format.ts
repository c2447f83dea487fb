/**
 * One object of the write-ahead log: a line with a signed record, then the sealed bytes. One object and not two, so that
 * its create-only name is the commit point and nothing half-written can be seen.
 */
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import { NAMESPACES, readRecord, signRecord, type OpenedRecord, type Signer } from '../envelope.ts';
import { checkClaim, type TrustRoots } from '../trust.ts';
import { FORMAT, sha256Hex } from '../names.ts';

const NEWLINE = 0x0a;
const MAX_RECORD_BYTES = 16 * 1024;

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);

const common = {
  format: z.literal(FORMAT),
  /** Its own key, so that a copy under another name shows. */
  key: z.string(),
  vaultId: z.string(),
  component: z.string(),
  systemIdentifier: z.string().regex(/^\d+$/),
  timeline: z.number().int().positive(),
  signer: z.string(),
};

/** The record of a piece of a segment, or of a history file. */
export const walObjectSchema = z.object({
  ...common,
  kind: z.enum(['range', 'history']),
  /** The file of pg_wal that it is of. */
  file: z.string(),
  /** The full length of that file. */
  fileBytes: count,
  /** Offsets in that file. */
  start: count,
  end: count,
  /** When its last byte had come, by the host's clock. */
  receivedAt: time,
  /** By the server's clock: what it had acknowledged before is in the log up to `end`. */
  coversUntil: time.exactOptional(),
  epoch: z.string(),
  /** HMAC-SHA-256 of the plain bytes under the epoch's id key: equal content shows without opening it. */
  contentId: hex64,
  sealedBytes: count,
  sealedSha256: hex64,
});
export type WalObjectBody = z.infer<typeof walObjectSchema>;

/** What is missing, said when it was noticed. */
export const walGapSchema = z.object({
  ...common,
  kind: z.literal('gap'),
  fromLsn: lsn,
  toLsn: lsn,
  why: z.string(),
  at: time,
});
export type WalGapBody = z.infer<typeof walGapSchema>;

export interface WalObject {
  readonly record: OpenedRecord<WalObjectBody>;
  readonly sealed: Uint8Array;
}

export function walObjectBytes(body: WalObjectBody, sealed: Uint8Array, signer: Signer): Buffer {
  return Buffer.concat([signRecord(body, NAMESPACES.wal, signer), sealed]);
}

/** Takes an object apart and compares its bytes with its record, without judging who signed. Throws ObjectCorrupt. */
export function readWalObject(bytes: Uint8Array, key: string): WalObject {
  const end = bytes.subarray(0, MAX_RECORD_BYTES).indexOf(NEWLINE);
  if (end < 0) throw corrupt(key, 'does not begin with a record');
  const record = readRecord(walObjectSchema, bytes.subarray(0, end), key);
  const sealed = bytes.subarray(end + 1);
  const { body } = record;
  if (sealed.length !== body.sealedBytes || sha256Hex(sealed) !== body.sealedSha256) {
    throw corrupt(key, 'does not hold the bytes that its record names');
  }
  if (body.end <= body.start || body.end > body.fileBytes) throw corrupt(key, 'names an impossible piece of its file');
  return { record, sealed };
}

/** Throws Untrusted with the reason. */
export function judgeWalObject(roots: TrustRoots, vaultId: string, key: string, { record }: WalObject): void {
  requireOwnName(key, record.body.key);
  checkClaim(roots, record, { namespace: NAMESPACES.wal, vaultId, at: record.body.receivedAt });
}

/** Throws Untrusted with the reason. */
export function judgeWalGap(roots: TrustRoots, vaultId: string, key: string, record: OpenedRecord<WalGapBody>): void {
  requireOwnName(key, record.body.key);
  checkClaim(roots, record, { namespace: NAMESPACES.wal, vaultId, at: record.body.at });
}

function requireOwnName(key: string, named: string): void {
  if (named !== key) throw new HoldfastError('Untrusted', `it was written as ${named} and lies at ${key}`);
}

function corrupt(key: string, what: string): HoldfastError {
  return new HoldfastError('ObjectCorrupt', `${key} ${what}`, { details: { key } });
}
