/**
 * Watches what the other sites of a system do, for as long as its file names any: the active site hears here that another one
 * asks for the system. Finds, and starts what acts; decides nothing itself. Takes no lock.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { SiteNews, SiteWatchFacts } from '../activities/site-watch-types.ts';
import { WORKFLOWS, workflowIds, type SiteWatchInput, type SiteWatchResult } from './contract.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, receivingOn } from './proxies.ts';
import { lookAgainSignal } from './receive-wal.ts';
import { Story } from './story.ts';

const FIELDS: Fields<SiteWatchInput> = { system: { ...NAME, required: true }, known: { type: 'string' } };

/** A turn is a few events of history; the looks within it are none. */
const TURN_SECONDS = 15 * 60;
/** What acts on the news before it may end soon. */
const BUSY_TURN_SECONDS = 30;
const AFTER_FAILURE_SECONDS = 60;
const KNOWN = 20;
const NOTE_LIMIT = 180;

export async function siteWatch(input: SiteWatchInput): Promise<SiteWatchResult> {
  const { system, known } = parseInput<SiteWatchInput>('siteWatch', input, FIELDS);
  const watching = new Watching(system, known?.split('\n') ?? [], new Story('siteWatch', ['look']));
  return inOneVoice(() => watching.run());
}

class Watching {
  private readonly system: string;
  private readonly story: Story;
  private known: readonly string[];
  private again = false;

  constructor(system: string, known: readonly string[], story: Story) {
    this.system = system;
    this.known = known;
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
        if (await this.act(one)) this.known = [...this.known, one.mark].slice(-KNOWN);
        else busy = [...busy, one.mark];
      }
      if (workflowInfo().continueAsNewSuggested) {
        await continueAsNew<typeof siteWatch>({ system, known: this.known.join('\n') });
      }
    }
  }

  /** Ends early when the file was changed. */
  private async look(facts: SiteWatchFacts, busy: readonly string[]): Promise<readonly SiteNews[]> {
    const { system } = this;
    const forSeconds = busy.length === 0 ? TURN_SECONDS : BUSY_TURN_SECONDS;
    const known = [...this.known, ...busy];
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
      await ACTIONS[news.kind](system, news);
      return true;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      return false;
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
const ACTIONS: { readonly [K in SiteNews['kind']]: (system: string, news: SiteNews & { kind: K }) => Promise<void> } = {
  asked: async (system, { n, attempt, site }) => {
    await startChild(WORKFLOWS.handover, {
      workflowId: workflowIds.handover(system),
      args: [{ system, n, attempt }],
      parentClosePolicy: 'ABANDON',
      staticSummary: `${system}: stops for ${site}, which asked for generation ${n}`,
    });
  },
};
