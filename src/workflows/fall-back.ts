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
import type { FellBack, PlanRequest, RestoreInput, RestorePlan } from './contract.ts';
import { failure, told } from './failure.ts';
import type { Story } from './story.ts';

const FALLS_BACK = 'restore-falls-back';
/** Of a failure's details. */
const FOUND_BAD = 'foundBad';

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
  private readonly found: PassedOver[];
  private readonly steps: readonly string[];
  /** Before it was begun: by the failover that asks for it. */
  private readonly before: number;
  private times: number;
  private id = workflowInfo().runId;

  /** `steps` are those of one plan. */
  constructor(
    {
      asked,
      story,
      fellBack = { times: 0, passedOver: [] },
    }: { readonly asked: RestoreInput; readonly story: Story; readonly fellBack: FellBack | undefined },
    steps: readonly string[],
  ) {
    this.asked = asked;
    this.story = story;
    this.steps = steps;
    this.before = fellBack.times;
    this.times = fellBack.times;
    this.found = [...fellBack.passedOver];
  }

  /** What the next plan is made of. An approval that was given beforehand was of the first one. */
  request(): PlanRequest {
    const asked = this.times === this.before ? this.asked : withoutApproval(this.asked);
    return this.times === 0 ? asked : { ...asked, fellBack: { times: this.times, passedOver: this.found } };
  }

  /** Each is another question: whoever has answered the one before is asked again. */
  question(): string {
    return this.times === this.before ? 'approval' : olderQuestion(this.times, 'restore');
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
    if (this.times > this.before) this.story.needsOperator(false);
  }

  private ended(found: FoundBad, end: string): Error {
    const { code, why } = found;
    const before = passedOverTexts(this.found);
    const words = before.length === 0 ? '' : ` Before it: ${before.join('; ')}.`;
    const text = `${why} Nothing was touched, and ${end}.${words}`;
    return failure(code, text, { passedOver: this.found, [FOUND_BAD]: found });
  }
}

/** Of a restore that has ended for it, with nothing touched; undefined for every other end. */
export function foundBadByChild(error: unknown): FoundBad | undefined {
  if (isCancellation(error)) return undefined;
  const found = factsOf(told(error).details)[FOUND_BAD];
  return found === undefined ? undefined : (found as FoundBad);
}

/** `times`: how many backups were passed over for it. */
export function olderQuestion(times: number, of: 'restore' | 'failover'): string {
  return `approval of an older backup (plan ${times + 1} of this ${of})`;
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
