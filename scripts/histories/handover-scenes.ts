/** Histories of a planned change of sites: of the watch that hears of it, of the site that stops, of the one that asks. */
import { workflowIds, type FailoverResult } from '../../src/workflows/contract.ts';
import type { History } from '../../test/histories/history-json.ts';
import type { Play } from '../../test/workflows/play.ts';
import { eventually, uniqueName } from '../../test/workflows/stage.ts';
import { untilCancelled, type World } from '../../test/workflows/world.ts';
import type { WorldHandover } from '../../test/workflows/world-handover.ts';
import { ended, type Scene } from './scene.ts';

const LAST = ['backup-1', 'backup-config'].map((backup) => ({
  plan: 'daily',
  backup,
  pointAt: '2026-11-21T02:00:00Z',
}));

export const HANDOVER_SCENES: readonly Scene[] = [
  {
    name: 'siteWatch-done',
    world: {},
    act: async (play, world) => {
      const system = uniqueName('sys');
      asked(world);
      if (world.handover.request !== undefined) world.handover.request = { ...world.handover.request, stale: true };
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
  handover('handover-refused', (there) => (there.stubborn = ['ledger'])),
  handover('handover-started-again', (there) => (there.raiseSeconds = 0)),
  handover('handover-done', (there) => (there.then = () => taken(there))),
  handover('handover-rehearsed', rehearsed, { failover: { saw: () => 'answers' } }),
  handover('handover-rehearsed-waited', rehearsed, {
    failover: { saw: (call) => (call === 1 ? 'silent' : 'answers') },
  }),
  {
    name: 'handover-open',
    world: {},
    act: async (play, world) => {
      asked(world);
      const handle = await play.start('handover', { system: uniqueName('sys'), n: 2, attempt: 1 });
      await eventually('it has stopped', () => world.handover.answer);
      const history = await handle.fetchHistory();
      taken(world.handover);
      await handle.result();
      return history;
    },
  },
  {
    name: 'handover-open-backup',
    world: { script: { captureGroup: untilCancelled } },
    act: async (play, world) => {
      asked(world);
      const handle = await play.start('handover', { system: uniqueName('sys'), n: 2, attempt: 1 });
      await eventually('it backs up', () => world.count('captureGroup') > 0 || undefined);
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  },
  planned('failover-switched', (there) => (there.answer = { outcome: 'stopped', backups: LAST, downSeconds: 12 })),
  planned('failover-other-refused', (there) => (there.answer = { outcome: 'refused', why: 'no room' })),
  planned('failover-let-back', (there) => (there.answer = { outcome: 'stopped', backups: LAST.slice(1) })),
  {
    name: 'failover-open-asked',
    world: { whole: {}, failover: { saw: () => 'answers' } },
    act: async (play, world) => {
      const { handle } = await approved(play, world);
      await eventually('it has asked', () => world.count('awaitHandover') > 0 || undefined);
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  },
];

const REQUEST = { n: 2, attempt: 1, site: 'away', fromSite: 'home', requestId: 'run 1', stale: false };

/** This site is active, and the other one asks for the next generation. */
function asked(world: World): void {
  world.sites.generations[0] = { n: 1, site: 'home', cleared: true, raiseId: 'first' };
  world.handover.request = REQUEST;
  world.handover.news = [{ kind: 'asked', mark: 'asked 2/1', n: 2, attempt: 1, site: 'away' }];
}

function taken(there: WorldHandover): void {
  there.sites.generations.push({ n: 2, site: 'away', cleared: false, raiseId: 'run 1' });
}

function rehearsed(there: WorldHandover): void {
  there.request = { ...REQUEST, backAfterSeconds: 0.01 };
  there.then = () => taken(there);
}

function handover(name: string, change: (there: WorldHandover) => void, world: Scene['world'] = {}): Scene {
  return {
    name,
    world,
    act: async (play, world) => {
      asked(world);
      change(world.handover);
      const handle = await play.start('handover', { system: uniqueName('sys'), n: 2, attempt: 1 });
      await handle.result();
      return handle.fetchHistory();
    },
  };
}

async function approved(play: Play, world: World, others?: (there: WorldHandover) => void) {
  const input = { system: uniqueName('sys'), planned: true };
  const { plan } = await play.run<FailoverResult>('failover', { ...input, mode: 'plan' });
  world.handover.others = others;
  return { handle: await play.start('failover', { ...input, approve: plan?.digest, approvedBy: 'ann' }) };
}

/** `others`: what the active site does when it is asked. */
function planned(name: string, others: (there: WorldHandover) => void): Scene {
  return {
    name,
    world: { whole: {}, failover: { saw: () => 'answers' } },
    act: async (play, world): Promise<History> => {
      const { handle } = await approved(play, world, others);
      await handle.result();
      return handle.fetchHistory();
    },
  };
}
