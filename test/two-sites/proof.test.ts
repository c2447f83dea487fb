import { expect, it } from 'vitest';
import { FAULTS } from '../../scripts/two-sites/faults.ts';
import { proveSites } from '../../scripts/two-sites/run.ts';

const SHORT = FAULTS.filter(({ long }) => long !== true);
/** `npm run proof` plays hundreds. */
const ROUNDS = 20;
/** While the ones wait for a lease the others work. */
const BEDS = 2;
/** Of another turn each day: different faults within a run, all of them within a few days; a failure names its seed. */
const SEED = Number(process.env['HOLDFAST_PROOF_SEED'] ?? Math.floor(Date.now() / 86_400_000) * SHORT.length);

it(
  `[M7] [B8] ${ROUNDS} failovers under faults: never two active sites, nothing gone that was not said to be, the name at a site that serves`,
  { timeout: 30 * 60_000, retry: 0 },
  async () => {
    const lines: string[] = [];
    const report = await proveSites({
      seed: SEED,
      rounds: ROUNDS,
      beds: BEDS,
      faults: SHORT.map(({ name }) => name),
      say: (line) => lines.push(line),
    });
    expect(report.broken, lines.join('\n')).toEqual([]);
    expect(report.rounds).toHaveLength(ROUNDS);
    expect(report.rounds.filter(({ outcome }) => outcome === 'done').length).toBeGreaterThan(ROUNDS / 2);
  },
);
