/** Requests and answers in the authority store, as both sites read and write them. */
import { isStale } from '../../policy/failover/handover.ts';
import { HoldfastError } from '../../failures.ts';
import { siteSigner, withAuthority } from '../../sites/authority.ts';
import type { System } from '../../system/types.ts';
import { newestGeneration, type Authority } from '../../vault/sites/generation.ts';
import { answerHandover as writeAnswer, handoverSeen, latestHandover } from '../../vault/sites/handover.ts';
import type { HandoverAnswer, HandoverRequest } from '../../vault/sites/handover-record.ts';
import type { HandoverActivities, HandoverAnswered, HandoverTold } from '../handover-types.ts';
import type { HostContext } from '../host-context.ts';

type Input<A extends keyof HandoverActivities> = Parameters<HandoverActivities[A]>[0];

const TEXT_LIMIT = 2000;

export async function lookHandover(context: HostContext, { system, n }: Input<'lookHandover'>): Promise<HandoverTold> {
  return withAuthority(await context.system(system), (authority) => toldOf(authority, n));
}

/** The generation first: what was raised since makes whoever acts by the older one be refused by its name. */
export async function toldOf(authority: Authority, n: number): Promise<HandoverTold> {
  const newest = await newestGeneration(authority);
  if (newest === undefined) throw new HoldfastError('ObjectMissing', 'the authority store holds no generation');
  const handover = await latestHandover(authority, n);
  const { generation } = handoverSeen(newest, handover);
  if (handover === undefined) return { generation };
  const { request, answer } = handover;
  return {
    generation,
    request: requestTold(request),
    ...(answer === undefined ? {} : { answer: answered(answer) }),
  };
}

export async function answerHandover(context: HostContext, asked: Input<'answerHandover'>): Promise<HandoverAnswered> {
  const { system: name, n, attempt, outcome, why, backups, downSeconds, waitsSeconds } = asked;
  const system = await context.system(name);
  return withAuthority(system, async (authority) => {
    const handover = await latestHandover(authority, n);
    // A later attempt is only made when this one was answered.
    if (handover?.request.attempt !== attempt) return { outcome: 'withdrawn', why: 'it was asked for anew since' };
    const given = {
      ...{ outcome, site: system.site },
      ...(why === undefined ? {} : { why: why.slice(0, TEXT_LIMIT) }),
      ...(backups === undefined ? {} : { backups: [...backups] }),
      ...(downSeconds === undefined ? {} : { downSeconds }),
      ...(waitsSeconds === undefined ? {} : { waitsSeconds }),
    };
    const { answer } = await writeAnswer(authority, handover, given, await stamp(system));
    return answered(answer);
  });
}

export async function stamp(system: System) {
  return { signer: await siteSigner(system), atMs: Date.now() };
}

function requestTold(request: HandoverRequest): NonNullable<HandoverTold['request']> {
  const { n, attempt, site, requestId, by, digest, backAfterSeconds } = request;
  return {
    ...{ n, attempt, site, requestId },
    ...(by === undefined ? {} : { by }),
    ...(digest === undefined ? {} : { digest }),
    ...(backAfterSeconds === undefined ? {} : { backAfterSeconds }),
    stale: isStale(request, Date.now()),
  };
}

function answered({ outcome, why, backups, downSeconds, waitsSeconds }: HandoverAnswer): HandoverAnswered {
  return {
    outcome,
    ...(why === undefined ? {} : { why }),
    ...(backups === undefined ? {} : { backups }),
    ...(downSeconds === undefined ? {} : { downSeconds }),
    ...(waitsSeconds === undefined ? {} : { waitsSeconds }),
  };
}
