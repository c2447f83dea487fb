/** Requests and answers in the authority store, as both sites read and write them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../failures.ts';
import { askingSiteNext, isStale } from '../../policy/failover/handover.ts';
import { failoverOf, siteSigner, withAuthority } from '../../sites/authority.ts';
import type { System } from '../../system/types.ts';
import {
  clearGeneration,
  newestGeneration,
  raiseGeneration,
  type Authority,
  type GenerationRecord,
  type Raised,
} from '../../vault/sites/generation.ts';
import {
  answerHandover as writeAnswer,
  askHandover as writeRequest,
  handoverSeen,
  latestHandover,
} from '../../vault/sites/handover.ts';
import type { HandoverAnswer, HandoverRequest } from '../../vault/sites/handover-record.ts';
import type { HandoverActivities, HandoverAnswered, HandoverTold } from '../handover-types.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';

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
  const { n, attempt, site, fromSite, requestId, by, digest, backAfterSeconds } = request;
  return {
    ...{ n, attempt, site, fromSite, requestId },
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

const POLL_MS = 1000;

/** An authority store that does not answer for a while is waited for: the time goes on. */
export async function awaitHandover(
  context: HostContext,
  { system: name, n, attempt, whileIt, forSeconds }: Input<'awaitHandover'>,
  run: Run,
): Promise<HandoverTold> {
  const until = performance.now() + forSeconds * 1000;
  for (;;) {
    const system = await context.system(name);
    const seen = await lookOrWhy(system, n);
    if ('why' in seen) {
      if (performance.now() > until) throw new HoldfastError('StoreUnreachable', seen.why);
      run.report({ phase: seen.why });
    } else {
      if (!isStill(seen, { n, attempt, whileIt }) || performance.now() > until) return seen;
      run.report({
        phase: whileIt === 'stopped' ? `until ${seen.request?.site ?? ''} takes over` : 'until it is answered',
      });
    }
    await sleep(POLL_MS, undefined, { signal: run.signal });
  }
}

async function lookOrWhy(system: System, n: number): Promise<HandoverTold | { readonly why: string }> {
  try {
    return await withAuthority(system, (authority) => toldOf(authority, n));
  } catch (error) {
    if (error instanceof HoldfastError && error.waitingHelps) return { why: error.message };
    throw error;
  }
}

function isStill(
  { generation, request, answer }: HandoverTold,
  asked: Pick<Input<'awaitHandover'>, 'n' | 'attempt' | 'whileIt'>,
): boolean {
  if (generation.n >= asked.n || request?.attempt !== asked.attempt) return false;
  return asked.whileIt === 'unanswered' ? answer === undefined : answer?.outcome === 'stopped';
}

/** The site in whose place it is raised is the one that was active: its data is what it left, so that all its backups count. */
export async function raiseOwn(
  context: HostContext,
  { system: name, n, site, raiseId, why }: Input<'raiseOwn'>,
): ReturnType<HandoverActivities['raiseOwn']> {
  const system = await context.system(name);
  const by = await stamp(system);
  return withAuthority(system, async (authority) => {
    const newest = await newestGeneration(authority);
    if (newest === undefined || newest.n + 1 < n)
      throw new HoldfastError('ObjectMissing', `generation ${n - 1} is gone`);
    const raised =
      newest.n >= n
        ? newest
        : recordOf(await raiseGeneration(authority, { n, site, raiseId, origin: { generation: n - 1 } }, by));
    const { site: inForce, n: number } = raised;
    // Raised for it by whoever gave it back, who may have died before this.
    if (number === n && inForce === site && raised.cleared === undefined) {
      const evidence = `${site} had stopped for a handover, and nobody else ever ran under generation ${n}: ${why}`;
      const { fencing } = failoverOf(system);
      await clearGeneration(authority, raised, { fencing, evidence: evidence.slice(0, TEXT_LIMIT) }, by);
    }
    return { n: number, site: inForce };
  });
}

function recordOf(raised: Raised): GenerationRecord {
  return raised.kind === 'raised' ? raised.record : raised.by;
}

export async function askHandover(
  context: HostContext,
  { system: name, n, requestId, withinSeconds, by, digest, backAfterSeconds }: Input<'askHandover'>,
): ReturnType<HandoverActivities['askHandover']> {
  const system = await context.system(name);
  return withAuthority(system, async (authority) => {
    const newest = await newestGeneration(authority);
    if (newest?.n !== n - 1) return { busy: `generation ${newest?.n ?? 0} is at ${newest?.site ?? 'no site'} by now` };
    const given = {
      ...{ site: system.site, requestId, withinSeconds },
      ...(by === undefined ? {} : { by: by.slice(0, 200) }),
      ...(digest === undefined ? {} : { digest }),
      ...(backAfterSeconds === undefined ? {} : { backAfterSeconds }),
    };
    const asked = await writeRequest(authority, newest, given, await stamp(system));
    if (asked.kind === 'asked') return { attempt: asked.handover.request.attempt };
    const { request, answer } = asked.by;
    const state = answer === undefined ? 'waits for its answer' : `is answered: ${answer.outcome}`;
    return { busy: `a request of ${request.site} for generation ${n} ${state}` };
  });
}

export async function letBack(
  context: HostContext,
  asked: Input<'letBack'>,
): ReturnType<HandoverActivities['letBack']> {
  const { system: name, n, attempt, requestId, raiseId, why } = asked;
  const system = await context.system(name);
  const seen = await withAuthority(system, (authority) => toldOf(authority, n));
  const own = { site: system.site, requestId, wants: false };
  const next = askingSiteNext(seen, n, own);
  const { n: inForce, site } = seen.generation;
  switch (next.kind) {
    case 'withdraw': {
      const { outcome } = await answerHandover(context, { system: name, n, attempt, outcome: 'withdrawn', why });
      // It may have been answered meanwhile.
      return outcome === 'stopped' ? letBack(context, asked) : { n: inForce, site, outcome };
    }
    case 'give back': {
      const back = { system: name, n, attempt, site: seen.request?.fromSite ?? site, raiseId, why };
      return { ...(await raiseOwn(context, back)), outcome: 'stopped' };
    }
    case 'ask':
    case 'wait':
    case 'raise':
    case 'over':
      return { n: inForce, site, outcome: seen.answer?.outcome ?? 'never asked' };
  }
}
