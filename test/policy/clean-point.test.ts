import { createHash, randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decideCleanPoint,
  judgeChanges,
  nextToLook,
  settleChanges,
  stateOf,
  type BackupVerdict,
  type ChangeFacts,
  type CleanCheck,
} from '../../src/policy/clean-point.ts';
import { whyNoRoom } from '../../src/policy/scratch-room.ts';
import { entropyOf, isDenseByNature, judgeEntropy, looksLikeNoise, ransomName } from '../../src/policy/entropy.ts';

const states = fc.constantFrom('clean', 'suspect', 'bad', 'unknown' as const);
const verdicts = fc.array(states, { maxLength: 12 }).map((all) =>
  all.map((state, index): BackupVerdict => {
    return { backup: `b${index}`, pointAt: new Date(index * 3_600_000).toISOString(), state, checks: [] };
  }),
);

describe('the newest clean backup', () => {
  test('any verdicts in any order: the newest clean one is named, and every other by what was found in it [B8]', () => {
    fc.assert(
      fc.property(verdicts, fc.integer(), (all, seed) => {
        const shuffled = all.toSorted((a, b) => hash(`${seed}${a.backup}`) - hash(`${seed}${b.backup}`));
        const { newestClean, notClean, undecided } = decideCleanPoint(shuffled);
        const clean = all.filter(({ state }) => state === 'clean').map(({ backup }) => backup);
        expect(newestClean).toBe(clean.at(-1));
        const bad = all.filter(({ state }) => state === 'bad' || state === 'suspect').map(({ backup }) => backup);
        expect(notClean).toEqual(bad.toReversed());
        expect(notClean.length + undecided.length + clean.length).toBe(all.length);
      }),
    );
  });

  test('more evidence against a backup never makes it clean; nothing but a restore never does', () => {
    const check = fc.record({
      component: fc.constantFrom('a', 'b'),
      name: fc.constantFrom('restored', 'command', 'query', 'entropy', 'changes' as const),
      state: fc.constantFrom('clean', 'suspect', 'bad', 'unknown', 'skipped' as const),
      detail: fc.constant(''),
    });
    fc.assert(
      fc.property(fc.array(check), fc.constantFrom('suspect', 'bad', 'unknown' as const), (checks, worse) => {
        const more: CleanCheck = { component: 'a', name: 'query', state: worse, detail: '' };
        expect(stateOf([...checks, more], ['a', 'b'])).not.toBe('clean');
        const onlyRestored = checks.filter(({ name }) => name === 'restored');
        expect(stateOf(onlyRestored, ['a', 'b'])).not.toBe('clean');
      }),
    );
  });

  test('all: each once, newest first; bisect: the boundary in few looks, where what has come has stayed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(60), (count, firstBad) => {
        const clean = (index: number): boolean => count - 1 - index < firstBad;
        const look = (way: 'all' | 'bisect') => {
          const seen: (boolean | undefined)[] = Array.from({ length: count }, () => undefined);
          const order: number[] = [];
          for (let next = nextToLook(seen, way); next !== undefined; next = nextToLook(seen, way)) {
            expect(seen[next]).toBe(undefined);
            seen[next] = clean(next);
            order.push(next);
          }
          return { order, newest: seen.indexOf(true) };
        };
        const every = look('all');
        expect(every.order).toEqual(Array.from({ length: count }, (_, index) => index));
        const half = look('bisect');
        expect(half.newest).toBe(every.newest);
        expect(half.order.length).toBeLessThanOrEqual(Math.ceil(Math.log2(count + 1)) + 1);
      }),
    );
  });
});

const facts = (index: number, chunksNew: number, more: Partial<ChangeFacts> = {}): ChangeFacts => {
  return { backup: `b${index}`, chunksNew, chunksReused: 100 - chunksNew, lengthBytes: 1000, epoch: 'e', ...more };
};

