import { expect, it } from 'vitest';
import { FAULTS } from '../../scripts/two-sites/faults.ts';
import { drawn, proveSites } from '../../scripts/two-sites/run.ts';
import { overlaps } from '../../scripts/two-sites/watch.ts';

/** `npm run proof` plays hundreds, and draws its seeds. */
const ROUNDS = 4;
const SEED = 40_000;

it('a fault is drawn for each seed, all of them before one comes again', () => {
  const names = FAULTS.map((_, index) => drawn(SEED + index).fault.name);
  const first = SEED - (SEED % FAULTS.length);
  const turn = FAULTS.map((_, index) => drawn(first + index).fault.name);
  expect(new Set(turn).size).toBe(FAULTS.length);
  expect(names).toHaveLength(FAULTS.length);
});

it('two stacks at the same moment are seen, one after the other is not', () => {
  const at = (site: string, fromNs: number, toNs: number) => ({ site, fromNs: BigInt(fromNs), toNs: BigInt(toNs) });
  expect(overlaps([at('a', 0, 5_000_000)], [at('b', 5_000_000, 9_000_000)])).toEqual([]);
  expect(overlaps([at('a', 0, 5_000_000)], [at('b', 3_000_000, 9_000_000)])).toEqual([{ sites: ['a', 'b'], ms: 2 }]);
});

it(
  `[M7] [B8] ${ROUNDS} failovers under faults: never two active sites, nothing gone that was not said to be, the name at a site that serves`,
  { timeout: 30 * 60_000, retry: 0 },
  async () => {
    const lines: string[] = [];
    const report = await proveSites({ seed: SEED, rounds: ROUNDS, say: (line) => lines.push(line) });
    expect(report.broken, lines.join('\n')).toEqual([]);
    expect(report.rounds).toHaveLength(ROUNDS);
    expect(report.rounds.filter(({ outcome }) => outcome === 'done').length).toBeGreaterThan(ROUNDS / 2);
  },
);
