/** Small records of a vault, judged one by one by their own signatures and names. */
import { zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import { inspectSshSignature } from '../../seal/ssh-signature.ts';
import { requireAsWritten } from '../as-written.ts';
import { judgeAudit } from '../audit/record.ts';
import { checkSignature, NAMESPACES, publicKeyIn, readRecord, type OpenedRecord } from '../envelope.ts';
import { captureSchema, keySchema, proofSchema } from '../formats.ts';
import { backupIdOfKey, proofKeyOf, sha256Hex } from '../names.ts';
import { isRest, parseReading, readingKeyOf, requireRest } from './readings.ts';
import { judgeBackup, type VaultPlace } from '../store-facts.ts';
import { holdSchema } from '../sweep/holds.ts';
import { requireOwnList } from '../sweep/condemned.ts';
import { judgeHandoverRecord } from '../sites/handover-record.ts';
import { judgeSiteRecord } from '../sites/judge.ts';
import { checkClaim, judgeStatement } from '../trust.ts';
import { judgeWalGap, judgeWalObject, readWalObject, walGapSchema } from '../wal/format.ts';

const anyBody = z.looseObject({ vaultId: z.string().exactOptional(), key: z.string().exactOptional() });

type Judge = Pick<VaultPlace, 'vaultId' | 'roots'>;

/** Rooms of signed records that are read part by part; `signers/`, `keys/` and `backups/` are read by every look. */
export const RECORD_ROOMS = [
  'captures',
  'proofs',
  'holds',
  'sweeps',
  'wal',
  'verified',
  'quarantine',
  'audit',
  'generations',
  'handovers',
  'reports',
] as const;

/**
 * Throws ObjectCorrupt, Untrusted, VaultFormat when the bytes are not what was written under this name. True: judged.
 * False: a kind of object that carries nothing to judge it by.
 */
export function checkRecord(judge: Judge, key: string, bytes: Uint8Array): boolean {
  const room = key.slice(0, key.indexOf('/'));
  switch (room) {
    case 'backups':
      judgeBackup(judge, key, bytes);
      return true;
    case 'signers':
      checkSigner(judge, key, bytes);
      return true;
    case 'keys':
      checkKeyRecord(judge, key, bytes);
      return true;
    case 'captures':
      checkCapture(judge, key, bytes);
      return true;
    case 'proofs':
      checkProof(judge, key, bytes);
      return true;
    case 'verified':
      if (isRest(key)) requireRest(key, bytes);
      else checkReading(judge, key, bytes);
      return true;
    case 'wal':
      checkWal(judge, key, bytes);
      return true;
    case 'holds':
      checkHold(judge, key, bytes);
      return true;
    case 'audit':
      judgeAudit(judge, key, bytes);
      return true;
    case 'generations':
    case 'renewals':
      judgeSiteRecord(judge, key, bytes);
      return true;
    case 'handovers':
      judgeHandoverRecord(judge, key, bytes);
      return true;
    case 'sweeps':
      if (!key.endsWith('/condemned')) return checkAnyRecord(judge, key, bytes);
      requireCondemned(key, bytes);
      return true;
    default:
      return key.endsWith('.json') && checkAnyRecord(judge, key, bytes);
  }
}

function opened<T>(schema: z.ZodType<T>, key: string, bytes: Uint8Array): OpenedRecord<T> {
  const record = readRecord(schema, bytes, key);
  requireAsWritten(key, bytes, record);
  return record;
}

function checkKeyRecord({ roots }: Judge, key: string, bytes: Uint8Array): void {
  const record = opened(keySchema, key, bytes);
  requireName(key, `keys/${record.body.epoch}`);
  // By the root or by whoever began the epoch; the key inside is checked by those who can open it.
  checkSignature(record, publicKeyIn(record.signature), NAMESPACES.key);
  const known = roots.signers.has(record.signedBy) || roots.rootFingerprint === undefined;
  if (known || record.signedBy === roots.rootFingerprint) return;
  throw notAdmitted(key, record.signedBy);
}

function checkSigner({ roots, vaultId }: Judge, key: string, bytes: Uint8Array): void {
  opened(anyBody, key, bytes);
  judgeStatement(key, bytes, vaultId, roots.rootFingerprint);
}

function checkCapture({ roots, vaultId }: Judge, key: string, bytes: Uint8Array): void {
  const record = opened(captureSchema, key, bytes);
  requireName(key, `captures/${record.body.backupId}.json`);
  checkClaim(roots, record, { namespace: NAMESPACES.capture, vaultId, at: record.body.startedAt });
}

function checkProof({ roots, vaultId }: Judge, key: string, bytes: Uint8Array): void {
  const record = opened(proofSchema, key, bytes);
  const { manifestKey, level, at } = record.body;
  if (backupIdOfKey(manifestKey) === undefined) throw new HoldfastError('Untrusted', `${key} names no backup`);
  requireName(key, proofKeyOf(manifestKey, level, Date.parse(at), sha256Hex(bytes)));
  checkClaim(roots, record, { namespace: NAMESPACES.proof, vaultId, at });
}

function checkReading({ roots, vaultId }: Judge, key: string, bytes: Uint8Array): void {
  const record = parseReading(bytes, key);
  requireAsWritten(key, bytes, record);
  requireName(key, readingKeyOf(record.body, sha256Hex(bytes)));
  checkClaim(roots, record, { namespace: NAMESPACES.reading, vaultId, at: record.body.at });
}

function checkWal({ roots, vaultId }: Judge, key: string, bytes: Uint8Array): void {
  if (key.includes('/gap.')) {
    judgeWalGap(roots, vaultId, key, opened(walGapSchema, key, bytes));
    return;
  }
  const object = readWalObject(bytes, key);
  requireAsWritten(key, bytes.subarray(0, bytes.indexOf(0x0a) + 1), object.record);
  judgeWalObject(roots, vaultId, key, object);
}

function checkHold({ roots, vaultId }: Judge, key: string, bytes: Uint8Array): void {
  const record = opened(holdSchema, key, bytes);
  requireName(key, record.body.key);
  checkClaim(roots, record, { namespace: NAMESPACES.hold, vaultId, at: record.body.at });
}

/** A list of keys, compressed; since it says so itself, it is that of this sweep and has all of its lines. */
function requireCondemned(key: string, bytes: Uint8Array): void {
  let text: string;
  try {
    text = zstdDecompressSync(bytes, { rejectGarbageAfterEnd: true }).toString('utf8');
  } catch (cause) {
    throw new HoldfastError('ObjectCorrupt', `${key} cannot be decompressed`, { cause, details: { key } });
  }
  requireOwnList(key, text);
}

/** What a later part of the program keeps: its signature holds, and it lies where it says, if it says. */
function checkAnyRecord({ roots, vaultId }: Judge, key: string, bytes: Uint8Array): boolean {
  const record = opened(anyBody, key, bytes);
  const { publicKey, namespace } = inspectSshSignature(record.signature);
  const known = Object.values(NAMESPACES).find((one) => one === namespace);
  if (known === undefined)
    throw new HoldfastError('Untrusted', `${key} is signed for ${namespace}, which nobody knows`);
  checkSignature(record, publicKey, known);
  if (!roots.signers.has(record.signedBy)) throw notAdmitted(key, record.signedBy);
  if (record.body.vaultId !== undefined && record.body.vaultId !== vaultId) {
    throw new HoldfastError('Untrusted', `${key} belongs to the vault ${record.body.vaultId}`);
  }
  requireName(key, record.body.key ?? key);
  return true;
}

/** The root's word about the signer may be what is damaged: then that is told, and not this. */
function notAdmitted(key: string, signer: string): HoldfastError {
  return new HoldfastError('Untrusted', `${key}: its signer ${signer} was not admitted`, {
    details: { unknownSigner: signer },
  });
}

function requireName(key: string, named: string): void {
  if (key !== named) throw new HoldfastError('Untrusted', `${key} holds what was written as ${named}`);
}
