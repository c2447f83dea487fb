/**
 * The backup that a failover restores is found bad before anything was touched here: it goes on with another store's copy of
 * it, or with the next older one, by a plan that is approved by itself. The site keeps its generation meanwhile.
 */
import { log, patched } from '@temporalio/workflow';
import type { FailoverSetup } from '../activities/failover-types.ts';
import type { SystemFacts } from '../activities/types.ts';
import { decideFallBack, FALL_BACKS, passedOverTexts, type FoundBad } from '../policy/fall-back.ts';
import { WAITING_STEPS } from '../policy/failover/takeover.ts';
import type { Answer, Gate } from './approval.ts';
import type { FailoverInput, FailoverPlan, FellBack } from './contract.ts';
import { prepareOlder, type Decided } from './failover-plan.ts';
import type { Takeover } from './failover-steps.ts';
import { failure } from './failure.ts';
import { foundBadByChild, olderQuestion } from './fall-back.ts';
import { partLines } from './restore-whole.ts';
import type { OtherStopped } from './failover-planned.ts';
import type { Story } from './story.ts';

const FALLS_BACK = 'failover-falls-back';
const STEPS_ANEW = [
  'decide and plan',
  WAITING_STEPS.approval,
  'raise',
  'clear',
  'restore',
  WAITING_STEPS.names,
  'public check',
  'report',
];

/** One run: what was asked, by what is declared, and how it is told. */
export interface Errand {
  readonly asked: FailoverInput;
  readonly setup: FailoverSetup;
  readonly facts: SystemFacts;
  readonly story: Story;
  readonly gate: Gate;
  readonly show: (plan: FailoverPlan) => void;
  /** Of a planned change: the site before has stopped. */
  readonly other?: Extract<OtherStopped, { kind: 'stopped' }>;
}

/** The takeover that goes on, approved. Throws what ends the failover: the error itself where no backup is to blame for it. */
export async function olderCopy(errand: Errand, now: Takeover, error: unknown): Promise<Takeover> {
  const { asked, story, show } = errand;
  const found = now.reached.restoring ? foundBadByChild(error) : undefined;
  if (found === undefined || !patched(FALLS_BACK)) throw error;
  // The restore has ended with everything as it was: from here on nothing runs at this site.
  now.reached.restoring = false;
  const fellBack = passedOver(now.fellBack, found);
  for (const text of passedOverTexts(fellBack.passedOver)) log.warn(`Nothing was touched: ${text}`);

  story.goOnThrough(STEPS_ANEW);
  story.begin('decide and plan');
  const n = now.decided.plan.nextGeneration + 1;
  const prepared = await prepareOlder(asked, errand, now.decided, { fellBack, n });
  if (prepared.kind === 'refuse') throw ended(found, fellBack, prepared.reasons.join('; '));
  const decided = explained(prepared.decided, now, fellBack);
  show(decided.plan);

  story.begin(WAITING_STEPS.approval);
  const answer = await answerTo(errand, decided.plan, fellBack, now);
  switch (answer.kind) {
    case 'approved':
      return { ...now, decided, fellBack, by: answer.by };
    case 'rejected':
      throw ended(found, fellBack, `${answer.by} rejected the older backup: ${answer.why}`);
    case 'expired':
      throw ended(found, fellBack, `nobody approved the older backup within ${errand.setup.approvalLimitSeconds} s`);
  }
}

/** Throws when no other is to be taken. */
function passedOver(before: FellBack, found: FoundBad): FellBack {
  const decision = decideFallBack(found, { named: false, made: before.times, most: FALL_BACKS });
  if (decision.kind === 'older') {
    return { times: before.times + 1, passedOver: [...before.passedOver, ...decision.passOver] };
  }
  throw ended(found, before, decision.kind === 'end' ? decision.why : 'no backup is to blame for it');
}

function ended({ code, why }: FoundBad, { passedOver: parts }: FellBack, end: string): Error {
  const told = passedOverTexts(parts).join('; ');
  return failure(code, `${why} Nothing was touched. ${told === '' ? '' : `${told}; `}${end}`, { passedOver: parts });
}

/** What is different from the plan before it, in words. */
function explained(decided: Decided, { decided: before, setup }: Takeover, { passedOver: parts }: FellBack): Decided {
  const { plan } = decided;
  const { nextGeneration: n, from } = before.plan;
  const kept = `generation ${n} keeps ${from.site} fenced while this is asked: nothing is waited for again`;
  const back = `when it is rejected ${from.site} gets the system back, as it was left; ${setup.site} has run nothing`;
  return { ...decided, plan: { ...plan, reasons: [...plan.reasons, ...passedOverTexts(parts), kept, back] } };
}

/** By the declared rule where the older one still meets it, else as whoever started it said beforehand, else by a person now. */
async function answerTo(
  { asked, setup, story, gate }: Errand,
  plan: FailoverPlan,
  { times }: FellBack,
  { by }: Takeover,
): Promise<Answer> {
  if (plan.approval === 'automatic') return { kind: 'approved', by: automaticBy(setup.system) };
  const beforehand = times <= (asked.fallBacksUnasked ?? 0) ? { approve: plan.digest, approvedBy: by } : {};
  story.needsOperator(true);
  const what = olderQuestion(times, 'failover');
  const answer = await gate.askUnlessApproved(beforehand, plan.digest, what, noteOf(plan), setup.approvalLimitSeconds);
  story.needsOperator(false);
  return answer;
}

export function automaticBy(system: string): string {
  return `the declared rule of ${system}`;
}

/** What is asked, as Markdown. */
export function noteOf(plan: FailoverPlan): string {
  const { from, site, nextGeneration, dataLossSeconds, rpoSeconds, fencing, restore } = plan;
  const promised = rpoSeconds === undefined ? '' : ` (${rpoSeconds} s promised)`;
  return [
    `\`${site}\` takes over from \`${from.site}\`, as generation ${nextGeneration}; fencing: ${fencing}.`,
    `What was written in the last ${dataLossSeconds} s is lost${promised}. Digest \`${plan.digest}\`.`,
    '',
    ...plan.reasons.map((reason) => `- ${reason}`),
    ...partLines(restore),
  ].join('\n');
}
