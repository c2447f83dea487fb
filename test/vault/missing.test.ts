/** Objects that nothing names: what was deleted is told by what it left, and nothing that never was there. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deletedManifests, type LeftByManifests } from '../../src/vault/verify/deleted-manifests.ts';
import { missingLog } from '../../src/vault/verify/log-holes.ts';
import { gapKey, historyKey, rangeKey } from '../../src/vault/wal/names.ts';

type Fate = 'there' | 'pruned' | 'deleted' | 'elsewhere' | 'unused' | 'abandoned';
const fates = fc.array(
  fc.record({
    fate: fc.constantFrom<Fate>('there', 'there', 'pruned', 'deleted', 'elsewhere', 'unused', 'abandoned'),
    verdict: fc.boolean(),
    copied: fc.boolean(),
  }),
  { minLength: 1, maxLength: 14 },
);

/** What a store looks like after one signer's captures, each with its fate; the hashes are those of the numbers. */
function storeOf(history: readonly { fate: Fate; verdict: boolean; copied: boolean }[]): {
  left: LeftByManifests;
  deleted: string[];
} {
  const links: LeftByManifests['links'][number][] = [];
  const pruned: { signer: string; sequence: number; sha256: string }[] = [];
  const prunedKeys = new Set<string>();
  const open: LeftByManifests['open'][number][] = [];
  const proved: string[] = [];
  const deleted: string[] = [];
  let sequence = 0;
  let lastSha: string | null = null;
  for (const [index, { fate, verdict, copied }] of history.entries()) {
    const key = `backups/daily/20261121T0300${String(index).padStart(2, '0')}Z-${String(index).padStart(12, '0')}.json`;
    const startedAtMs = index * 1000;
    const record = { manifestKey: key, signer: 's', startedAtMs, copy: false };
    if (fate === 'abandoned') {
      // Its process died before it had a number, and no sweep has settled it yet.
      open.push(record);
      continue;
    }
    sequence += 1;
    const sha256 = `sha ${sequence}`;
    // A number that was announced for a store out of reach and never arrived there.
    if (fate === 'unused') continue;
    const link = { signer: 's', sequence, sha256, previousSha256: lastSha, startedAtMs };
    lastSha = sha256;
    if (fate === 'there') links.push(link);
    if (fate === 'pruned') {
      pruned.push(link);
      prunedKeys.add(key);
      if (verdict) proved.push(key);
    }
    if (fate === 'deleted') {
      open.push(copied ? { ...record, elsewhere: 'away' } : record);
      if (verdict) proved.push(key);
      deleted.push(key);
    }
  }
  return { left: { links, pruned, prunedKeys, open, proved }, deleted };
}

describe('[M6] manifests that are gone', () => {
  test('any history of captures: what is told was deleted; with a verdict or a copy each is told', () => {
    fc.assert(
      fc.property(fates, (history) => {
        const { left, deleted } = storeOf(history);
        const found = [...deletedManifests(left).keys()];
        // Where a number is missing for another reason, a capture that died in its gap looks like a deleted backup.
        const has = (...fate: Fate[]): boolean => history.some((one) => fate.includes(one.fate));
        const ambiguous = has('abandoned') && has('elsewhere', 'unused');
        if (!ambiguous) expect(deleted).toEqual(expect.arrayContaining(found));
        const shown = deleted.filter((key) => {
          const one = history[Number(key.slice(-17, -5))];
          return one?.verdict === true || one?.copied === true;
        });
        expect(found).toEqual(expect.arrayContaining(shown));
      }),
    );
  });

  test('one in the middle, with nothing but its capture: its number tells; the newest without a verdict: nothing does', () => {
    const [there, gone] = [
      { fate: 'there', verdict: false, copied: false },
      { fate: 'deleted', verdict: false, copied: false },
    ] as const;
    const middle = storeOf([there, gone, there]);
    expect([...deletedManifests(middle.left).keys()]).toEqual(middle.deleted);
    expect(deletedManifests(storeOf([there, there, gone]).left).size).toBe(0);
    expect(deletedManifests(storeOf([there, { ...gone, fate: 'pruned' }, there]).left).size).toBe(0);
  });
});

const PLACE = { component: 'main', systemIdentifier: '7000001' };
const SEGMENT = 16 * 1024 * 1024;
const piece = (from: number, to: number): string =>
  rangeKey(PLACE, { timeline: 1, from: BigInt(SEGMENT + from), to: BigInt(SEGMENT + to) }, SEGMENT);
const gap = (from: number, to: number): string =>
  gapKey(PLACE, { timeline: 1, from: BigInt(SEGMENT + from), to: BigInt(SEGMENT + to) });

describe('[M6] pieces of a log that are gone', () => {
  const here = [piece(0, 10), gap(10, 20), piece(20, 30), piece(30, 40), piece(40, 50)];
  const keysOf = (log: readonly string[], beside: readonly string[] = [], isReceived = true): string[] =>
    missingLog('main', log, beside, isReceived).map(({ key }) => key);
  const without = (key: string): string[] => here.filter((one) => one !== key);

  test('a whole log, a gap that was written down, a copy that is behind: nothing is told', () => {
    expect(keysOf(here)).toEqual([]);
    expect(keysOf(here, here.slice(0, 2))).toEqual([]);
    expect(keysOf(here.slice(0, 3), here, false)).toEqual([]);
    // What a prune removed at the front.
    expect(keysOf(here.slice(2), here)).toEqual([]);
    // Covered by the block that it grew into.
    expect(keysOf([...here.slice(0, 2), piece(20, 40), piece(40, 50)], here)).toEqual([]);
  });

  test('a piece in the middle, or the note of a gap: told by its own name where another store has it, else by its place', () => {
    expect(keysOf(without(piece(30, 40)))).toEqual([gap(30, 40)]);
    expect(keysOf(without(piece(30, 40)), here)).toEqual([piece(30, 40)]);
    expect(keysOf(without(gap(10, 20)))).toEqual([gap(10, 20)]);
  });

  test('the newest piece: told when another store got it from here', () => {
    expect(keysOf(without(piece(40, 50)))).toEqual([]);
    expect(keysOf(without(piece(40, 50)), here)).toEqual([piece(40, 50)]);
  });

  test('log of a second timeline without its history: told', () => {
    const range = { timeline: 2, from: BigInt(SEGMENT + 50), to: BigInt(SEGMENT + 60) };
    const second = rangeKey(PLACE, range, SEGMENT);
    expect(keysOf([...here, second])).toEqual([historyKey(PLACE, 2)]);
    expect(keysOf([...here, historyKey(PLACE, 2), second])).toEqual([]);
  });
});
