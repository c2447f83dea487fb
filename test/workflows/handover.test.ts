import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import type { SiteWatchActivities } from '../../src/activities/site-watch-types.ts';
import {
  workflowIds,
  type FailoverResult,
  type HandoverResult,
  type SiteWatchResult,
} from '../../src/workflows/contract.ts';
import { failureOf } from './play.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { timeSkippingServer } from './time-skipping.ts';
import { untilCancelled, type Script, type World } from './world.ts';
import type { FailoverWorld } from './world-failover.ts';
import type { WorldHandover } from './world-handover.ts';

type Look = Parameters<SiteWatchActivities['watchSites']>[0];

const play = playOn(timeSkippingServer);
const REQUEST = { n: 2, attempt: 1, site: 'away', fromSite: 'home', requestId: 'run 1', stale: false };
const LAST = ['backup-1', 'backup-config'].map((backup) => ({
  plan: 'daily',
  backup,
  pointAt: '2026-11-21T02:00:00Z',
}));

const NO_SCRIPT = { captureGroup: undefined, holdSite: undefined };

/** As an activity does whose failure no waiting mends. */
function refuse(type: string): never {
  throw ApplicationFailure.create({ type, message: `scripted ${type}`, nonRetryable: true });
}

/** This site is active, and the other one asks: one case after the other in one world, since workers take long to begin. */
interface AskedCase {
  readonly script?: Script;
  readonly change?: (there: WorldHandover) => void;
  readonly see: (world: World, result: HandoverResult) => void;
}

async function asked(cases: readonly AskedCase[]): Promise<void> {
  const script: Script = {};
  await play.inWorld({ script }, async (world) => {
    for (const { script: own, change, see } of cases) {
      Object.assign(script, NO_SCRIPT, own);
      world.sites.generations.splice(0, 9, { n: 1, site: 'home', cleared: true, raiseId: 'first' });
      Object.assign(world.handover, { ...FRESH, request: REQUEST });
      world.calls.splice(0);
      world.manifests.splice(0);
      change?.(world.handover);
      see(world, await play.run<HandoverResult>('handover', { system: uniqueName('sys'), n: 2, attempt: 1 }));
    }
  });
}

const FRESH = {
  ...{ answer: undefined, request: undefined, stoppedAt: undefined, stubborn: [], raiseSeconds: 600 },
  ...{ then: undefined, others: undefined },
};

/** The other site is active, and this one asks; `others` is what that does then. */
interface AsksCase {
  readonly others?: (there: WorldHandover) => void;
  readonly setup?: FailoverWorld['setup'];
  readonly script?: Script;
  readonly input?: object;
  readonly see: (world: World, result: FailoverResult) => void;
}

async function asks(cases: readonly AsksCase[]): Promise<void> {
  const script: Script = {};
  const failover: FailoverWorld = { saw: () => 'answers' };
  await play.inWorld({ whole: {}, script, failover }, async (world) => {
    for (const { others, setup, script: own, input: more, see } of cases) {
      Object.assign(script, NO_SCRIPT, own);
      Object.assign(failover, { setup });
      world.sites.reset();
      Object.assign(world.handover, { ...FRESH, others });
      world.calls.splice(0);
      const input = { system: uniqueName('sys'), planned: true, ...more };
      const { plan } = await play.run<FailoverResult>('failover', { ...input, mode: 'plan' });
      expect(plan).toMatchObject({ dataLossSeconds: 0, planned: { answerSeconds: expect.any(Number) as number } });
      const approved = { ...input, approve: plan?.digest, approvedBy: 'ann' };
      see(world, await play.run<FailoverResult>('failover', approved));
    }
  });
}

const stops = (world: WorldHandover): void => {
  world.answer = { outcome: 'stopped', backups: LAST, downSeconds: 12, waitsSeconds: 300 };
};

describe('[M7] the other sites are watched', () => {
  test('another one asks: what answers is started once, and the watch ends with the section of the file', async () => {
    await play.inWorld({}, async (world) => {
      const system = uniqueName('sys');
      world.sites.generations[0] = { n: 1, site: 'home', cleared: true, raiseId: 'first' };
      world.handover.request = { ...REQUEST, stale: true };
      world.handover.news = [{ kind: 'asked', mark: 'asked 2/1', n: 2, attempt: 1, site: 'away' }];
      const watch = await play.start('siteWatch', { system });
      const answering = play.env.client.workflow.getHandle(workflowIds.handover(system));
      await eventually('it is answered', () => world.handover.answer);
      expect((await answering.result()) as HandoverResult).toMatchObject({ outcome: 'refused', to: 'away' });
      await eventually('it looks again', () => world.count('watchSites') > 1 || undefined);
      world.handover.watched = false;
      await watch.signal('lookAgain');
      expect(((await watch.result()) as SiteWatchResult).outcome).toBe('stopped');
      expect(world.count('answerHandover')).toBe(1);
      expect(world.count('stopForHandover')).toBe(0);
    });
  });
});

