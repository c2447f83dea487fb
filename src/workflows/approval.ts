/** A person's word on a printed plan: update `approve` or `reject`, or the signals beside them. */
import {
  ApplicationFailure,
  condition,
  defineSignal,
  defineUpdate,
  isCancellation,
  log,
  setHandler,
} from '@temporalio/workflow';
import type { Asking } from '../activities/audit-types.ts';
import type { FailureCode } from '../failures.ts';
import { judgeApproval, namesDigest } from '../policy/approval.ts';
import { askerText } from '../policy/askers.ts';
import { approvalsLacking, type FourEyes } from '../policy/four-eyes.ts';
import { handToAudit, isAudited, type Happened } from './audited.ts';
import { SIGNALS, UPDATES, type Approval, type Rejection } from './contract.ts';
import { failure } from './failure.ts';
import { asking } from './proxies.ts';
import type { Story } from './story.ts';

export const approveUpdate = defineUpdate<{ accepted: true }, [Approval]>(UPDATES.approve);
export const rejectUpdate = defineUpdate<{ accepted: true }, [Rejection]>(UPDATES.reject);
export const approveSignal = defineSignal<[Approval]>(SIGNALS.approve);
export const rejectSignal = defineSignal<[Rejection]>(SIGNALS.reject);

export type Answer =
  | { readonly kind: 'approved'; readonly by: string }
  | { readonly kind: 'rejected'; readonly by: string; readonly why: string }
  | { readonly kind: 'expired' };

/** A plan that a person has seen before: its digest, given when the operation was started. */
export interface Beforehand {
  readonly approve: string;
  readonly approvedBy?: string;
}

interface Question {
  readonly digest: string;
  readonly what: string;
  readonly note: string;
  readonly deadlineMs: number;
  readonly fourEyes: FourEyes | undefined;
  readonly approvers: Set<string>;
  answer: Answer | undefined;
}

/** Registers the four handlers; one gate a workflow, made before anything is awaited. */
export class Gate {
  private readonly story: Story;
  private question: Question | undefined;
  private asked = false;
  /** A signal for a plan known from an earlier printing may come before the question. */
  private early: Approval | undefined;
  /** Saying it twice harms nothing. */
  private taken: Pick<Question, 'digest' | 'approvers'> | undefined;

  constructor(story: Story) {
    this.story = story;
    setHandler(approveUpdate, (approval) => this.approve(approval), {
      validator: (approval) => this.mustFit(approval),
      description: 'Approve the printed plan: {"digest": "…", "by": "your name"}',
    });
    setHandler(rejectUpdate, (rejection) => this.reject(rejection), {
      validator: (rejection) => this.mustBeAsked(rejection),
      description: 'Reject the printed plan: {"by": "your name", "why": "…"}',
    });
    setHandler(approveSignal, (approval) => this.heed(() => this.approveBySignal(approval)), {
      description: 'The same as the update approve, kept until a worker is there',
    });
    setHandler(rejectSignal, (rejection) => this.heed(() => this.rejectBySignal(rejection)), {
      description: 'The same as the update reject, kept until a worker is there',
    });
  }

  /**
   * Waits for an answer that names this digest, until the limit; for that of a second person where the system file wants
   * four eyes. Question and answer go to the audit log.
   */
  async ask(digest: string, what: string, note: string, limitSeconds: number): Promise<Answer> {
    const under = await this.underWhat();
    await this.tell(under, { what: 'asked', digest, about: what, ...askedBy(under) });
    return this.answerTo({ digest, what, note, limitSeconds }, under);
  }

  /**
   * The same for a plan that may have been approved when the operation was started, which counts only for this very plan
   * (PlanChanged) and where one person is enough.
   */
  async askUnlessApproved(
    beforehand: Partial<Beforehand>,
    digest: string,
    what: string,
    note: string,
    limitSeconds: number,
  ): Promise<Answer> {
    const { approve, approvedBy } = beforehand;
    if (approve === undefined) return this.ask(digest, what, note, limitSeconds);
    if (!namesDigest(approve, digest)) {
      throw failure('PlanChanged', `The plan approved was ${approve}; now it is ${digest}.`);
    }
    const under = await this.underWhat();
    await this.tell(under, { what: 'asked', digest, about: what, ...askedBy(under) });
    // Who approves in the same breath as he asks is one person, whoever he names.
    if (under?.fourEyes === true) return this.answerTo({ digest, what, note, limitSeconds }, under);
    const by = approvedBy ?? under?.asker.by ?? 'the caller';
    await this.tell(under, { what: 'approved', digest, ...askedBy(under), by });
    return { kind: 'approved', by };
  }

