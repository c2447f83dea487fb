import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../src/stores/index.ts';
import { rangeKey } from '../../src/vault/wal/names.ts';
import { listSuperseded, supersededRanges, type WalPiece } from '../../src/vault/wal/superseded.ts';

const place = { component: 'db', systemIdentifier: '7' };
const SEGMENT = 1024 * 1024;

function piece(from: number, to: number, storedAtMs = 1, timeline = 1): WalPiece {
  const range = { timeline, from: BigInt(from), to: BigInt(to) };
  return { ...range, key: rangeKey(place, range, SEGMENT), storedAtMs };
}

const pieces = fc
  .uniqueArray(fc.tuple(fc.nat({ max: 15 }), fc.integer({ min: 1, max: 16 })), { selector: String, maxLength: 12 })
  .map((pairs) => pairs.filter(([from, to]) => from < to).map(([from, to]) => piece(from, to)));

const positions = (of: readonly WalPiece[]): Set<bigint> =>
  new Set(of.flatMap(({ from, to }) => Array.from({ length: Number(to - from) }, (_, at) => from + BigInt(at))));

describe('pieces of a write-ahead log that a longer one holds', () => {
  it('a block filled up: every piece from before is superseded by it, since it came', () => {
    const [a, b, whole] = [piece(0, 3), piece(3, 5), piece(0, 8, 9)];
    expect(supersededRanges([a, b, whole])).toEqual([
      { key: a.key, by: whole.key, sinceMs: 9 },
      { key: b.key, by: whole.key, sinceMs: 9 },
    ]);
    expect(supersededRanges([a, b])).toEqual([]);
    expect(supersededRanges([piece(0, 4), piece(3, 6)])).toEqual([]);
  });

  it('whatever goes: all positions stay covered, by pieces that stay, and asking again finds nothing', () => {
    fc.assert(
      fc.property(pieces, (all) => {
        const gone = supersededRanges(all);
        const names = new Set(gone.map(({ key }) => key));
        const kept = all.filter(({ key }) => !names.has(key));
        expect(positions(kept)).toEqual(positions(all));
        for (const { key, by } of gone) {
          const [one, other] = [key, by].map((name) => all.find((each) => each.key === name));
          expect(kept).toContain(other);
          expect(one !== undefined && other !== undefined && other.from <= one.from && other.to >= one.to).toBe(true);
        }
        expect(supersededRanges(kept)).toEqual([]);
        expect(new Set(supersededRanges(all.toReversed()).map(({ key }) => key))).toEqual(names);
      }),
    );
  });

  it('a listing of several segments and timelines: only within one', async () => {
    const all = [piece(0, 9), piece(0, SEGMENT), piece(SEGMENT, SEGMENT + 9), piece(2, 5, 1, 2)];
    const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-superseded-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    for (const key of [...all.map((each) => each.key), 'wal/db/7/00000002/00000002.history']) {
      await mkdir(path.dirname(path.join(directory, key)), { recursive: true });
      await writeFile(path.join(directory, key), 'x');
    }
    const config = { name: 'disk', kind: 'directory', path: directory, mustBeMounted: false } as const;
    const store = await openStore(config, () => Promise.reject(new Error('a directory needs no secret')));
    const found = [];
    for await (const one of listSuperseded(store, 'db', new AbortController().signal)) found.push(one);
    await store.close();
    expect(found).toMatchObject([{ key: piece(0, 9).key, by: piece(0, SEGMENT).key }]);
  });
});
