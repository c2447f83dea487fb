import { describe, expect, test } from 'vitest';
import { workflowIds, type HandoverResult, type SiteWatchResult } from '../../src/workflows/contract.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { timeSkippingServer } from './time-skipping.ts';

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
});
