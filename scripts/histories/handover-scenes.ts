/** Histories of a planned change of sites: of the watch that hears of it, of the site that stops, of the one that asks. */
import { workflowIds } from '../../src/workflows/contract.ts';
import { eventually, uniqueName } from '../../test/workflows/stage.ts';
import type { World } from '../../test/workflows/world.ts';
import { ended, openIn, type Scene } from './scene.ts';

export const HANDOVER_SCENES: readonly Scene[] = [
  {
    name: 'siteWatch-done',
    world: {},
    act: async (play, world) => {
      const system = uniqueName('sys');
      asked(world);
      const watch = await play.start('siteWatch', { system });
      await eventually('it is answered', () => world.handover.answer);
      await play.env.client.workflow.getHandle(workflowIds.handover(system)).result();
      await eventually('it looks again', () => world.count('watchSites') > 1 || undefined);
      world.handover.watched = false;
      await watch.signal('lookAgain');
      await watch.result();
      return watch.fetchHistory();
    },
  },
  {
    name: 'siteWatch-open',
    world: {},
    act: async (play, world) => {
      const watch = await play.start('siteWatch', { system: uniqueName('sys') });
      await eventually('it looks', () => world.count('watchSites') > 0 || undefined);
      const history = await watch.fetchHistory();
      await ended(watch);
      return history;
    },
  },
  {
    name: 'siteWatch-silent',
    world: { whole: {}, failover: { saw: () => 'blind', setup: { automaticDownForSeconds: 30 } } },
    act: async (play, world) => {
      world.handover.news = [{ kind: 'silent', mark: 'silent 1', n: 1, site: 'away' }];
      const watch = await play.start('siteWatch', { system: uniqueName('sys') });
      await eventually('it looks again', () => world.count('watchSites') > 1 || undefined);
      const history = await watch.fetchHistory();
      await ended(watch);
      return history;
    },
  },
  openIn('handover-open', 'handover', 'lookHandover', { n: 2, attempt: 1 }),
  {
    name: 'handover-refused',
    world: {},
    act: async (play, world) => {
      asked(world);
      const handle = await play.start('handover', { system: uniqueName('sys'), n: 2, attempt: 1 });
      await handle.result();
      return handle.fetchHistory();
    },
  },
];

/** This site is active, and the other one asks for the next generation. */
function asked(world: World): void {
  world.sites.generations[0] = { n: 1, site: 'home', cleared: true, raiseId: 'first' };
  world.handover.request = { n: 2, attempt: 1, site: 'away', requestId: 'run 1', stale: false };
  world.handover.news = [{ kind: 'asked', mark: 'asked 2/1', n: 2, attempt: 1, site: 'away' }];
}
