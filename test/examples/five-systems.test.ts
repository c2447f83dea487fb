/**
 * The five systems of `examples/` as their pages tell them, from beginning to end: up, backed up, broken, brought back, compared
 * with what their users had acknowledged. Minutes each, so that `npm test` leaves them to `npm run scenario`.
 */
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

/** Every claim of the story holds, or it throws; what is left to see is that each disaster was one of its own. */
async function played(name: string): Promise<readonly Measured[]> {
  const example = EXAMPLES[name];
  if (example === undefined) throw new Error(`no example ${name}`);
  const { measured } = await playExample(example, cleanup);
  for (const { rtoSeconds, rpoSeconds, objective, kept } of measured) {
    expect(rtoSeconds).toBeLessThanOrEqual(objective.rtoSeconds);
    expect(rpoSeconds).toBeLessThanOrEqual(objective.rpoSeconds);
    expect(kept).toBeGreaterThan(0);
  }
  expect(await cleanup.run()).toBe(true);
  const { Volumes } = await new Docker().listVolumes();
  expect(Volumes.filter(({ Name }) => Name.startsWith(`example-${name}-`))).toEqual([]);
  return measured;
}

const lostBy = (measured: readonly Measured[]) =>
  Object.fromEntries(measured.map(({ disaster, lost }) => [disaster, lost]));

test(
  '[W1] [W2] [W4] watan: deposits of some users deleted, then every table garbled: rows put back while others work, then all of it swapped',
  async () => {
    const measured = await played('watan');
    expect(measured.map(({ disaster }) => disaster)).toEqual(['wallets', 'full']);
  },
  LIMIT_MS,
);

test(
  '[B1] [B7] [B8] tbcv: the file corrupted, then rows deleted: level 1 within its hour, and only the deleted rows put back',
  async () => {
    const measured = await played('tbcv');
    expect(lostBy(measured)).toMatchObject({ deletion: 0 });
  },
  LIMIT_MS,
);

test(
  '[M5] [M6] m2m-connector: one container down, the ledger corrupted, the machine gone: each back within its objective',
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
  '[T1] [T2] [T9] tracktion: the database dropped, then audio files deleted: back to the moment before, then exactly what was missing',
  async () => {
    const measured = await played('tracktion');
    expect(measured.map(({ disaster }) => disaster)).toEqual(['database', 'audio']);
  },
  LIMIT_MS,
);
