/** What the scripted world answers about clean backups: which of them a scanner finds something in. */
import type { CleanPointActivities } from '../../src/activities/clean-point-types.ts';
import { HOST } from './world-answers.ts';

export interface CleanWorld {
  /** Newest first. */
  cleanCandidates: readonly { readonly backup: string; readonly content?: string; readonly skip?: string }[];
  readonly infected: Set<string>;
}

export function cleanActivities(world: CleanWorld): CleanPointActivities {
  return {
    planCleanPoint: ({ bisect = false, limitSeconds = 3600 }) =>
      Promise.resolve({
        store: 'main',
        evidence: '/evidence',
        components: [{ name: 'config', kind: 'files', host: HOST, profiled: false }],
        candidates: world.cleanCandidates.map(({ backup, content = backup, skip }, index) => ({
          backup,
          manifestKey: `backups/daily/${backup}.json`,
          pointAt: new Date(Date.UTC(2026, 10, 21) - index * 3_600_000).toISOString(),
          ...(skip === undefined ? {} : { skip }),
          components: [{ name: 'config', content }],
        })),
        bisect,
        limitSeconds,
        warnings: [],
      }),
    lookClean: ({ backup, beside: { component } }) => {
      const found = world.infected.has(backup);
      const detail = found ? 'exit 1: 1 infected file' : 'exit 0';
      return Promise.resolve([{ component, name: 'command', state: found ? 'bad' : 'clean', detail }]);
    },
    compareClean: ({ component }) =>
      Promise.resolve({ component, name: 'entropy', state: 'clean', detail: '0 of 9 files became unreadable' }),
    reportCleanPoint: () => Promise.resolve({ report: 'reports/clean-point/x/report.json', reportFile: '/report.md' }),
  };
}