describe('how much changed', () => {
  test('a backup that is nearly all new after quiet ones, or has shrunk: suspect; the first of an epoch says nothing', () => {
    const quiet = [100, 2, 3, 1, 2].map((chunksNew, index) => facts(index, chunksNew));
    const judged = judgeChanges([...quiet, facts(5, 96), facts(6, 1), facts(7, 1, { lengthBytes: 300 })]);
    expect([...judged.values()].map(({ state }) => state)).toEqual([
      ...['skipped', 'skipped', 'skipped', 'skipped', 'clean'],
      ...['suspect', 'clean', 'suspect'],
    ]);
    expect(judged.get('b5')?.detail).toBe('96 % of it was new, against 2 % in the 4 before');
    expect(judgeChanges([...quiet, facts(5, 100, { epoch: 'f' })]).get('b5')?.state).toBe('skipped');
  });

  test('after a jump the later ones stay suspect, until their files were compared and found readable', () => {
    const check = (name: 'changes' | 'entropy', state: CleanCheck['state']): CleanCheck => {
      return { component: 'c', name, state, detail: name };
    };
    const settled = settleChanges([
      { backup: 'b0', changes: check('changes', 'clean') },
      { backup: 'b1', changes: check('changes', 'suspect') },
      { backup: 'b2', changes: check('changes', 'clean') },
      { backup: 'b3', changes: check('changes', 'clean'), entropy: check('entropy', 'clean') },
      { backup: 'b4', changes: check('changes', 'suspect'), entropy: check('entropy', 'clean') },
      { backup: 'b5', changes: check('changes', 'clean') },
    ]);
    expect([...settled.values()].map(({ state }) => state)).toEqual(
      'clean suspect suspect clean clean clean'.split(' '),
    );
  });
});

describe('noise', () => {
  const isNoise = (bytes: Buffer): boolean => {
    const counts = new Uint32Array(256);
    for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
    return looksLikeNoise(entropyOf(counts, bytes.length), bytes.length);
  };

  test('random bytes of any size are noise, and text, tables and programs are none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 512, max: 70_000 }), (bytes) => {
        expect(isNoise(randomBytes(bytes))).toBe(true);
      }),
      { numRuns: 300 },
    );
    const words = Array.from({ length: 4000 }, (_, index) => createHash('md5').update(String(index)).digest('hex'));
    for (const text of [words.join('\n'), JSON.stringify(words), words.map((_, index) => `${index},7\n`).join('')]) {
      expect(isNoise(Buffer.from(text))).toBe(false);
    }
    expect(isNoise(deflateRawSync(words.join(' ')))).toBe(true);
    expect(isDenseByNature('1f8b0800')).toBe(true);
    expect(isDenseByNature('0000001866747970')).toBe(true);
    expect(isDenseByNature('7b226122')).toBe(false);
  });

  test('names of hostages and notes, and such as only resemble them', () => {
    expect(['a.docx.locked', 'x.wncry', 'HOW_TO_DECRYPT.txt', 'readme-to-restore.html'].map(ransomName)).toEqual(
      'ending ending note note'.split(' '),
    );
    expect(['README.md', 'a.lock', 'encrypted', 'invoice.pdf', 'restore.sh'].map(ransomName)).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
  });

  test('few files that became unreadable are no attack; many are, in place or under new names', () => {
    const quiet = {
      before: 1000,
      becameNoise: 2,
      gone: 5,
      newNoise: 2,
      ransomNames: 0,
      ransomNotes: 0,
      noiseNow: 9,
      toldNow: 1000,
    };
    expect(judgeEntropy(quiet).state).toBe('clean');
    expect(judgeEntropy({ ...quiet, becameNoise: 60 }).state).toBe('suspect');
    expect(judgeEntropy({ ...quiet, gone: 400, newNoise: 400 }).state).toBe('suspect');
    expect(judgeEntropy({ ...quiet, ransomNames: 3 }).state).toBe('suspect');
    expect(judgeEntropy({ ...quiet, ransomNotes: 1 }).state).toBe('suspect');
    expect(judgeEntropy({ ...quiet, becameNoise: 0, gone: 0, newNoise: 0, ransomNotes: 1 }).state).toBe('clean');
    expect(judgeEntropy({ ...quiet, becameNoise: 0, noiseNow: 900 }).state).toBe('unknown');
  });
});

function hash(text: string): number {
  return createHash('md5').update(text).digest().readUInt32BE();
}

test('a scratch copy beside what is live: refused with its numbers when it would leave no room [B8]', () => {
  const disk = { directory: '/srv', freeBytes: 10 * 1024 ** 3, totalBytes: 40 * 1024 ** 3 };
  expect(whyNoRoom('a copy of uploads', 8 * 1024 ** 3, disk)).toBeUndefined();
  expect(whyNoRoom('a copy of uploads', 9 * 1024 ** 3, disk)).toBe(
    'a copy of uploads takes 9 GiB, and 2 GiB stay free for what is live; /srv has 10 GiB',
  );
  // Never more than is sensible on a large disk.
  expect(whyNoRoom('a copy', 4 * 1024 ** 3, { ...disk, totalBytes: 10 * 1024 ** 4 })).toBeUndefined();
});
