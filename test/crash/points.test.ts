import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cyclesOf, laneOf, pointOf, roundOf } from '../../scripts/crash/points.ts';
import { stepIndex } from '../../scripts/crash/strike.ts';

const EVERYTHING = { store: true, docker: true, hang: true };
const seeds = fc.integer({ min: 0, max: 1_000_000 });

describe('where crashes strike', () => {
  it('the same seed: the same point, in the same lane, whatever run it is part of', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 40 }), fc.nat({ max: 39 }), (first, count, offset) => {
        const seed = first + (offset % count);
        expect(pointOf(seed, EVERYTHING)).toEqual(pointOf(seed, EVERYTHING));
        const inRun = cyclesOf(first, count).find((cycle) => cycle.includes(seed)) ?? [];
        const [alone = []] = cyclesOf(seed, 1);
        expect(laneOf(inRun, 3)).toBe(laneOf(alone, 3));
      }),
    );
  });

  it('a run of any seeds: each seed once, in one cycle that has at most one point for each operation', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 60 }), (first, count) => {
        const cycles = cyclesOf(first, count);
        expect(cycles.flat()).toEqual(Array.from({ length: count }, (_, index) => first + index));
        for (const cycle of cycles) {
          const operations = cycle.map((seed) => pointOf(seed, EVERYTHING).operation);
          expect(new Set(operations).size).toBe(operations.length);
        }
      }),
    );
  });

  it('a lane with two rounds: its cycles take turns, and each seed strikes the operation of its round', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 6 }), (first, lanes) => {
        const own = cyclesOf(first - (first % 2), 4 * lanes).filter((cycle) => laneOf(cycle, lanes) === 0);
        expect(new Set(own.map((cycle) => roundOf(cycle, lanes, 2))).size).toBe(2);
        const round = ['receive', 'rows'] as const;
        const [cycle = []] = own;
        expect(cycle.map((seed) => pointOf(seed, { ...EVERYTHING, round }).operation)).toEqual(round);
      }),
    );
  });

  it('many points: every victim, every fault, every step from the first to the last', () => {
    const steps = Array.from({ length: 10 }, (_, index) => ({ name: `step ${index}`, durationMs: 100 }));
    const points = Array.from({ length: 500 }, (_, seed) => pointOf(seed, EVERYTHING));
    expect(new Set(points.map(({ victim }) => victim)).size).toBe(5);
    expect(new Set(points.map(({ fault }) => fault)).size).toBe(5);
    expect(new Set(points.map((point) => stepIndex(point, steps))).size).toBe(10);
  });

  it('a lane of whole systems: all processes at once, and what starts again, at any moment of its start', () => {
    const points = Array.from({ length: 500 }, (_, seed) => pointOf(seed, { ...EVERYTHING, hard: true }));
    const victims = new Set(points.map(({ victim }) => victim));
    expect([...victims]).toEqual(expect.arrayContaining(['machine', 'host worker twice', 'worker twice']));
    expect(new Set(points.map(({ againPart }) => Math.floor(againPart * 10))).size).toBe(10);
  });

  it('no proxy, no leave to restart Docker: never struck', () => {
    const points = Array.from({ length: 500 }, (_, seed) =>
      pointOf(seed, { store: false, docker: false, hang: false }),
    );
    expect(new Set(points.map(({ victim }) => victim))).toEqual(new Set(['host worker', 'worker', 'server']));
    expect(points.some(({ fault }) => fault === 'hang')).toBe(false);
  });
});
