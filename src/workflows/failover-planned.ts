/**
 * A planned change of sites, at the one that takes over: it asks the active site to stop, waits for its last backup, and plans
 * the restore of that. Until the generation is raised the other site can start again at any time, and does. Nothing is lost.
 */
import { CancellationScope, isCancellation, TemporalFailure, workflowInfo } from '@temporalio/workflow';
import type { FailoverSetup, FencedBefore } from '../activities/failover-types.ts';
import type { HandoverAnswered, HandoverTold } from '../activities/handover-types.ts';
import type { SystemFacts } from '../activities/types.ts';
import { WAITING_STEPS } from '../policy/failover/takeover.ts';
import type { FailoverInput, FailoverPlan } from './contract.ts';
import type { Decided } from './failover-plan.ts';
import { failure, told } from './failure.ts';
import { planOf } from './plan-of-restore.ts';
import { orchestration, urgentlyOn } from './proxies.ts';
import type { Story } from './story.ts';

const ATTEMPTS = 8;
const WAIT_PART_SECONDS = 20 * 60;

export interface PlannedErrand {
  readonly asked: FailoverInput;
  readonly setup: FailoverSetup;
  readonly facts: SystemFacts;
  readonly story: Story;
}

/** As a person approves it: what is restored is not made yet, so that the digest says of which parts it will be. */
export async function asPlanned({ setup, asked }: PlannedErrand, decided: Decided): Promise<Decided> {
  const { plan } = decided;
  const { system, site, from, nextGeneration, fencing, names } = plan;
  const parts = plan.restore.components.map(({ name, host }) => `${name} on ${host}`).toSorted();
  const takeover = { system, site, from, nextGeneration, fencing };
  const back = asked.backAfterSeconds === undefined ? '' : `, and back after ${asked.backAfterSeconds} s`;
  const restore = `the last backup of ${from.site}: ${parts.join(', ')}${back}`;
  const { digest } = await orchestration.digestFailover({
    takeover,
    parts: { restore, ...(names === undefined ? {} : { names }) },
  });
  const { answerSeconds } = setup;
  const { backAfterSeconds } = asked;
  const planned = { answerSeconds, ...(backAfterSeconds === undefined ? {} : { backAfterSeconds }) };
  const known = plan.rpoSeconds === undefined ? {} : { meetsRpo: true };
  return { ...decided, plan: { ...plan, digest, ...known, approval: 'person', dataLossSeconds: 0, planned } };
}

/** Who approved the rehearsal that this is the way back of; undefined where nothing of that kind was handed over. */
export async function approvedWith({ asked, setup }: PlannedErrand): Promise<string | undefined> {
  const { backOf, system } = asked;
  if (backOf === undefined) return undefined;
  const { generation, request } = await there(setup, 'what was approved with the rehearsal').lookHandover({
    ...{ system, n: backOf },
  });
  const isIt = request?.n === backOf && request.fromSite === setup.site && request.backAfterSeconds !== undefined;
  if (isIt && generation.n === backOf && generation.site === request.site) return request.by ?? request.site;
  throw failure('BadInput', `failover: "backOf" ${backOf} is no rehearsal that is under way from ${setup.site}.`);
}

export type OtherStopped =
  | { readonly kind: 'refused'; readonly reasons: readonly string[] }
  | {
      readonly kind: 'stopped';
      /** Of the last backup. */
      readonly decided: Decided;
      readonly fence: FencedBefore;
      readonly downSeconds: number;
      readonly atMs: number;
      /** Where nothing was raised, the other site starts again; else nothing. */
      readonly letBack: (why: string) => Promise<void>;
    };

