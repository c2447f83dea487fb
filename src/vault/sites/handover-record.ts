/** Records of handovers as they lie in the authority store, and whether they can be believed. */
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import { HANDOVER_OUTCOMES } from '../../policy/failover/handover.ts';
import { FORMAT } from '../names.ts';
import type { TrustRoots } from '../trust.ts';
import { judgedRecord } from './judge.ts';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const name = z.string().min(1).max(200);
const number = z.number().int().positive();
const duration = z.number().nonnegative();

const common = {
  format: z.literal(FORMAT),
  key: z.string(),
  vaultId: z.string(),
  /** The generation that is to be raised. */
  n: number,
  /** From 1; the next one is asked for when this one is answered and nobody has raised. */
  attempt: number,
  at: time,
  signer: z.string(),
};

export const handoverRequestSchema = z.object({
  ...common,
  kind: z.literal('handover'),
  /** Which asks, and is to be the next. */
  site: name,
  /** Which is active. */
  fromSite: name,
  /** Of the bytes of the generation in force. */
  generationSha256: hex64,
  /** Of who asks: a repeat of the same finds its own. */
  requestId: name,
  /** How long it waits for the answer; nobody stops for an older one. */
  withinSeconds: number,
  /** A claim, as in the audit log. */
  by: z.string().max(200).exactOptional(),
  digest: z.string().max(200).exactOptional(),
  /** A rehearsal: the site that stops asks for it back so long after it was handed over. */
  backAfterSeconds: z.number().int().nonnegative().exactOptional(),
});
export type HandoverRequest = z.infer<typeof handoverRequestSchema>;

const lastBackup = z.object({ plan: name, backup: name, pointAt: time });
/** Made while nothing of the stack ran. */
export type LastBackup = z.infer<typeof lastBackup>;

export const handoverAnswerSchema = z.object({
  ...common,
  kind: z.literal('handover-answer'),
  requestSha256: hex64,
  outcome: z.enum(HANDOVER_OUTCOMES),
  /** Which answers; of a withdrawal, the one that had asked. */
  site: name,
  why: z.string().max(2000).exactOptional(),
  /** With `stopped`: of every component that a plan captures. */
  backups: z.array(lastBackup).max(200).exactOptional(),
  /** With `stopped`: how long its stack has been down when it answers. */
  downSeconds: duration.exactOptional(),
  /** With `stopped`: so long it waits for the generation before it raises that for itself and starts again. */
  waitsSeconds: duration.exactOptional(),
});
export type HandoverAnswer = z.infer<typeof handoverAnswerSchema>;

export function handoverKeyOf(n: number, attempt: number): string {
  return `handovers/${String(n).padStart(8, '0')}/${String(attempt).padStart(4, '0')}.json`;
}

export function handoverAnswerKeyOf(n: number, attempt: number): string {
  return handoverKeyOf(n, attempt).replace(/\.json$/, '.answer.json');
}

/** Throws Untrusted, ObjectCorrupt, VaultFormat when the bytes are not what an admitted key wrote under this name. */
export function judgeHandoverRecord(
  given: { readonly roots: TrustRoots; readonly vaultId: string },
  key: string,
  bytes: Uint8Array,
): HandoverRequest | HandoverAnswer {
  const isAnswer = key.endsWith('.answer.json');
  const body = isAnswer
    ? judgedRecord(given, key, bytes, handoverAnswerSchema)
    : judgedRecord(given, key, bytes, handoverRequestSchema);
  const expected = isAnswer ? handoverAnswerKeyOf(body.n, body.attempt) : handoverKeyOf(body.n, body.attempt);
  if (key === expected) return body;
  throw new HoldfastError('Untrusted', `${key} calls itself generation ${body.n}, attempt ${body.attempt}`);
}
