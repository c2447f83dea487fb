/** A planned change of sites in the scripted world: what is asked and answered in its authority store. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { HandoverActivities, HandoverAnswered, HandoverTold } from '../../src/activities/handover-types.ts';
import type { SiteNews, SiteWatchActivities, SiteWatchFactsActivities } from '../../src/activities/site-watch-types.ts';
import type { WorldSites } from './world-failover.ts';

const LOOK_MS = 20;

export class WorldHandover {
  /** The system file names other sites. */
  watched = true;
  /** What the next look finds. */
  news: readonly SiteNews[] = [];
  request: HandoverTold['request'];
  answer: HandoverAnswered | undefined;
  private readonly sites: WorldSites;

  constructor(sites: WorldSites) {
    this.sites = sites;
  }

  facts(host: string): SiteWatchFactsActivities {
    return {
      describeSiteWatch: () => Promise.resolve(this.watched ? { site: 'home', host } : undefined),
    };
  }

  watching(): SiteWatchActivities {
    return {
      watchSites: async ({ known }) => {
        const { cancellationSignal: signal } = Context.current();
        for (;;) {
          const news = this.news.filter(({ mark }) => !known.includes(mark));
          if (news.length > 0) return { news };
          Context.current().heartbeat();
          await sleep(LOOK_MS, undefined, { signal });
        }
      },
    };
  }

  activities(): HandoverActivities {
    return {
      lookHandover: () => Promise.resolve(this.told()),
      answerHandover: ({ outcome, why }) => {
        this.answer ??= { outcome, ...(why === undefined ? {} : { why }) };
        return Promise.resolve(this.answer);
      },
    };
  }

  told(): HandoverTold {
    const { n = 0, site = '', cleared = false } = this.sites.generations.at(-1) ?? {};
    return {
      generation: { n, site, cleared },
      ...(this.request === undefined ? {} : { request: this.request }),
      ...(this.answer === undefined ? {} : { answer: this.answer }),
    };
  }
}
