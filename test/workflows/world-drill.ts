/** What the scripted world answers to a drill: one backup, a ledger and files, everything good. */
import type { DrillActivities, DrillFacts } from '../../src/activities/types.ts';
import type { DrillPlan } from '../../src/workflows/contract.ts';
import { HOST } from './world-answers.ts';

export function drillFacts(system: string, asked: Partial<DrillFacts>): DrillFacts {
  return {
    system,
    kind: 'weekly',
    planner: HOST,
    keeper: HOST,
    components: [],
    freshPlans: [],
    tellBeforeSeconds: 0,
    rtoObjectiveSeconds: 3600,
    ...asked,
  };
}

export function drillPlan(kind: string, configHost: string): DrillPlan {
  const part = { backup: 'backup-1', sizeBytes: 10, becomes: 'a place of its own' };
  return {
    kind,
    sources: [
      {
        backup: 'backup-1',
        plan: 'daily',
        store: 'main',
        manifestKey: 'backups/daily/x.json',
        pointAt: '2026-11-21T02:00:00Z',
        ageSeconds: 3600,
        whole: true,
      },
    ],
    components: [
      { name: 'ledger', kind: 'volume', host: HOST, ...part },
      { name: 'config', kind: 'files', host: configHost, ...part },
    ],
    losses: [{ plan: 'daily', ageSeconds: 3600, objectiveSeconds: 86_400 }],
    warnings: [],
  };
}

/** `made` is what lies around on the hosts. */
export function drillWorld(made: Set<string>, configHost: string): DrillActivities {
  return {
    planDrill: ({ kind }) => Promise.resolve(drillPlan(kind, configHost)),
    beginDrill: ({ drillId }) => {
      made.add(drillId);
      return Promise.resolve();
    },
    restoreScratch: ({ component, drillId }) => {
      made.add(`${drillId}/${component}`);
      return Promise.resolve({ component, restoreId: drillId, place: `/scratch/${component}`, facts: {} });
    },
    planScratchStack: ({ component, drillId }) =>
      Promise.resolve({
        ...{ component, host: HOST, project: 'stack', scratchProject: `drill-${drillId}`, services: ['web'] },
        ...{ isolated: ['web publishes no ports'], refused: [] },
      }),
    startScratchStack: ({ component }) =>
      Promise.resolve({
        ...{ services: 1, isolated: ['web publishes no ports'], refused: [], warnings: [] },
        checks: [{ component, name: 'service web', ok: true, detail: 'runs, isolated' }],
      }),
    askScratch: () =>
      Promise.resolve({ checks: [], skipped: [{ name: 'check balances', why: 'nothing stands for it' }] }),
    checkScratch: () => Promise.resolve({ ok: true, checks: [{ name: 'content', ok: true, detail: 'as captured' }] }),
    clearDrill: ({ drillId }) => {
      for (const one of [...made]) if (one.startsWith(drillId)) made.delete(one);
      return Promise.resolve();
    },
    keepDrill: ({ report }) => {
      const proofs = report.sources.map(({ backup, store }) => ({ backup, store, ok: report.outcome === 'passed' }));
      return Promise.resolve({ report, key: 'reports/drill/x/report.json', proofs });
    },
  };
}