describe('[M7] the active site is asked', () => {
  test('it stops, backs up what is stopped, proves it, answers; or says why not, and runs on; or starts again', async () => {
    const there: { world?: WorldHandover } = {};
    const withdraw = (): Promise<never> => {
      if (there.world !== undefined) there.world.answer = { outcome: 'withdrawn', why: 'ann changed her mind' };
      return untilCancelled();
    };
    const runsOn = (world: World, outcome: string, active = '1 home cleared'): void => {
      expect(world.handover.answer?.outcome).toBe(outcome);
      expect(world.handover.stoppedAt).toBeUndefined();
      expect(world.sites.active).toBe(active);
    };
    await asked([
      {
        change: (own) => {
          own.then = () => own.sites.generations.push({ n: 2, site: 'away', cleared: false, raiseId: 'run 1' });
        },
        see: (world, result) => {
          expect(result).toMatchObject({ outcome: 'handed-over', to: 'away', backups: [{ plan: 'daily' }] });
          const steps = [
            ...['stopForHandover', 'commitCapture', 'verifyBackup'],
            ...['runningHere', 'answerHandover', 'endHandover'],
          ];
          const order = world.calls.map(({ name }) => name).filter((name) => steps.includes(name));
          expect([...new Set(order)]).toEqual(steps);
          expect(world.handover.stoppedAt).toBe(0);
          expect(world.count('startAfterHandover')).toBe(0);
        },
      },
      {
        script: { captureGroup: () => refuse('SourceEmpty') },
        see: (world, result) => {
          expect(result).toMatchObject({ outcome: 'refused', to: 'away', why: 'scripted SourceEmpty' });
          runsOn(world, 'refused');
        },
      },
      {
        change: (own) => (own.stubborn = ['ledger']),
        see: (world, result) => {
          expect(result).toMatchObject({ outcome: 'refused', why: 'it would not stay stopped: ledger' });
          runsOn(world, 'refused');
        },
      },
      {
        script: { captureGroup: withdraw },
        change: (own) => (there.world = own),
        see: (world, result) => {
          expect(result).toMatchObject({ outcome: 'started-again', why: 'ann changed her mind' });
          expect(world.manifests).toEqual([]);
          runsOn(world, 'withdrawn');
        },
      },
      {
        change: (own) => (own.raiseSeconds = 0),
        see: (world, result) => {
          expect(result).toMatchObject({ outcome: 'started-again' });
          runsOn(world, 'stopped', '2 home cleared');
        },
      },
    ]);
  });
});

describe('[M7] [B9] a planned change of sites', () => {
  test('the other one has stopped: its last backup is restored, nothing is lost; else it runs on, and nothing was changed', async () => {
    const untouched = (active: string, why: string) => (world: World, result: FailoverResult) => {
      expect(['refused', 'rolled-back']).toContain(result.outcome);
      expect(result.why).toContain(why);
      expect(world.sites.active).toBe(active);
      expect(world.names()).not.toContain('swapIn');
    };
    await asks([
      {
        others: stops,
        input: { backAfterSeconds: 60 },
        see: (world, result) => {
          expect(result).toMatchObject({ outcome: 'done', ok: true, generation: { n: 2, site: 'home' } });
          expect(result.fence).toMatchObject({ fencing: 'confirmed' });
          expect(result.planned?.downSeconds).toBeGreaterThanOrEqual(12);
          expect(world.count('awaitFence')).toBe(0);
          expect(world.sites.reports).toMatchObject([{ dataLossSeconds: 0, backups: ['backup-1', 'backup-config'] }]);
          expect(world.handover.request).toMatchObject({ by: 'ann', n: 2, backAfterSeconds: 60 });
        },
      },
      {
        others: (there) => (there.answer = { outcome: 'refused', why: 'no room' }),
        see: untouched('1 away cleared', 'no room'),
      },
      { setup: { answerSeconds: 0 }, see: untouched('1 away cleared', 'not answered within 0 s') },
      {
        others: (there) => (there.answer = { outcome: 'stopped', backups: LAST.slice(1) }),
        see: untouched('2 away cleared', 'does not see the last backup'),
      },
      {
        others: stops,
        script: { holdSite: () => refuse('PermissionDenied') },
        see: untouched('2 away cleared', 'scripted'),
      },
    ]);
  });

  test('the way back of a rehearsal: by who approved it, and only where it is one', async () => {
    const gathered = { generations: [{ n: 1 }, { n: 2, origin: { generation: 1 } }] };
    await play.inWorld({ whole: {}, failover: { saw: () => 'answers', gathered } }, async (world) => {
      world.sites.generations.push({ n: 2, site: 'away', cleared: true, raiseId: 'run 1' });
      world.handover.request = { ...REQUEST, by: 'ann' };
      const back = { system: uniqueName('sys'), planned: true, backOf: 2 };
      expect((await failureOf(play.run('failover', back))).type).toBe('BadInput');
      world.handover.request = { ...REQUEST, by: 'ann', backAfterSeconds: 60 };
      world.handover.others = stops;
      // The world holds one request at a time: that it is asked at all, without a person, is what counts here.
      const result = await play.run<FailoverResult>('failover', back);
      expect(result.why).toContain('could not be asked: of away');
      expect(world.calls.find(({ name }) => name === 'askHandover')?.input).toMatchObject({ n: 3, by: 'ann' });
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
