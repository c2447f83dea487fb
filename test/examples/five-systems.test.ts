/**
 * The five systems of `examples/` as their pages tell them, from beginning to end: up, backed up, broken, brought back, compared
 * with what their users had acknowledged. Minutes each, so that `npm test` leaves them to `npm run scenario`.
 */
import { existsSync } from 'node:fs';
import Docker from 'dockerode';
import { afterEach, expect, test } from 'vitest';
import { Cleanup } from '../../scripts/cleanup.ts';
import { playExample } from '../../scripts/example.ts';
import { EXAMPLES } from '../../scripts/example/examples.ts';
import type { Measured } from '../../scripts/example/plot.ts';

const LIMIT_MS = 30 * 60_000;
let cleanup = new Cleanup();
afterEach(async () => {
  expect(await cleanup.run()).toBe(true);
  cleanup = new Cleanup();
}, LIMIT_MS);

/** Every claim of the story holds, its drill's too, or it throws; what is left to see is that each disaster was one of its own. */
async function played(name: string): Promise<readonly Measured[]> {
  const example = EXAMPLES[name];
  if (example === undefined) throw new Error(`no example ${name}`);
  const { measured, drill, stage } = await playExample(example, cleanup);
  expect(drill.rtoSeconds).toBeLessThanOrEqual(drill.rtoObjectiveSeconds ?? 0);
  for (const { rtoSeconds, rpoSeconds, objective, kept } of measured) {
    expect(rtoSeconds).toBeLessThanOrEqual(objective.rtoSeconds);
    expect(rpoSeconds).toBeLessThanOrEqual(objective.rpoSeconds);
    expect(kept).toBeGreaterThan(0);
  }
  expect(await cleanup.run()).toBe(true);
  const own = `example-${name}-${stage.suffix}`;
  const { Volumes } = await new Docker().listVolumes();
  const containers = await new Docker().listContainers({ all: true });
  expect(Volumes.filter(({ Name }) => Name.startsWith(own))).toEqual([]);
  expect(containers.filter(({ Names }) => Names.some((one) => one.includes(own)))).toEqual([]);
  expect(existsSync(stage.directory)).toBe(false);
  return measured;
}

const lostBy = (measured: readonly Measured[]) =>
  Object.fromEntries(measured.map(({ disaster, lost }) => [disaster, lost]));

test(
  '[W1] [W2] [W4] [W6] watan: deposits of some users deleted, every table garbled, all of it lost: rows put back while others work, then all of it swapped; a drill',
  async () => {
    const measured = await played('watan');
    expect(measured.map(({ disaster }) => disaster)).toEqual(['wallets', 'full', 'whole']);
  },
  LIMIT_MS,
);

test(
  '[B1] [B7] [B8] [B9] tbcv: corrupted, deleted, partly lost, taken hostage, its machine gone: each back within its objective; a drill',
  async () => {
    const measured = await played('tbcv');
    expect(lostBy(measured)).toMatchObject({ deletion: 0, partial: 0 });
    expect(measured.map(({ disaster }) => disaster)).toEqual([
      'corruption',
      'deletion',
      'partial',
      'ransomware',
      'new-server',
    ]);
  },
  LIMIT_MS,
);

test(
  '[M5] [M6] [M9] m2m-connector: one container down, the ledger corrupted, the machine gone: each back within its objective; a drill',
  async () => {
    const measured = await played('m2m-connector');
    expect(measured.map(({ disaster }) => disaster)).toEqual(['container', 'corruption', 'new-server']);
    expect(lostBy(measured)).toMatchObject({ container: 0 });
  },
  LIMIT_MS,
);

test(
  '[G2] [G3] [G5] [G7] btcdecoded: application, unit and database lost: assessment, recovery and validation bring them back',
  async () => {
    const [host] = await played('btcdecoded');
    expect(host?.disaster).toBe('host');
  },
  LIMIT_MS,
);

test(
  '[T1] [T2] [T9] [T12] tracktion: the database dropped, then audio files deleted: back to the moment before, then exactly what was missing; a drill',
  async () => {
    const measured = await played('tracktion');
    expect(measured.map(({ disaster }) => disaster)).toEqual(['database', 'audio']);
  },
  LIMIT_MS,
);
