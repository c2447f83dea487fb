import fc from 'fast-check';
import { expect, test } from 'vitest';
import { auditedEnd } from '../../src/policy/audited-ends.ts';
import { changesOf } from '../../src/policy/file-changes.ts';

test('ends for the audit log: what changed something, with why; not what only looked', () => {
  expect(auditedEnd('restore', { outcome: 'restored', plan: { digest: 'd' } })).toEqual({
    outcome: 'restored',
    digest: 'd',
  });
  expect(auditedEnd('prune', { outcome: 'failed', failure: { message: 'gone' } })).toEqual({
    outcome: 'failed',
    why: 'gone',
  });
  expect(auditedEnd('prune', { outcome: 'nothing' })).toBeUndefined();
  expect(auditedEnd('restore', { outcome: 'planned' })).toBeUndefined();
  expect(auditedEnd('backup', { outcome: 'done' })).toBeUndefined();
});

test('a store was read: only what was replaced or put aside in it is for the audit log', () => {
  const bad = (outcome: string) => ({ key: 'k', outcome });
  const stores = [
    { store: 'nas', bad: [bad('healed'), bad('healed'), bad('removed')] },
    { store: 'cloud', bad: [bad('found'), bad('left')] },
  ];
  expect(auditedEnd('verifyStore', { ok: false, stores })).toEqual({
    outcome: 'healed',
    about: '2 objects of nas replaced, 1 objects of nas put aside',
  });
  expect(auditedEnd('verifyStore', { ok: true, stores: stores.slice(1) })).toBeUndefined();
});

test('a changed file: what became weaker is named with its values, what could tell a secret or a place is not', () => {
  const before = {
    approval: { fourEyes: true },
    plans: { daily: { keep: { daily: 7 }, stores: ['nas', 'cloud'] } },
    stores: { nas: { url: 'postgres://ana:geheim@db' }, cloud: {} },
  };
  const after = {
    plans: { daily: { keep: { daily: 1 }, stores: ['nas'] } },
    approval: { fourEyes: false },
    stores: { nas: { url: 'postgres://ana:noch@db' } },
    keepAside: '1h',
  };
  expect(changesOf(before, after)).toEqual([
    'approval.fourEyes: true → false',
    'keepAside: 1h, new',
    'plans.daily.keep.daily: 7 → 1',
    'plans.daily.stores.1: a value, gone',
    'stores.cloud: a value, gone',
    'stores.nas.url: changed',
  ]);
});

test('any file against itself, also after it was written out and read: no change', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(changesOf(value, JSON.parse(JSON.stringify(value)))).toEqual([]);
    }),
  );
});
