/**
 * Watches what the other sites of a system do, for as long as its file names any: the active site hears here that another one
 * asks for the system. Finds, and starts what acts; decides nothing itself. Takes no lock.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  continueAsNew,
  executeChild,
  isCancellation,
  log,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { SiteNews, SiteWatchFacts } from '../activities/site-watch-types.ts';
import {
  WORKFLOWS,
  workflowIds,
  type FailoverInput,
  type FailoverResult,
  type SiteWatchInput,
  type SiteWatchResult,
} from './contract.ts';
import { pauseAfterSeconds } from '../policy/failover/automatic.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, receivingOn } from './proxies.ts';
import { lookAgainSignal } from './receive-wal.ts';
import { Story } from './story.ts';

const FIELDS: Fields<SiteWatchInput> = {
  system: { ...NAME, required: true },
  known: { type: 'string' },
  inVain: { type: 'number' },
};

/** A turn is a few events of history; the looks within it are none. */
const TURN_SECONDS = 15 * 60;
/** What acts on the news before it may end soon. */
const BUSY_TURN_SECONDS = 30;
const AFTER_FAILURE_SECONDS = 60;
const KNOWN = 20;
const NOTE_LIMIT = 180;

export async function siteWatch(input: SiteWatchInput): Promise<SiteWatchResult> {
  const asked = parseInput<SiteWatchInput>('siteWatch', input, FIELDS);
  const watching = new Watching(asked, new Story('siteWatch', ['look']));
  return inOneVoice(() => watching.run());
}

class Watching {
  private readonly system: string;
  private readonly story: Story;
  private known: readonly string[];
  private again = false;
  /** Of failovers that it has started. */
  private inVain: number;
  /** No other is started for the same before this. */
  private quiet = { mark: '', untilMs: 0 };

  constructor({ system, known = '', inVain = 0 }: SiteWatchInput, story: Story) {
    this.system = system;
    this.known = known.split('\n').filter((mark) => mark !== '');
    this.inVain = inVain;
    this.story = story;
    setHandler(lookAgainSignal, () => void (this.again = true), {
      description: 'The system file was changed: look now',
    });
  }

  async run(): Promise<SiteWatchResult> {
    const { system, story } = this;
    story.about(system);
    let busy: readonly string[] = [];
    for (;;) {
      story.begin('look');
      const facts = await orchestration.describeSiteWatch({ system });
      if (facts === undefined) {
        story.finish();
        return { outcome: 'stopped', why: `the system file of ${system} names no other site any more` };
      }
      this.again = false;
      const news = await this.look(facts, busy);
      busy = [];
      for (const one of news) {
        if (!(await this.act(one))) busy = [...busy, one.mark];
        else if (one.kind !== 'silent') this.known = [...this.known, one.mark].slice(-KNOWN);
      }
      if (workflowInfo().continueAsNewSuggested) {
        await continueAsNew<typeof siteWatch>({ system, known: this.known.join('\n'), inVain: this.inVain });
      }
    }
  }

  /** Ends early when the file was changed. */
  private async look(facts: SiteWatchFacts, busy: readonly string[]): Promise<readonly SiteNews[]> {
    const { system, quiet } = this;
    const quietSeconds = Math.ceil(Math.max(0, quiet.untilMs - Date.now()) / 1000);
    const turnSeconds = busy.length === 0 ? TURN_SECONDS : BUSY_TURN_SECONDS;
    const forSeconds = quietSeconds === 0 ? turnSeconds : Math.min(turnSeconds, quietSeconds);
    const known = [...this.known, ...busy, ...(quietSeconds === 0 ? [] : [quiet.mark])];
    const turn = new CancellationScope();
    try {
      return await turn.run(async () => {
        const there = receivingOn(facts.host, `what the other sites of ${system} do`);
        const looking = there.watchSites({ system, forSeconds, known });
        // One of the two is left when the other has come: both end with the turn.
        const changed = condition(() => this.again);
        const found = await Promise.race([looking, changed.then(() => undefined)]).finally(() => turn.cancel());
        await Promise.allSettled([looking, changed]);
        return found?.news ?? [];
      });
    } catch (error) {
      if (isCancellation(error)) throw error;
      await this.pause(error);
      return [];
    }
  }

  /** False: what runs under that name has to end first. */
  private async act(news: SiteNews): Promise<boolean> {
    const { system, story } = this;
    story.begin(news.kind);
    try {
      if (news.kind === 'silent') await this.takeOver(news);
      else await ACTIONS[news.kind](system, news);
      return true;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      return false;
    }
  }

  /**
   * The failover looks for as long as is declared, decides, and asks a person where the rule is not met. It is waited for: what
   * else there is to watch belongs to the active site. One that took nothing over is tried again after ever longer pauses.
   */
  private async takeOver({ mark, site }: SiteNews & { kind: 'silent' }): Promise<void> {
    const { system, inVain } = this;
    const why = await this.failover(site);
    this.inVain = why === undefined ? 0 : inVain + 1;
    if (why === undefined) return;
    const seconds = pauseAfterSeconds(this.inVain);
    this.quiet = { mark, untilMs: Date.now() + seconds * 1000 };
    log.warn(`${system} was not taken over from ${site}: ${why}; not tried again for ${seconds} s`);
  }

  /** Why the system does not run here, or undefined when it does. */
  private async failover(site: string): Promise<string | undefined> {
    const { system, inVain } = this;
    try {
      const { outcome, why = '' } = await executeChild<(asked: FailoverInput) => Promise<FailoverResult>>(
        WORKFLOWS.failover,
        {
          workflowId: workflowIds.failover(system),
          args: [{ system, inVain }],
          // It goes on by itself, whatever becomes of the watch.
          ...{ parentClosePolicy: 'ABANDON', cancellationType: 'ABANDON' },
          staticSummary: `${system}: ${site} does not answer`,
        },
      );
      return outcome === 'done' ? undefined : `${outcome} ${why}`;
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ChildWorkflowFailure)) throw error;
      return told(error).message;
    }
  }

  private async pause(error: unknown): Promise<void> {
    const why = `the other sites could not be looked at: ${told(error).message}`;
    this.story.waitFor(why.slice(0, NOTE_LIMIT), why);
    await condition(() => this.again, AFTER_FAILURE_SECONDS * 1000);
    this.story.waitIsOver();
  }
}

/** What each kind of news starts. It goes on by itself, whatever becomes of the watch. */
type Started = Exclude<SiteNews['kind'], 'silent'>;
const ACTIONS: { readonly [K in Started]: (system: string, news: SiteNews & { kind: K }) => Promise<void> } = {
  asked: async (system, { n, attempt, site }) => {
    await startChild(WORKFLOWS.handover, {
      workflowId: workflowIds.handover(system),
      args: [{ system, n, attempt }],
      parentClosePolicy: 'ABANDON',
      staticSummary: `${system}: stops for ${site}, which asked for generation ${n}`,
    });
  },
};
