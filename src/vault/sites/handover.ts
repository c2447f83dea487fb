/**
 * One site asks the active one to stop for it, in the authority store: `handovers/<n>/<attempt>.json` for the generation that
 * is to be raised, and `….answer.json` beside it. Both are signed and create-only: of an answer and a withdrawal exactly one
 * stands, and of an answer `stopped` and the generation it is for exactly one site gets the second.
 */
import { handedTo, HANDOVER_BUSY, type HandoverSeen } from '../../policy/failover/handover.ts';
import type { Generation } from '../../policy/failover/lease.ts';
import { NAMESPACES, signRecord, type Signer } from '../envelope.ts';
import { getIfThere } from '../get-if-there.ts';
import { keysIn } from '../listed.ts';
import { FORMAT, sha256Hex } from '../names.ts';
import { newestGeneration, type Authority, type GenerationRecord } from './generation.ts';
import { judgedRecord } from './judge.ts';
import {
  handoverAnswerKeyOf,
  handoverAnswerSchema,
  handoverKeyOf,
  handoverRequestSchema,
  type HandoverAnswer,
  type HandoverRequest,
} from './handover-record.ts';

export interface Handover {
  readonly request: HandoverRequest & { readonly sha256: string };
  readonly answer?: HandoverAnswer;
}

interface Stamp {
  readonly signer: Signer;
  readonly atMs: number;
}

/** The last that was asked for generation `n`; undefined where none was. Throws as `newestGeneration`. */
export async function latestHandover(from: Authority, n: number): Promise<Handover | undefined> {
  const keys = await keysIn(from.store, handoverKeyOf(n, 1).replace(/\d+\.json$/, ''));
  const attempts = keys.flatMap((key) => /\/(\d{4,})\.json$/.exec(key)?.[1] ?? []).map(Number);
  return attempts.length === 0 ? undefined : readHandover(from, n, Math.max(...attempts));
}

/**
 * The newest generation, with whether its site has given it up. The generation is read first: one that was raised since makes
 * whoever acts by the older one be refused by its name. Throws as `newestGeneration`.
 */
export async function generationInForce(from: Authority): Promise<Generation | undefined> {
  const newest = await newestGeneration(from);
  if (newest === undefined) return undefined;
  const seen = handoverSeen(newest, await latestHandover(from, newest.n + 1));
  const to = handedTo(seen);
  return to === undefined ? seen.generation : { ...seen.generation, handedTo: to };
}

/** As the rules want it, with the newest generation. */
export function handoverSeen(newest: GenerationRecord, handover: Handover | undefined): HandoverSeen {
  const { n, site, cleared } = newest;
  return {
    generation: { n, site, cleared: cleared !== undefined },
    ...(handover === undefined ? {} : { request: handover.request }),
    ...(handover?.answer === undefined ? {} : { answer: { outcome: handover.answer.outcome } }),
  };
}

export type Asked =
  | { readonly kind: 'asked'; readonly handover: Handover }
  /** Another one is under way. */
  | { readonly kind: 'busy'; readonly by: Handover };

/**
 * Asks once more for the generation after this one. A repeat with the same `requestId` finds its own, answered or not. What an
 * earlier run of the same site has left unanswered is withdrawn first.
 */
export async function askHandover(
  from: Authority,
  inForce: GenerationRecord,
  given: Pick<HandoverRequest, 'site' | 'requestId' | 'withinSeconds' | 'by' | 'digest' | 'backAfterSeconds'>,
  stamp: Stamp,
): Promise<Asked> {
  const n = inForce.n + 1;
  let last = await latestHandover(from, n);
  if (last?.request.requestId === given.requestId) return { kind: 'asked', handover: last };
  if (last !== undefined && last.answer === undefined) {
    if (last.request.site !== given.site) return { kind: 'busy', by: last };
    const why = `${given.site} asks anew`;
    last = await answerHandover(from, last, { outcome: 'withdrawn', site: given.site, why }, stamp);
  }
  if (last?.answer !== undefined && HANDOVER_BUSY.has(last.answer.outcome)) return { kind: 'busy', by: last };
  const attempt = (last?.request.attempt ?? 0) + 1;
  const key = handoverKeyOf(n, attempt);
  const body: HandoverRequest = {
    ...{ format: FORMAT, kind: 'handover', key, vaultId: from.vaultId, n, attempt },
    ...given,
    ...{ fromSite: inForce.site, generationSha256: inForce.sha256 },
    ...{ at: new Date(stamp.atMs).toISOString(), signer: stamp.signer.fingerprint },
  };
  await put(from, key, signRecord(body, NAMESPACES.generation, stamp.signer), handoverRequestSchema);
  const handover = await readHandover(from, n, attempt);
  return handover.request.requestId === given.requestId ? { kind: 'asked', handover } : { kind: 'busy', by: handover };
}

/** The one answer of a request: what stands there first counts, and is returned. */
export async function answerHandover(
  from: Authority,
  { request }: Pick<Handover, 'request'>,
  given: Pick<HandoverAnswer, 'outcome' | 'site' | 'why' | 'backups' | 'downSeconds' | 'waitsSeconds'>,
  { signer, atMs }: Stamp,
): Promise<Handover & { readonly answer: HandoverAnswer }> {
  const { n, attempt, sha256 } = request;
  const key = handoverAnswerKeyOf(n, attempt);
  const body: HandoverAnswer = {
    ...{ format: FORMAT, kind: 'handover-answer', key, vaultId: from.vaultId, n, attempt, requestSha256: sha256 },
    ...given,
    ...{ at: new Date(atMs).toISOString(), signer: signer.fingerprint },
  };
  await put(from, key, signRecord(body, NAMESPACES.generation, signer), handoverAnswerSchema);
  const answer = judgedRecord(from, key, await from.store.get(key), handoverAnswerSchema);
  return { request, answer };
}

/** Judged as everybody else will, before it is written: one that nobody can believe would keep both sites waiting. */
async function put(
  from: Authority,
  key: string,
  bytes: Uint8Array,
  schema: typeof handoverRequestSchema | typeof handoverAnswerSchema,
): Promise<void> {
  if (schema === handoverRequestSchema) judgedRecord(from, key, bytes, handoverRequestSchema);
  else judgedRecord(from, key, bytes, handoverAnswerSchema);
  await from.store.put(key, bytes, { createOnly: true });
  await from.store.sync();
}

async function readHandover(from: Authority, n: number, attempt: number): Promise<Handover> {
  const key = handoverKeyOf(n, attempt);
  const bytes = await from.store.get(key);
  const request = { ...judgedRecord(from, key, bytes, handoverRequestSchema), sha256: sha256Hex(bytes) };
  const answerKey = handoverAnswerKeyOf(n, attempt);
  const answered = await getIfThere(from.store, answerKey);
  if (answered === undefined) return { request };
  return { request, answer: judgedRecord(from, answerKey, answered, handoverAnswerSchema) };
}
