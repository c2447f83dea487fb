/** Damage of one object, anywhere: the level that promises to find it does, and nothing else is told. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { badOf, DAMAGES, look, makeRottenVault, ruin, type Damage, type RottenVault } from '../support/bit-rot.ts';

/** Many more with HOLDFAST_ROT_RUNS. */
const RUNS = Number(process.env['HOLDFAST_ROT_RUNS'] ?? 15);

let rotten: RottenVault;

beforeAll(async () => {
  rotten = await makeRottenVault();
});

afterAll(async () => {
  await rotten.vault[Symbol.asyncDispose]();
});

/** Nothing else names them, and nothing hangs on them; of a log the ends, and the last of the signers, are in other stores. */
const UNMISSED = [
  'proofs',
  'captures',
  'holds',
  'audit',
  'log range',
  'log history',
  'signers',
  'sweep plan',
  'sweep marks',
  'condemned',
];

const kindsOfObject = [
  'chunks',
  'leaf list',
  'inner list',
  'sums',
  'backups',
  'proofs',
  'keys',
  'signers',
  'captures',
  'log range',
  'log history',
  'log gap',
  'holds',
  'audit',
  'sweep plan',
  'sweep marks',
  'condemned',
  'holdfast.json',
  'RECOVERY.md',
] as const;

const damaged = fc.record({
  kind: fc.constantFrom(...kindsOfObject),
  damage: fc.constantFrom<Damage>(...DAMAGES),
  index: fc.nat(),
  other: fc.nat(),
  position: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  bit: fc.integer({ min: 0, max: 7 }),
  withIdentity: fc.boolean(),
});

function pick(keys: readonly string[] | undefined, index: number): string {
  const key = keys?.[index % keys.length];
  if (key === undefined) throw new Error('the vault has no object of this kind');
  return key;
}

describe('[M6] bit rot in a whole store', () => {
  test('the vault under test has every kind of object, and a whole one has nothing bad', async () => {
    expect([...rotten.kinds.keys()].toSorted()).toEqual([...kindsOfObject].toSorted());
    for (const withIdentity of [false, true]) {
      const records = await look(rotten.vault, { withIdentity });
      expect(badOf(records)).toEqual([]);
      expect(records.every(({ ok }) => ok)).toBe(true);
      expect(records.reduce((sum, { unjudged }) => sum + unjudged, 0)).toBe(0);
      expect(records.reduce((sum, { objectsChecked }) => sum + objectsChecked, 0)).toBeGreaterThan(150);
    }
  });

  test('a bit flipped, an end cut off, nothing left, another object in its place, gone: told, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(damaged, async ({ kind, damage, index, other, position, bit, withIdentity }) => {
        if (damage === 'deleted' && UNMISSED.includes(kind)) return;
        const key = pick(rotten.kinds.get(kind), index);
        // Of what there is one of, another kind of object takes its place.
        const same = rotten.kinds.get(kind) ?? [];
        const replacement = pick(same.length > 1 ? same : rotten.kinds.get('keys'), other);
        const path = rotten.vault.storePath;
        const undo = await ruin(path, key, damage, { position, bit, other: replacement });
        if (undo === undefined) return;
        try {
          const found = badOf(await look(rotten.vault, { withIdentity })).map((bad) => bad.key);
          // Of a compressed node of checksums some bits say nothing: then it still has the content of its name.
          const isHarmless = kind === 'sums' && damage === 'flipped' && found.length === 0;
          if (!isHarmless) expect([...new Set(found)]).toEqual([key]);
        } finally {
          await undo();
        }
      }),
      { numRuns: RUNS },
    );
  });
});
