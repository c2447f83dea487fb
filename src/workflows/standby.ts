/**
 * Restores every new backup ahead, at a site that is not the active one, so that a failover only has to start. Runs until
 * the system file asks for it no more; while this site is active it waits.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  continueAsNew,
  executeChild,
  isCancellation,
  patched,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { StandbyLook, SystemFacts } from '../activities/types.ts';
import { notPrepared } from '../policy/failover/prepared.ts';
import {
  WORKFLOWS,
  workflowIds,
  type RestorePlan,
  type RestoreResult,
  type StandbyInput,
  type StandbyResult,
} from './contract.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { planOf } from './plan-of-restore.ts';
import { orchestration, urgentlyOn } from './proxies.ts';
import { lookAgainSignal } from './receive-wal.ts';
import type { restore } from './restore.ts';
import { Story } from './story.ts';

const FIELDS: Fields<StandbyInput> = { system: { ...NAME, required: true } };

const LOOK_EVERY_SECONDS = 60;
const ACTIVE_LOOK_SECONDS = 5 * 60;
/** After a preparation that failed, doubled each time: the same backups hardly become better. */
const FIRST_PAUSE_SECONDS = 60;
const LONGEST_PAUSE_SECONDS = 60 * 60;
/** From then on a person should look. */
const FAILURES_TOLD = 3;
const NOTE_LIMIT = 180;
const LEFT_PARTS_WAIT = 'standby-left-parts-wait-2026-11';

export async function standby(input: StandbyInput): Promise<StandbyResult> {
  const { system } = parseInput<StandbyInput>('standby', input, FIELDS);
  const standing = new StandingBy(system, new Story('standby', ['look']));
  return inOneVoice(() => standing.run());
}

type PartWanted = NonNullable<RestorePlan['whole']>['parts'][number];

/** How long until the next look, and what is waited for meanwhile. */
interface Next {
  readonly seconds: number;
  readonly waitingFor?: string;
}

/** Parts that a run which went well has left, as it may with what the system can be without. */
interface LeftParts {
  /** Of which backups: others are tried at once. */
  readonly key: string;
  readonly tries: number;
  readonly againAtMs: number;
  readonly words: string;
}

class StandingBy {
  private readonly system: string;
  private readonly story: Story;
  private again = false;
  private failures = 0;
  private left: LeftParts | undefined;

  constructor(system: string, story: Story) {
    this.system = system;
    this.story = story;
    const look = (): void => {
      this.again = true;
      // Somebody may have mended what kept a part from being restored.
      this.left = undefined;
    };
    setHandler(lookAgainSignal, look, {
      description: 'The system file was changed, or a backup was made: look now',
    });
  }

  async run(): Promise<StandbyResult> {
    const { system, story } = this;
    story.about(system);
    for (;;) {
      this.again = false;
      story.begin('look');
      const facts = await orchestration.describeStandby({ system });
      if (facts === undefined) {
        story.finish();
        return { outcome: 'stopped', why: `the system file of ${system} asks for no warm standby any more` };
      }
      const { seconds, waitingFor } = await this.turn(facts);
      if (waitingFor !== undefined) story.waitFor(waitingFor.slice(0, NOTE_LIMIT), waitingFor);
      await condition(() => this.again, seconds * 1000, {
        summary: (waitingFor ?? 'the next backup').slice(0, NOTE_LIMIT),
      });
      story.waitIsOver();
      if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof standby>({ system });
    }
  }

  private async turn(facts: SystemFacts): Promise<Next> {
    try {
      const looks = await this.lookEverywhere(facts);
      if (looks.some(({ active }) => active))
        return { seconds: ACTIVE_LOOK_SECONDS, waitingFor: 'this site is active' };
      const refused = looks.flatMap((look) => look.refused ?? []);
      if (refused.length > 0) return { seconds: LOOK_EVERY_SECONDS, waitingFor: refused.join('; ') };

      const { system } = this;
      const plan = await planOf(facts, { system, whole: true, prepare: true });
      const parts = plan.whole?.parts ?? [];
      const newer = notPrepared(
        parts,
        looks.flatMap(({ prepared }) => prepared),
      );
      if (newer.length === 0) this.left = undefined;
      else if (patched(LEFT_PARTS_WAIT)) return await this.prepareUnlessLeft(newer, parts);
      else await this.prepare(newer);
      this.worked();
      return { seconds: LOOK_EVERY_SECONDS };
    } catch (error) {
      if (isCancellation(error)) throw error;
      return this.failed(error);
    }
  }

  private async lookEverywhere({ system, components }: SystemFacts): Promise<StandbyLook[]> {
    const looks: StandbyLook[] = [];
    for (const host of new Set(components.map((one) => one.host))) {
      const own = components.filter((one) => one.host === host).map(({ name }) => name);
      const there = urgentlyOn(host, { summary: 'look at what is prepared', attempts: 3 });
      looks.push(await there.lookStandby({ system, components: own }));
    }
    return looks;
  }

  /** What was left is tried again ever more seldom, as after a run that failed; all of the rest is prepared meanwhile. */
  private async prepareUnlessLeft(newer: readonly string[], parts: readonly PartWanted[]): Promise<Next> {
    const key = parts
      .filter(({ name }) => newer.includes(name))
      .map(({ name, backup, recoverTo }) => `${name} ${backup} ${recoverTo ?? ''}`)
      .join('; ');
    const before = this.left?.key === key ? this.left : undefined;
    if (before !== undefined && Date.now() < before.againAtMs) {
      return { seconds: LOOK_EVERY_SECONDS, waitingFor: before.words };
    }
    const { warnings = [] } = await this.prepare(newer);
    this.worked();
    const tries = (before?.tries ?? 0) + 1;
    const words = `operator: not all of it stays restored ahead: ${[...warnings, newer.join(', ')][0] ?? ''}`;
    this.left = { key, tries, againAtMs: Date.now() + pauseSeconds(tries - 1) * 1000, words };
    return { seconds: LOOK_EVERY_SECONDS };
  }

  private async prepare(newer: readonly string[]): Promise<RestoreResult> {
    const { system, story } = this;
    story.begin('prepare');
    return executeChild<typeof restore>(WORKFLOWS.restore, {
      workflowId: workflowIds.prepare(system),
      args: [{ system, whole: true, prepare: true }],
      // Half-way into the live place it has to come to an end, or back.
      parentClosePolicy: 'ABANDON',
      staticSummary: `${system}: restore ahead, because of ${newer.join(', ')}`.slice(0, NOTE_LIMIT),
    });
  }

  private worked(): void {
    if (this.failures >= FAILURES_TOLD) this.story.needsOperator(false);
    this.failures = 0;
  }

  private failed(error: unknown): Next {
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      return { seconds: LOOK_EVERY_SECONDS, waitingFor: 'another run restores ahead' };
    }
    this.failures += 1;
    if (this.failures === FAILURES_TOLD) this.story.needsOperator(true);
    return {
      seconds: pauseSeconds(this.failures - 1),
      waitingFor: `operator: it could not be restored ahead: ${told(error).message}`,
    };
  }
}

/** Before the first, the second, … try that follows one that failed. */
function pauseSeconds(tries: number): number {
  return Math.min(FIRST_PAUSE_SECONDS * 2 ** tries, LONGEST_PAUSE_SECONDS);
}
