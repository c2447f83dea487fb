import { describe, expect, test } from 'vitest';
import type { SiteWatchActivities } from '../../src/activities/site-watch-types.ts';
import {
  workflowIds,
  type FailoverResult,
  type HandoverResult,
  type SiteWatchResult,
} from '../../src/workflows/contract.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { timeSkippingServer } from './time-skipping.ts';
import type { FailoverWorld } from './world-failover.ts';

type Look = Parameters<SiteWatchActivities['watchSites']>[0];

const play = playOn(timeSkippingServer);
const REQUEST = { n: 2, attempt: 1, site: 'away', requestId: 'run 1', stale: false };

describe('[M7] the other sites are watched', () => {
  test('another one asks: what answers is started once, and the watch ends with the section of the file', async () => {
    await play.inWorld({}, async (world) => {
      const system = uniqueName('sys');
      world.sites.generations[0] = { n: 1, site: 'home', cleared: true, raiseId: 'first' };
      world.handover.request = REQUEST;
      world.handover.news = [{ kind: 'asked', mark: 'asked 2/1', n: 2, attempt: 1, site: 'away' }];
      const watch = await play.start('siteWatch', { system });
      const answering = play.env.client.workflow.getHandle(workflowIds.handover(system));
      await eventually('it is answered', () => world.handover.answer);
      expect(((await answering.result()) as HandoverResult).outcome).toBe('refused');
      await eventually('it looks again', () => world.count('watchSites') > 1 || undefined);
      world.handover.watched = false;
      await watch.signal('lookAgain');
      expect(((await watch.result()) as SiteWatchResult).outcome).toBe('stopped');
      expect(world.count('answerHandover')).toBe(1);
    });
  });

  test('[M7] the active site is silent and this one may take over by itself: it does; what is refused is told once and tried again later', async () => {
    const failover: FailoverWorld = { saw: () => 'blind', setup: { automaticDownForSeconds: 30 } };
    await play.inWorld({ whole: {}, failover }, async (world) => {
      const system = uniqueName('sys');
      world.handover.news = [{ kind: 'silent', mark: 'silent 1', n: 1, site: 'away' }];
      const watch = await play.start('siteWatch', { system });
      const looks = () => world.calls.filter(({ name }) => name === 'watchSites').map(({ input }) => input as Look);
      await eventually('it looks again', () => looks()[1]);
      const own = play.env.client.workflow.getHandle(workflowIds.failover(system));
      expect(((await own.result()) as FailoverResult).outcome).toBe('refused');
      expect(looks()[1]).toMatchObject({ known: ['silent 1'] });
      expect(looks()[1]?.forSeconds).toBeLessThanOrEqual(60);
      expect(world.count('writeReport')).toBe(1);
      await watch.terminate();

      const again = await play.start('siteWatch', { system, inVain: 1 });
      await eventually('it looks a second time', () => looks()[3]);
      expect(world.count('writeReport')).toBe(1);
      expect(looks()[3]?.forSeconds).toBeGreaterThan(60);
      await again.terminate();

      failover.saw = () => 'silent';
      const last = await play.start('siteWatch', { system, inVain: 2 });
      await eventually('the system is here', () => world.sites.active === '2 home cleared' || undefined);
      expect(((await own.result()) as FailoverResult).outcome).toBe('done');
      await last.terminate();
    });
  });
});