  private async answerTo(
    asked: { readonly digest: string; readonly what: string; readonly note: string; readonly limitSeconds: number },
    under: Asking | undefined,
  ): Promise<Answer> {
    const { digest, what, limitSeconds } = asked;
    const limitMs = limitSeconds * 1000;
    const fourEyes = under?.fourEyes === true ? { asker: under.asker.by } : undefined;
    const note = under === undefined ? asked.note : `${askedText(under)}\n\n${asked.note}`;
    const deadlineMs = Date.now() + limitMs;
    const question: Question = { digest, what, note, deadlineMs, fourEyes, approvers: new Set(), answer: undefined };
    this.question = question;
    this.asked = true;
    const { early } = this;
    if (early !== undefined && namesDigest(early.digest, digest)) {
      if (under === undefined) this.approve(early);
      else this.heed(() => this.approveBySignal(early));
    }
    this.story.waitFor(what, note);
    let answer: Answer;
    try {
      const answered = await condition(() => question.answer !== undefined, limitMs);
      answer = answered && question.answer !== undefined ? question.answer : { kind: 'expired' };
    } catch (error) {
      if (isCancellation(error)) await this.tell(under, { what: 'withdrawn', digest });
      throw error;
    } finally {
      this.question = undefined;
    }
    if (answer.kind === 'approved') this.taken = question;
    this.story.waitIsOver();
    await this.tell(under, toldOf(answer, digest, limitSeconds));
    return answer;
  }

  private async underWhat(): Promise<Asking | undefined> {
    const { system } = this.story;
    if (!isAudited() || system === undefined) return undefined;
    return asking.whoAsks({ system });
  }

  private async tell(under: Asking | undefined, happened: Omit<Happened, 'system' | 'operation'>): Promise<void> {
    const { system, operation } = this.story;
    if (under === undefined || system === undefined) return;
    await handToAudit({ system, operation, ...happened });
  }

  private approve(approval: Approval): { accepted: true } {
    const { question } = this;
    if (question === undefined) return { accepted: true };
    question.approvers.add(approval.by);
    if (approvalsLacking(question.fourEyes, [...question.approvers]) === 0) {
      question.answer ??= { kind: 'approved', by: [...question.approvers].join(' and ') };
    } else this.story.waitFor(`a second person's ${question.what}`, question.note);
    return { accepted: true };
  }

  private approveBySignal(approval: Approval): void {
    if (!this.asked) this.early = approval;
    else {
      this.mustFit(approval);
      this.approve(approval);
    }
  }

  private reject(rejection: Rejection): { accepted: true } {
    if (this.question !== undefined) {
      this.question.answer ??= { kind: 'rejected', by: rejection.by, why: rejection.why ?? 'no reason given' };
    }
    return { accepted: true };
  }

  private rejectBySignal(rejection: Rejection): void {
    this.mustBeAsked(rejection);
    this.reject(rejection);
  }

  private mustFit(approval: unknown): void {
    if (this.question === undefined && this.isRepeat(approval as Approval | null)) return;
    this.mustBeAsked(approval);
    if (this.question === undefined) return;
    const { digest, deadlineMs, fourEyes } = this.question;
    const judged = judgeApproval(approval as Approval, { digest, deadlineMs, fourEyes }, Date.now());
    if (!judged.ok) throw refusal(judged.code, `Not approved: ${judged.why}.`);
  }

  private isRepeat(approval: Approval | null): boolean {
    if (this.taken === undefined || typeof approval?.digest !== 'string') return false;
    return namesDigest(approval.digest, this.taken.digest) && this.taken.approvers.has(approval.by);
  }

  private mustBeAsked(message: unknown): void {
    const by = typeof message === 'object' && message !== null && 'by' in message ? message.by : undefined;
    if (typeof by !== 'string' || by.trim() === '') {
      throw refusal('BadInput', 'Say who you are: {"by": "your name"}.');
    }
    if (this.question === undefined) throw refusal('BadInput', 'Nothing waits for an answer at present.');
  }

  /** A signal can't be refused, so one that doesn't fit is shown and otherwise without effect. */
  private heed(handle: () => void): void {
    try {
      handle();
    } catch (error) {
      log.warn('A signal was ignored', { why: error instanceof Error ? error.message : String(error) });
    }
  }
}

function askedBy(under: Asking | undefined): Pick<Happened, 'by' | 'from' | 'identity'> {
  return under === undefined ? {} : { ...under.asker };
}

function askedText({ asker, fourEyes }: Asking): string {
  const asked = `Asked by ${askerText(asker)}.`;
  if (!fourEyes) return asked;
  return asker.by === undefined
    ? `${asked} Four eyes: two people have to approve.`
    : `${asked} Four eyes: somebody else has to approve.`;
}

function toldOf(answer: Answer, digest: string, limitSeconds: number): Omit<Happened, 'system' | 'operation'> {
  if (answer.kind === 'expired') return { what: 'expired', digest, why: `nobody answered within ${limitSeconds} s` };
  const { by } = answer;
  return answer.kind === 'approved'
    ? { what: 'approved', digest, by }
    : { what: 'rejected', digest, by, why: answer.why };
}

function refusal(type: FailureCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true });
}
