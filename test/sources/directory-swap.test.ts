import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SwapOptions } from '../../src/sources/directory-swap.ts';
import { findSwap, openSwap } from '../../src/sources/directory-swap.ts';

let base: string;
let journals: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-swap-'));
  journals = join(base, 'state', 'swaps');
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

class Crash extends Error {}

/** Counts the steps, and dies before one of them. */
function dyingBefore(step: number): { options: (more: SwapOptions) => SwapOptions; steps: () => number } {
  let seen = 0;
  return {
    options: (more) => ({
      ...more,
      beforeStep: () => {
        seen += 1;
        if (seen === step) throw new Crash();
      },
    }),
    steps: () => seen,
  };
}

function makePair(name: string, live: boolean): { live: string; beside: string } {
  const pair = { live: join(base, name), beside: join(base, `.${name}-beside`) };
  if (live) mkdirSync(pair.live);
  if (live) writeFileSync(join(pair.live, 'data'), 'old');
  mkdirSync(pair.beside);
  writeFileSync(join(pair.beside, 'data'), 'new');
  return pair;
}

const read = (directory: string): string | undefined =>
  existsSync(directory) ? readFileSync(join(directory, 'data'), 'utf8') : undefined;

describe.each([
  { way: 'exchange', withoutExchange: false },
  { way: 'three renames', withoutExchange: true },
])('by $way', ({ withoutExchange }) => {
  test.each([{ live: true }, { live: false }])(
    'a crash before any step of a swap (live state there: $live): repeating it, or undoing it, ends whole',
    async ({ live }) => {
      const old = live ? 'old' : undefined;
      for (const ending of ['swap', 'undo'] as const) {
        let crashed = true;
        for (let step = 1; crashed; step += 1) {
          const pairs = [makePair(`a${ending}${step}`, live), makePair(`b${ending}${step}`, live)];
          const dying = dyingBefore(step);
          const id = `${ending}-${step}`;
          crashed = await (await openOrCrash(id, pairs, dying.options({ withoutExchange })))();
          if (withoutExchange) expect(live && pairs.some((pair) => lost(pair.live, id))).toBe(false);
          else expect(pairs.map((pair) => read(pair.live)).every((text) => text === 'new' || text === old)).toBe(true);

          const again = await openSwap(journals, id, pairs, { withoutExchange });
          await again[ending]();
          await again[ending]();
          expect(pairs.map((pair) => read(pair.live))).toEqual(ending === 'swap' ? ['new', 'new'] : [old, old]);
          expect(pairs.map((pair) => read(pair.beside))).toEqual(ending === 'swap' ? [old, old] : ['new', 'new']);
          await again.close();
          await again.close();
          expect(await findSwap(journals, id)).toBeUndefined();
        }
      }
      expect(readdirSync(base).filter((name) => name.startsWith('.holdfast-spare'))).toEqual([]);
    },
  );

  test('a crash before any step of an undo: repeating it brings the old state back', async () => {
    let crashed = true;
    for (let step = 1; crashed; step += 1) {
      const pairs = [makePair(`a${step}`, true), makePair(`b${step}`, false)];
      const id = `undo-${step}`;
      await (await openSwap(journals, id, pairs, { withoutExchange })).swap();
      const found = await findSwap(journals, id, dyingBefore(step).options({ withoutExchange }));
      crashed = await crashes(async () => found?.undo());
      await (await findSwap(journals, id, { withoutExchange }))?.undo();
      expect(pairs.map((pair) => read(pair.live))).toEqual(['old', undefined]);
      expect(pairs.map((pair) => read(pair.beside))).toEqual(['new', 'new']);
    }
  });
});

test('a live state that somebody replaced after the journal was written: the swap refuses and touches nothing', async () => {
  const pair = makePair('a', true);
  const swap = await openSwap(journals, 'x', [pair]);
  // Renamed away, so that its inode number can't be used again.
  mkdirSync(join(base, 'away'));
  mkdirSync(join(base, 'other'));
  writeFileSync(join(base, 'other', 'data'), 'foreign');
  const { renameSync } = await import('node:fs');
  renameSync(pair.live, join(base, 'away', 'a'));
  renameSync(join(base, 'other'), pair.live);
  await expect(swap.swap()).rejects.toMatchObject({ code: 'PlanChanged' });
  expect([read(pair.live), read(pair.beside)]).toEqual(['foreign', 'new']);
});

test('no copy beside: the swap does not open', async () => {
  await expect(
    openSwap(journals, 'x', [{ live: join(base, 'a'), beside: join(base, 'nothing') }]),
  ).rejects.toMatchObject({ code: 'SourceMissing' });
});

/** Without an exchange the live name may be absent for a moment, but then the old state lies under the spare one. */
function lost(live: string, id: string): boolean {
  if (existsSync(live)) return false;
  return !readdirSync(base).some((name) => name.startsWith(`.holdfast-spare-${id}-`));
}

async function openOrCrash(
  id: string,
  pairs: readonly { live: string; beside: string }[],
  options: SwapOptions,
): Promise<() => Promise<boolean>> {
  try {
    const swap = await openSwap(journals, id, pairs, options);
    return async () => crashes(async () => swap.swap());
  } catch (error) {
    if (error instanceof Crash) return () => Promise.resolve(true);
    throw error;
  }
}

async function crashes(run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run();
    return false;
  } catch (error) {
    if (error instanceof Error && (error instanceof Crash || error.cause instanceof Crash)) return true;
    throw error;
  }
}
