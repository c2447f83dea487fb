/** Records of sites as they lie in the authority store, and whether they can be believed. */
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import type { Fencing } from '../../policy/failover/decide.ts';
import { requireAsWritten } from '../as-written.ts';
import { NAMESPACES, readRecord } from '../envelope.ts';
import { FORMAT } from '../names.ts';
import { checkClaim, type TrustRoots } from '../trust.ts';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const name = z.string().min(1).max(200);
const number = z.number().int().positive();
const durationMs = z.number().int().positive();

export const generationSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.literal('generation'),
  key: z.string(),
  vaultId: z.string(),
  n: number,
  site: name,
  /** Of who raised it: a repeat of the same raise finds its own. */
  raiseId: name,
  /** What its data came from; absent in the first. Without a point the site before was taken over as it was left. */
  origin: z.object({ generation: number, pointAt: time.exactOptional(), backup: name.exactOptional() }).exactOptional(),
  /** A claim, as in the audit log. */
  by: z.string().max(200).exactOptional(),
  digest: z.string().max(200).exactOptional(),
  at: time,
  /** Of the stored bytes of the generation before; `null` in the first. */
  previousSha256: hex64.nullable(),
  signer: z.string(),
});
export type GenerationBody = z.infer<typeof generationSchema>;

export const clearedSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.literal('cleared'),
  key: z.string(),
  vaultId: z.string(),
  n: number,
  generationSha256: hex64,
  /** `first`: there was no site before. */
  fencing: z.enum(['first', 'lease', 'confirmed', 'attested']) satisfies z.ZodType<Fencing | 'first'>,
  evidence: z.string().max(2000),
  by: z.string().max(200).exactOptional(),
  at: time,
  signer: z.string(),
});
export type ClearedBody = z.infer<typeof clearedSchema>;

export const renewalSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.literal('renewal'),
  key: z.string(),
  vaultId: z.string(),
  site: name,
  host: name,
  leaseMs: durationMs,
  stopMs: durationMs,
  /** By a wall clock, for people. */
  at: time,
  signer: z.string(),
});
export type RenewalBody = z.infer<typeof renewalSchema>;

interface Claim {
  readonly key: string;
  readonly vaultId: string;
  readonly signer: string;
  readonly at: string;
}

/** Throws Untrusted, ObjectCorrupt, VaultFormat when the bytes are not what an admitted key wrote under this name. */
export function judgedRecord<T extends Claim>(
  { roots, vaultId }: { readonly roots: TrustRoots; readonly vaultId: string },
  key: string,
  bytes: Uint8Array,
  schema: z.ZodType<T>,
): T {
  const record = readRecord(schema, bytes, key);
  requireAsWritten(key, bytes, record);
  const { body } = record;
  if (body.key !== key) throw new HoldfastError('Untrusted', `${key} holds what was written as ${body.key}`);
  checkClaim(roots, record, { namespace: NAMESPACES.generation, vaultId, at: body.at });
  return body;
}

/** Throws as `judgedRecord`; for who reads whole stores back. */
export function judgeSiteRecord(
  given: { readonly roots: TrustRoots; readonly vaultId: string },
  key: string,
  bytes: Uint8Array,
): void {
  if (key.startsWith('renewals/')) judgedRecord(given, key, bytes, renewalSchema);
  else if (key.endsWith('.cleared.json')) judgedRecord(given, key, bytes, clearedSchema);
  else judgedRecord(given, key, bytes, generationSchema);
}
