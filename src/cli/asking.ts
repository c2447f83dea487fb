/** A plan that waits for a person: shown once, asked where somebody can answer, left waiting where nobody can. */
import type { WorkflowHandle } from '@temporalio/client';
import { tell } from '../observe/told.ts';
import { QUERIES, type Progress } from '../workflows/contract.ts';
import { sendApproval, sendRejection } from './answer.ts';
import { whoAmI } from './names.ts';
import type { FollowView } from './operation.ts';
import type { ExitCode, Shell } from './shell.ts';

export interface AskingOptions {
  readonly by?: string;
  readonly wait?: boolean;
}

export interface AskingTexts<P> {
  /** The plan as a person reads it. */
  plan(plan: P): string;
  /** What to type to say yes or no from elsewhere. */
  next(plan: P): string;
  /** What was done before it was asked. Default: nothing. */
  meanwhile?(plan: P): string | undefined;
}

/** Shows the plan once when its approval is waited for, and asks where somebody can answer. */
export class Asking<P extends { readonly digest: string }> {
  private readonly shell: Shell;
  private readonly handle: WorkflowHandle;
  private readonly options: AskingOptions;
  private readonly texts: AskingTexts<P>;
  private asked: string | undefined;
  private plan: P | undefined;

  constructor(shell: Shell, handle: WorkflowHandle, options: AskingOptions, texts: AskingTexts<P>) {
    this.shell = shell;
    this.handle = handle;
    this.options = options;
    this.texts = texts;
  }

  async heed(progress: Progress, view: FollowView): Promise<void> {
    if (progress.waitingFor === undefined || progress.waitingFor === this.asked) return;
    const plan = await this.handle.query<P | undefined>(QUERIES.plan);
    if (plan === undefined) return;
    this.asked = progress.waitingFor;
    this.plan = plan;
    view.hide();
    if (!this.shell.json) this.shell.say(`\n${this.texts.plan(plan)}\n`);
    if (this.shell.interactive) await this.ask(plan, progress.waitingFor, view);
    else if (this.options.wait === true) this.shell.say(`waiting for ${progress.waitingFor}\n${this.texts.next(plan)}`);
    else view.leave();
  }

  private async ask(plan: P, what: string, view: FollowView): Promise<void> {
    const { createInterface } = await import('node:readline/promises');
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    terminal.once('SIGINT', () => process.emit('SIGINT'));
    try {
      const answer = await terminal.question(`Waiting for ${what}. Approve this plan? Type yes or no: `);
      const by = this.options.by ?? (await whoAmI());
      if (answer.trim().toLowerCase() === 'yes') await this.approve(plan, by, view);
      else if (answer.trim().toLowerCase() === 'no') {
        await sendRejection(this.handle, { by, why: 'said no at the terminal' }, this.shell);
      } else view.leave();
    } finally {
      terminal.close();
    }
  }

  /** Where four eyes are wanted the one who asked can't approve: the operation goes on waiting for somebody else. */
  private async approve(plan: P, by: string, view: FollowView): Promise<void> {
    try {
      await sendApproval(this.handle, { digest: plan.digest, by }, this.shell);
    } catch (error) {
      const told = tell(error);
      if (told.code !== 'SecondPersonNeeded') throw error;
      this.shell.say(told.message);
      view.leave();
    }
  }

  /** The operation goes on waiting in the engine, and has not ended: its result can't be told. */
  left(): ExitCode {
    const { plan } = this;
    if (plan === undefined) return 2;
    const next = this.texts.next(plan);
    const { workflowId } = this.handle;
    this.shell.result({ outcome: 'waiting', waitingFor: this.asked, workflowId, plan }, () =>
      [
        `waiting for ${this.asked ?? 'approval'}; ${this.texts.meanwhile?.(plan) ?? 'nothing has been changed'}`,
        next,
        `watch:   holdfast watch ${workflowId}`,
      ].join('\n'),
    );
    return 2;
  }
}
