/** A planned change of sites in the scripted world: what is asked and answered in its authority store, and what runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type {
  HandoverActivities,
  HandoverAnswered,
  HandoverFactsActivities,
  HandoverOf,
  HandoverTold,
} from '../../src/activities/handover-types.ts';
import type { SiteNews, SiteWatchActivities, SiteWatchFactsActivities } from '../../src/activities/site-watch-types.ts';
import { askingSiteNext } from '../../src/policy/failover/handover.ts';
import type { WorldSites } from './world-failover.ts';
import { failWith } from './world.ts';

const LOOK_MS = 20;
const SITE = 'home';

export class WorldHandover {
  /** The system file names other sites. */
  watched = true;
  /** What the next look finds. */
  news: readonly SiteNews[] = [];
  request: HandoverTold['request'];
  answer: HandoverAnswered | undefined;
  /** How many backups were there when the stack was stopped; undefined while it runs. */
  stoppedAt: number | undefined;
  /** What the stack does not give up. */
  stubborn: readonly string[] = [];
  raiseSeconds = 600;
  /** What the other site does when it is asked. */
  others: ((world: WorldHandover) => void) | undefined;
  /** Whoever has asked does this when it is answered that this site has stopped. */
  then: (() => void) | undefined;
  readonly sites: WorldSites;
  private readonly backups: () => number;
  /** Of the world's backups, the last. */
  made: HandoverAnswered['backups'] = [];

  constructor(sites: WorldSites, backups: () => number) {
    this.sites = sites;
    this.backups = backups;
  }

  facts(host: string): SiteWatchFactsActivities & HandoverFactsActivities {
    return {
      describeSiteWatch: () => Promise.resolve(this.watched ? { site: SITE, host } : undefined),
      describeHandover: () =>
        Promise.resolve({
          ...{ site: SITE, hosts: [host], fencing: 'lease', plans: ['daily'] },
          raiseSeconds: this.raiseSeconds,
        }),
    };
  }

  watching(): SiteWatchActivities {
    return {
      watchSites: async ({ known }) => {
        for (;;) {
          const news = this.news.filter(({ mark }) => !known.includes(mark));
          if (news.length > 0) return { news };
          await pause();
        }
      },
    };
  }

  activities(): HandoverActivities {
    return {
      lookHandover: () => Promise.resolve(this.told()),
      awaitHandover: async (asked) => {
        while (this.isStill(asked) && asked.forSeconds > 0) await pause();
        return this.told();
      },
      answerHandover: (answer) => {
        const { outcome, why, backups, downSeconds, waitsSeconds } = answer;
        if (this.answer === undefined) {
          this.answer = {
            outcome,
            ...(why === undefined ? {} : { why }),
            ...(backups === undefined ? {} : { backups }),
            ...(downSeconds === undefined ? {} : { downSeconds }),
            ...(waitsSeconds === undefined ? {} : { waitsSeconds }),
          };
          if (outcome === 'stopped') this.then?.();
        }
        return Promise.resolve(this.answer);
      },
      stopForHandover: () => {
        this.stoppedAt ??= this.backups();
        return Promise.resolve();
      },
      runningHere: () => Promise.resolve(this.stoppedAt === undefined ? ['ledger'] : this.stubborn),
      raiseOwn: ({ n, site, raiseId }) => this.raise(n, site, raiseId),
      startAfterHandover: () => {
        if (this.told().generation.site !== SITE) failWith('SiteFenced');
        this.stoppedAt = undefined;
        return Promise.resolve();
      },
      endHandover: () => Promise.resolve(),
      askHandover: ({ n, requestId, by, digest, backAfterSeconds }) => {
        const { site: fromSite } = this.told().generation;
        this.request ??= {
          ...{ n, attempt: 1, site: SITE, fromSite, requestId, stale: false },
          ...(by === undefined ? {} : { by }),
          ...(digest === undefined ? {} : { digest }),
          ...(backAfterSeconds === undefined ? {} : { backAfterSeconds }),
        };
        if (this.request.requestId !== requestId) return Promise.resolve({ busy: `of ${this.request.site}` });
        this.others?.(this);
        return Promise.resolve({ attempt: this.request.attempt });
      },
      letBack: async ({ n, requestId, raiseId, why }) => {
        const next = askingSiteNext(this.told(), n, { site: SITE, requestId, wants: false });
        if (next.kind === 'withdraw') this.answer = { outcome: 'withdrawn', why };
        if (next.kind === 'give back') await this.raise(n, this.request?.fromSite ?? '', raiseId);
        const { generation, answer } = this.told();
        return { n: generation.n, site: generation.site, outcome: answer?.outcome ?? 'never asked' };
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

  private raise(n: number, site: string, raiseId: string): Promise<{ n: number; site: string }> {
    const { generations } = this.sites;
    if (!generations.some((one) => one.n >= n)) generations.push({ n, site, cleared: true, raiseId });
    const { generation } = this.told();
    return Promise.resolve({ n: generation.n, site: generation.site });
  }

  private isStill({ n, attempt, whileIt }: HandoverOf & { whileIt: 'unanswered' | 'stopped' }): boolean {
    const { generation, request, answer } = this.told();
    if (generation.n >= n || request?.attempt !== attempt) return false;
    return whileIt === 'unanswered' ? answer === undefined : answer?.outcome === 'stopped';
  }
}

async function pause(): Promise<void> {
  const context = Context.current();
  context.heartbeat();
  await sleep(LOOK_MS, undefined, { signal: context.cancellationSignal });
}
