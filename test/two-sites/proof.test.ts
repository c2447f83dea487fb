import { expect, it } from 'vitest';
import { proveSites } from '../../scripts/two-sites/run.ts';

/** Of each kind of fault at least one; `npm run proof` plays hundreds, of all kinds. */
const PLAYED = [
  'the machine is gone',
  'the machine is gone, and comes back in the middle',
  'the machine is started anew',
  'cut off from the other site alone',
  'cut off from the stores and the other site, and not from its clients',
  'hears nobody, and is heard',
  'cut off from its clients alone',
  'flapping',
  'gone, and the network of the other is slow',
  'its machine sleeps, and wakes when the other has taken over',
  'gone, and the names can not be changed at first',
  'gone, and the worker that takes over is killed at a step',
  'gone, and the engine that takes over is killed at a step',
  'cut off from everything, and heard again at a step',
  'gone, and the stores answer nobody for a while',
  'gone, and the store of the backups is as it was before the last',
  'two operators, and the sites can not hear one another',
  'cut off from the other site alone; the provider takes its power, and says so',
  'planned, there and back',
  'planned, and all of Holdfast that answers is killed at a step',
];
/** While the ones wait for a lease the others work. */
const BEDS = 2;
/** Another one strikes at other steps. */
const SEED = Number(process.env['HOLDFAST_PROOF_SEED'] ?? 0);

it(
  `[M7] [B8] ${PLAYED.length} failovers under faults: never two active sites, nothing gone that was not said to be, the name at a site that serves`,
  { timeout: 30 * 60_000, retry: 0 },
  async () => {
    const lines: string[] = [];
    const report = await proveSites({
      seed: SEED,
      rounds: PLAYED.length,
      beds: BEDS,
      faults: PLAYED,
      say: (line) => lines.push(line),
    });
    expect(report.broken, lines.join('\n')).toEqual([]);
    expect(report.rounds).toHaveLength(PLAYED.length);
    expect(report.rounds.filter(({ outcome }) => outcome === 'done').length).toBeGreaterThan(PLAYED.length / 2);
  },
);
