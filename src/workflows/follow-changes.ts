/**
 * Backs a plan up whenever its files change: hosts watch, and a change that was seen counts until a backup that began
 * after it is made. Runs until it is cancelled or the plan asks for it no more.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  patched,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { ChangeFacts, ChangeSeen } from '../activities/types.ts';
import type { backup } from './backup.ts';
import { WORKFLOWS, workflowIds, type FollowChangesInput, type FollowChangesResult } from './contract.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, receivingOn } from './proxies.ts';
import { lookAgainSignal } from './receive-wal.ts';
import { Story } from './story.ts';

const FIELDS: Fields<FollowChangesInput> = {
  system: { ...NAME, required: true },
  plan: { ...NAME, required: true },
  prints: { type: 'string' },
};

/** After a backup that failed, doubled each time. */
const FIRST_PAUSE_SECONDS = 60;
const LONGEST_PAUSE_SECONDS = 15 * 60;
/** Another run of the plan is under way, and may have read before the change. */
const BUSY_PAUSE_SECONDS = 15;
const BACKUPS_IN_ONE_HISTORY = 100;
const NOTE_LIMIT = 180;

export async function followChanges(input: FollowChangesInput): Promise<FollowChangesResult> {
  const asked = parseInput<FollowChangesInput>('followChanges', input, FIELDS);
  const following = new Following(asked, new Story('followChanges', ['watch']));
  return inOneVoice(() => following.run());
}

class Following {
  private readonly system: string;
  private readonly plan: string;
  private readonly story: Story;
  /** By host: what its files were when the last backup of them was begun. */
  private prints: Readonly<Record<string, string>>;
  private again = false;
  private watchScope: CancellationScope | undefined;
  private backups = 0;

  constructor(asked: FollowChangesInput, story: Story) {
    this.system = asked.system;
    this.plan = asked.plan;
    this.story = story;
    this.prints = asked.prints === undefined ? {} : (JSON.parse(asked.prints) as Record<string, string>);
    setHandler(lookAgainSignal, () => this.lookAgain(), { description: 'The system file was changed: read it again' });
  }

  async run(): Promise<FollowChangesResult> {
    const { system, plan, story } = this;
    story.about(system);
    for (;;) {
      story.begin('watch');
      this.again = false;
      const facts = await orchestration.describeChanges({ system, plan });
      if (facts.length === 0) {
        story.finish();
        return { outcome: 'stopped', why: `no plan ${plan} of ${system} is to be run on change any more` };
      }
      const seen = await this.watch(facts);
      if (seen !== undefined) await this.backUp(seen);
      if (this.backups >= BACKUPS_IN_ONE_HISTORY || workflowInfo().continueAsNewSuggested) {
        await continueAsNew<typeof followChanges>({ system, plan, prints: JSON.stringify(this.prints) });
      }
    }
  }

  private lookAgain(): void {
    this.again = true;
    this.watchScope?.cancel();
  }

  /** Read anew: a signal may have come during an await. */
  private isToLookAgain(): boolean {
    return this.again;
  }

  /** The first change that any host sees; undefined when there was none, or the system file is to be read again. */
  private async watch(facts: readonly ChangeFacts[]): Promise<Record<string, string> | undefined> {
    if (this.isToLookAgain()) return undefined;
    const scope = new CancellationScope();
    this.watchScope = scope;
    try {
      return await scope.run(async () => {
        const watching = facts.map(async ({ host, components }) => {
          const known = this.prints[host];
          const asked = { system: this.system, components, ...(known === undefined ? {} : { print: known }) };
          const seen: ChangeSeen = await receivingOn(host, `files of ${this.plan}`).awaitChange(asked);
          return seen.changed ? { ...this.prints, [host]: seen.print } : undefined;
        });
        const first = await Promise.race(watching);
        scope.cancel();
        await Promise.allSettled(watching);
        return first;
      });
    } catch (error) {
      if (!isCancellation(error)) throw error;
      if (CancellationScope.current().consideredCancelled || !this.isToLookAgain()) throw error;
      return undefined;
    } finally {
      this.watchScope = undefined;
    }
  }

  /** Tried until one that began after the change is made: a change is never given up. */
  private async backUp(prints: Record<string, string>): Promise<void> {
    const { story } = this;
    story.begin('back up');
    this.backups += 1;
    for (let pause = FIRST_PAUSE_SECONDS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_SECONDS)) {
      const outcome = await this.tryBackup();
      if (outcome === 'done') break;
      const seconds = outcome === 'busy' ? BUSY_PAUSE_SECONDS : pause;
      if (outcome !== 'busy') story.waitFor(`operator: ${outcome}`.slice(0, NOTE_LIMIT), outcome);
      await condition(() => this.again, seconds * 1000, { summary: `after ${outcome}`.slice(0, NOTE_LIMIT) });
      if (this.isToLookAgain()) {
        // The plan may ask for it no more; otherwise the change is still there.
        story.waitIsOver();
        return;
      }
      // A store may be down for weeks: the next run sees the change again, because its print is not taken over.
      if (workflowInfo().continueAsNewSuggested && patched('follow-changes-fails-for-long-2026-11')) return;
    }
    story.waitIsOver();
    this.prints = prints;
  }

  private async tryBackup(): Promise<string> {
    const { system, plan } = this;
    try {
      const child = await startChild<typeof backup>(WORKFLOWS.backup, {
        workflowId: workflowIds.backup(system, plan),
        args: [{ system, plan, tag: 'on-change' }],
        parentClosePolicy: 'ABANDON',
        staticSummary: `${system}: backup by plan ${plan}, because files changed`,
      });
      const { outcome } = await child.result();
      return outcome === 'done' ? 'done' : 'busy';
    } catch (error) {
      if (isCancellation(error)) throw error;
      if (error instanceof WorkflowExecutionAlreadyStartedError) return 'busy';
      return `the backup after a change failed: ${told(error).message}`;
    }
  }
}
