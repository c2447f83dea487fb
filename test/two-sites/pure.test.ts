import { expect, it } from 'vitest';
import { FAULTS, STEPS } from '../../scripts/two-sites/faults.ts';
import { ledAstray } from '../../scripts/two-sites/names-watch.ts';
import { drawn } from '../../scripts/two-sites/run.ts';
import { overlaps } from '../../scripts/two-sites/watch.ts';

it('a fault is drawn for each seed, all of them before one comes again', () => {
  const first = 40 * FAULTS.length;
  const turn = FAULTS.map((_, index) => drawn(first + index).fault.name);
  expect(new Set(turn).size).toBe(FAULTS.length);
});

it('a fault that strikes at a step strikes at each of them, from turn to turn', () => {
  const turns = Array.from({ length: STEPS.length }, (_, turn) =>
    FAULTS.map((_fault, index) => drawn(turn * FAULTS.length + index)),
  );
  for (const { name, steps: own = STEPS } of FAULTS.filter(({ atStep }) => atStep === true)) {
    const steps = turns.map((turn) => turn.find(({ fault }) => fault.name === name)?.step);
    expect(new Set(steps)).toEqual(new Set(own));
  }
});

it('two stacks at the same moment are seen, one after the other is not', () => {
  const at = (site: string, fromNs: number, toNs: number) => ({ site, fromNs: BigInt(fromNs), toNs: BigInt(toNs) });
  expect(overlaps([at('a', 0, 5_000_000)], [at('b', 5_000_000, 9_000_000)])).toEqual([]);
  expect(overlaps([at('a', 0, 5_000_000)], [at('b', 3_000_000, 9_000_000)])).toEqual([{ sites: ['a', 'b'], ms: 2 }]);
});

it('a name that is led to a site which is not healthy at that moment is seen, also when it becomes so later', () => {
  const led = [
    { atNs: 0n, to: 'a' },
    { atNs: 50n, to: 'b' },
  ];
  const healthy = (fromNs: bigint, toNs: bigint) => [{ site: 'two', address: 'b', fromNs, toNs }];
  expect(ledAstray(led, healthy(40n, 60n))).toEqual([]);
  expect(ledAstray(led, healthy(51n, 60n))).toEqual([{ atNs: 50n, to: 'b' }]);
  expect(ledAstray(led, [{ site: 'one', address: 'a', fromNs: 0n, toNs: 99n }])).toHaveLength(1);
  expect(
    ledAstray(
      [
        { atNs: 0n, to: 'a' },
        { atNs: 9n, to: 'a' },
      ],
      [],
    ),
  ).toEqual([]);
});
