/**
 * Records of the audit log. Each signer has a log of its own, numbered from 1, in which every record names the hash of the
 * one before and the newest records of the other logs that it saw: what is cut, edited or put elsewhere shows.
 */
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import { sshFingerprint } from '../../seal/ssh-key.ts';
import type { AuditEvent } from '../../workflows/audit-contract.ts';
import { requireAsWritten } from '../as-written.ts';
import { checkSignature, NAMESPACES, publicKeyIn, readRecord, signRecord, type Signer } from '../envelope.ts';
import { auditHeadSchema } from '../formats.ts';
import { FORMAT, sha256Hex } from '../names.ts';
import { checkClaim, type TrustRoots } from '../trust.ts';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const text = z.string().max(2000);

const eventSchema: z.ZodType<AuditEvent> = z.object({
  id: z.string().min(1),
  what: z.enum([
    'asked',
    'approved',
    'rejected',
    'expired',
    'withdrawn',
    'raised',
    'cleared',
    'taken-back',
    'ended',
    'done',
  ]),
  at: time,
  operation: text,
  workflowId: text.exactOptional(),
  runId: text.exactOptional(),
  digest: text.exactOptional(),
  about: text.exactOptional(),
  by: text.exactOptional(),
  from: text.exactOptional(),
  identity: text.exactOptional(),
  outcome: text.exactOptional(),
  why: text.exactOptional(),
});

export const auditSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.literal('audit'),
  /** Its own key, so that a copy under another name shows. */
  key: z.string(),
  vaultId: z.string(),
  n: z.number().int().positive(),
  /** Of the stored bytes of the record before; `null` in the first. */
  previousSha256: hex64.nullable(),
  /** Newest records of other logs, as they were when this one was written. */
  heads: z.array(auditHeadSchema),
  event: eventSchema,
  /** When it was written, which may be long after it happened. */
  at: time,
  signer: z.string(),
});
export type AuditBody = z.infer<typeof auditSchema>;

/** The name of a signer's log: 16 hex digits. */
export function auditLogOf(fingerprint: string): string {
  return sha256Hex(Buffer.from(fingerprint)).slice(0, 16);
}

/** `audit/<log>/<n, eight digits>.json`: names sort by number. */
export function auditKeyOf(log: string, n: number): string {
  return `audit/${log}/${String(n).padStart(8, '0')}.json`;
}

/** Undefined for what is no name of a record. */
export function parseAuditKey(key: string): { readonly log: string; readonly n: number } | undefined {
  const found = /^audit\/([0-9a-f]{16})\/(\d{8,})\.json$/.exec(key);
  const [, log = '', digits = ''] = found ?? [];
  const n = Number.parseInt(digits, 10);
  return found === null || auditKeyOf(log, n) !== key ? undefined : { log, n };
}

/** The bytes of a record, as they are stored. */
export function auditBytes(
  given: Pick<AuditBody, 'vaultId' | 'n' | 'previousSha256' | 'heads' | 'event' | 'at'>,
  signer: Signer,
): Buffer {
  const { vaultId, n, previousSha256, heads, event, at } = given;
  const key = auditKeyOf(auditLogOf(signer.fingerprint), n);
  const body: AuditBody = {
    ...{ format: FORMAT, kind: 'audit', key, vaultId, n, previousSha256, heads, event, at },
    signer: signer.fingerprint,
  };
  return signRecord(body, NAMESPACES.audit, signer);
}

export interface JudgedAudit {
  readonly body: AuditBody;
  /** False: its signature holds, and the root has never admitted its key, as on a bare machine after a disaster. */
  readonly admitted: boolean;
}

/** Throws ObjectCorrupt, Untrusted, VaultFormat when the bytes are not what was written under this name. */
export function judgeAudit(
  { roots, vaultId }: { readonly roots: TrustRoots; readonly vaultId: string },
  key: string,
  bytes: Uint8Array,
): JudgedAudit {
  const record = readRecord(auditSchema, bytes, key);
  requireAsWritten(key, bytes, record);
  const { body } = record;
  const own = auditKeyOf(auditLogOf(body.signer), body.n);
  if (body.key !== key || own !== key) throw new HoldfastError('Untrusted', `${key} holds what was written as ${own}`);
  if (roots.signers.has(body.signer)) {
    checkClaim(roots, record, { namespace: NAMESPACES.audit, vaultId, at: body.at });
    return { body, admitted: true };
  }
  if (body.vaultId !== vaultId) throw new HoldfastError('Untrusted', `${key} belongs to the vault ${body.vaultId}`);
  const publicKey = publicKeyIn(record.signature);
  checkSignature(record, publicKey, NAMESPACES.audit);
  if (sshFingerprint(publicKey) !== body.signer) {
    throw new HoldfastError('Untrusted', `${key} calls itself ${body.signer}'s and was signed by another key`);
  }
  return { body, admitted: false };
}
