/** A person's word on a printed plan: update `approve` or `reject`, or the signals beside them. */
import { ApplicationFailure, condition, defineSignal, defineUpdate, log, setHandler } from '@temporalio/workflow';
import type { FailureCode } from '../failures.ts';
import { judgeApproval, namesDigest } from '../policy/approval.ts';
import { SIGNALS, UPDATES, type Approval, type Rejection } from './contract.ts';
import type { Story } from './story.ts';

export const approveUpdate = defineUpdate<{ accepted: true }, [Approval]>(UPDATES.approve);
export const rejectUpdate = defineUpdate<{ accepted: true }, [Rejection]>(UPDATES.reject);
export const approveSignal = defineSignal<[Approval]>(SIGNALS.approve);
export const rejectSignal = defineSignal<[Rejection]>(SIGNALS.reject);

export type Answer =
  | { readonly kind: 'approved'; readonly by: string }
  | { readonly kind: 'rejected'; readonly by: string; readonly why: string }
  | { readonly kind: 'expired' };

interface Question {
  readonly digest: string;
  readonly deadlineMs: number;
  answer: Answer | undefined;
}

/** Registers the four handlers; one gate a workflow, made before anything is awaited. */
export class Gate {
  private readonly story: Story;
  private question: Question | undefined;
  private asked = false;
  /** A signal for a plan known from an earlier printing may come before the question. */
  private early: Approval | undefined;

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

  /** Waits for an answer that names this digest, until the limit. */
  async ask(digest: string, what: string, note: string, limitSeconds: number): Promise<Answer> {
    const limitMs = limitSeconds * 1000;
    const question: Question = { digest, deadlineMs: Date.now() + limitMs, answer: undefined };
    this.question = question;
    this.asked = true;
    if (this.early !== undefined && namesDigest(this.early.digest, digest)) this.approve(this.early);
    this.story.waitFor(what, note);
    const answered = await condition(() => question.answer !== undefined, limitMs);
    this.question = undefined;
    this.story.waitIsOver();
    return answered && question.answer !== undefined ? question.answer : { kind: 'expired' };
  }

  private approve(approval: Approval): { accepted: true } {
    if (this.question !== undefined) this.question.answer ??= { kind: 'approved', by: approval.by };
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
    this.mustBeAsked(approval);
    if (this.question === undefined) return;
    const { digest, deadlineMs } = this.question;
    const judged = judgeApproval(approval as Approval, { digest, deadlineMs }, Date.now());
    if (!judged.ok) throw refusal(judged.code, `Not approved: ${judged.why}.`);
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

function refusal(type: FailureCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true });
}
