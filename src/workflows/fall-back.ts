/**
 * A backup of a whole system's restore turns out bad before anything was stopped: an older one is taken, by another plan
 * that is approved by itself.
 */
import { isCancellation, log, patched, uuid4, workflowInfo } from '@temporalio/workflow';
import {
  decideFallBack,
  FALL_BACKS,
  passedOverTexts,
  type FoundBad,
  type PassedOver,
  type TriedSource,
} from '../policy/fall-back.ts';
import type { PlanRequest, RestoreInput, RestorePlan } from './contract.ts';
import { failure, told } from './failure.ts';
import type { Story } from './story.ts';

const FALLS_BACK = 'restore-falls-back';

/** The failure with the components whose backups or copies it is about. */
export function blaming(error: unknown, components: readonly string[]): unknown {
  if (isCancellation(error)) return error;
  const { code, message, details } = told(error);
  return failure(code, message, { ...factsOf(details), blamed: components });
}

function factsOf(details: unknown): Record<string, unknown> {
  return typeof details === 'object' && details !== null ? { ...details } : {};
}

function withoutApproval(asked: RestoreInput): RestoreInput {
  const { system, ...rest } = asked;
  return { system, ...Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('approve'))) };
}

export class FallBacks {
  private readonly asked: RestoreInput;
  private readonly story: Story;
  private readonly found: PassedOver[] = [];
  private readonly steps: readonly string[];
  private times = 0;
  private id = workflowInfo().runId;

  /** `steps` are those of one plan. */
  constructor(asked: RestoreInput, story: Story, steps: readonly string[]) {
    this.asked = asked;
    this.story = story;
    this.steps = steps;
  }

  /** What the next plan is made of. An approval that was given beforehand was of the first one. */
  request(): PlanRequest {
    if (this.times === 0) return this.asked;
    return { ...withoutApproval(this.asked), fellBack: { times: this.times, passedOver: this.found } };
  }

  /** Each is another question: whoever has answered the one before is asked again. */
  question(): string {
    return this.times === 0 ? 'approval' : `approval of an older backup (plan ${this.times + 1} of this restore)`;
  }

  /** What the copies of this plan are named after: not the same as those of the plan before, should one of them be left. */
  restoreId(): string {
    return this.id;
  }

  /** To be called before anything was stopped. Throws the failure when no older backup is to be taken for it. */
  after(error: unknown, plan: RestorePlan): void {
    const found = foundBadIn(error, plan);
    if (found === undefined || plan.whole === undefined) throw error;
    const rule = { named: false, made: this.times, most: this.asked.fallBacks ?? FALL_BACKS };
    const decision = decideFallBack(found, rule);
    if (decision.kind === 'other' || !patched(FALLS_BACK)) throw error;
    if (decision.kind === 'end') throw this.ended(found, decision.why);
    this.found.push(...decision.passOver);
    this.times += 1;
    this.id = uuid4();
    for (const text of passedOverTexts(decision.passOver)) log.warn(`Nothing was touched: ${text}`);
    this.story.goOnThrough(this.steps);
    this.story.needsOperator(true);
  }

  /** Of whoever was asked for this plan. */
  answered(): void {
    if (this.times > 0) this.story.needsOperator(false);
  }

  private ended({ code, why }: FoundBad, end: string): Error {
    const before = passedOverTexts(this.found);
    const words = before.length === 0 ? '' : ` Before it: ${before.join('; ')}.`;
    return failure(code, `${why} Nothing was touched, and ${end}.${words}`, { passedOver: this.found });
  }
}

/** Undefined for what no component is blamed for. */
function foundBadIn(error: unknown, plan: RestorePlan): FoundBad | undefined {
  if (isCancellation(error)) return undefined;
  const { code, message, details } = told(error);
  const { blamed, key } = factsOf(details);
  if (!Array.isArray(blamed)) return undefined;
  const sources = (plan.whole?.parts ?? [])
    .filter(({ name }) => blamed.includes(name))
    .map(({ name, backup, store, pointAt, recoverTo }): TriedSource => {
      const of = { ...(pointAt === undefined ? {} : { pointAt }), ...(recoverTo === undefined ? {} : { recoverTo }) };
      return { component: name, backup, store, ...of };
    });
  return { code, why: message, ...(typeof key === 'string' ? { key } : {}), sources };
}