/** Asks, waits, and plans what is restored. Whatever fails lets the other site start again at once. */
export async function stopOther(errand: PlannedErrand, decided: Decided, by: string): Promise<OtherStopped> {
  const { setup, story, asked } = errand;
  const { plan } = decided;
  const { system, answerSeconds } = setup;
  const { runId, workflowId } = workflowInfo();
  const requestId = `${workflowId}/${runId}`.slice(-190);
  const n = plan.nextGeneration;
  story.begin(WAITING_STEPS.handover);
  const { backAfterSeconds } = asked;
  const request = await there(setup, `ask ${plan.from.site} to stop`, ATTEMPTS).askHandover({
    ...{ system, n, requestId, withinSeconds: answerSeconds, by, digest: plan.digest },
    ...(backAfterSeconds === undefined ? {} : { backAfterSeconds }),
  });
  if ('busy' in request) return { kind: 'refused', reasons: [`${plan.from.site} could not be asked: ${request.busy}`] };

  const of = { system, n, attempt: request.attempt };
  const letBack = async (why: string): Promise<void> => {
    const order = { ...of, requestId, raiseId: `${requestId}/back`.slice(-200), why: why.slice(0, 300) };
    await CancellationScope.nonCancellable(() => there(setup, 'let the other site start again').letBack(order));
  };
  try {
    const seen = await answerTo(setup, of);
    const why = whyNotStopped(seen, plan, setup);
    if (why !== undefined || seen.answer === undefined) {
      await letBack(why ?? '');
      return { kind: 'refused', reasons: [why ?? ''] };
    }
    story.begin('plan the last backup');
    const atMs = Date.now();
    const last = await ofLastBackup(errand, decided, seen.answer);
    const fence = { fencing: 'confirmed', evidence: evidenceOf(plan, of.attempt, seen.answer) } as const;
    return { kind: 'stopped', decided: last, fence, downSeconds: seen.answer.downSeconds ?? 0, atMs, letBack };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    const why = isCancellation(error) ? 'it was cancelled' : told(error).message;
    await letBack(why);
    if (isCancellation(error)) throw error;
    return { kind: 'refused', reasons: [why, `${plan.from.site} starts again`] };
  }
}

async function answerTo(
  setup: FailoverSetup,
  of: { readonly system: string; readonly n: number; readonly attempt: number },
): Promise<HandoverTold> {
  const untilMs = Date.now() + setup.answerSeconds * 1000;
  for (;;) {
    const leftSeconds = Math.max(0, Math.ceil((untilMs - Date.now()) / 1000));
    const seen = await there(setup, 'until the other site has stopped', ATTEMPTS).awaitHandover({
      ...{ ...of, whileIt: 'unanswered', forSeconds: Math.min(leftSeconds, WAIT_PART_SECONDS) },
    });
    if (seen.answer !== undefined || seen.generation.n >= of.n || Date.now() >= untilMs) return seen;
  }
}

function whyNotStopped(
  { generation, answer }: HandoverTold,
  { nextGeneration, from }: FailoverPlan,
  { answerSeconds }: FailoverSetup,
): string | undefined {
  if (generation.n >= nextGeneration) return `generation ${generation.n} was raised for ${generation.site} meanwhile`;
  if (answer === undefined)
    return `${from.site} has not answered within ${answerSeconds} s: does \`holdfast up\` run there?`;
  return answer.outcome === 'stopped' ? undefined : `${from.site}: ${answer.outcome}: ${answer.why ?? ''}`;
}

/** Every part of what is restored has to be of the last backups: nothing older is taken for it. */
async function ofLastBackup(
  { setup, facts }: PlannedErrand,
  decided: Decided,
  { backups = [] }: HandoverAnswered,
): Promise<Decided> {
  const { plan } = decided;
  const restore = await planOf(facts, { system: setup.system, whole: true, mode: 'plan' });
  const last = new Set(backups.map(({ backup }) => backup));
  const parts = restore.whole?.parts ?? [];
  const older = parts.filter(({ backup }) => !last.has(backup));
  if (older.length > 0 || parts.length === 0) {
    const words = older.map(({ name, backup }) => `${name} would come from ${backup}`).join(', ');
    throw failure('CheckFailed', `This site does not see the last backup of ${plan.from.site}: ${words}`);
  }
  const pointAtMs = Math.max(...backups.map(({ pointAt }) => Date.parse(pointAt)));
  const copy = {
    ...{ backup: restore.backup, store: restore.store, generation: plan.from.generation },
    ...{ pointAt: new Date(pointAtMs).toISOString(), proved: 'content' },
  };
  return {
    ...decided,
    origin: { generation: plan.from.generation, pointAtMs },
    backup: undefined,
    plan: { ...plan, copy, passedOver: [], restore },
  };
}

function evidenceOf({ from, nextGeneration }: FailoverPlan, attempt: number, answer: HandoverAnswered): string {
  const backups = (answer.backups ?? []).map(({ backup }) => backup).join(', ');
  const where = `answer ${attempt} for generation ${nextGeneration}`;
  return `${from.site} has stopped its stack and says so (${where}), with the last backups ${backups}`;
}

function there({ hosts }: FailoverSetup, summary: string, attempts?: number) {
  return urgentlyOn(hosts[0] ?? '', { summary, ...(attempts === undefined ? {} : { attempts }) });
}
