import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LifecycleRule } from '../../src/policy/bucket-lifecycle.ts';
import { planSetup, type BucketState, type BucketWishes, type SetupStep } from '../../src/policy/bucket-setup.ts';

const DAY = 86_400;
const ROLE = 'arn:aws:iam::1:role/replicate';
const bare: BucketState = {
  exists: true,
  versioning: 'never',
  lock: 'none',
  encryption: 'none',
  publicAccess: 'open',
  lifecycle: [],
  replication: 'none',
};
const wishes: BucketWishes = { prefix: 'shop', keepVersionsDays: 30 };

const mode = fc.constantFrom('governance' as const, 'compliance' as const);
const foreign: fc.Arbitrary<LifecycleRule> = fc.record({
  ID: fc.constantFrom('theirs', 'old logs', 'archive'),
  Status: fc.constantFrom('Enabled', 'Disabled'),
  Filter: fc.constantFrom({ Prefix: '' }, { Prefix: 'shop/' }, { Prefix: 'logs/' }, { Prefix: 'shop/chunks/' }),
  Expiration: fc.constantFrom(undefined, { Days: 30 }),
});
const states: fc.Arbitrary<BucketState> = fc.record({
  exists: fc.boolean(),
  versioning: fc.constantFrom('enabled', 'suspended', 'never', 'untold'),
  lock: fc.oneof(
    fc.record({ mode, days: fc.integer({ min: 1, max: 400 }) }),
    fc.constantFrom('without default' as const, 'none' as const, 'untold' as const),
  ),
  encryption: fc.oneof(
    fc.constantFrom('none' as const, 'untold' as const, { algorithm: 'AES256' }),
    fc.constant({ algorithm: 'aws:kms', kmsKey: 'k1' }),
  ),
  publicAccess: fc.constantFrom('blocked', 'open', 'untold'),
  lifecycle: fc.oneof(fc.constant('untold' as const), fc.array(foreign, { maxLength: 3 })),
  replication: fc.constantFrom('none' as const, 'untold' as const, { role: ROLE, rules: [] }),
});
const asked: fc.Arbitrary<BucketWishes> = fc.record({
  prefix: fc.constantFrom('', 'shop', 'shop/a'),
  immutable: fc.option(fc.record({ mode, forSeconds: fc.integer({ min: 1, max: 400 * DAY }) }), { nil: undefined }),
  kmsKey: fc.constantFrom(undefined, 'k1', 'k2'),
  keepVersionsDays: fc.integer({ min: 1, max: 90 }),
  replicate: fc.constantFrom(undefined, { to: 'arn:aws:s3:::far', role: ROLE }),
});

/** What a bucket has after a step, as S3 keeps it. */
function made(state: BucketState, { change }: SetupStep): BucketState {
  switch (change.kind) {
    case 'create':
      return { ...bare, ...(change.lock ? { lock: 'without default', versioning: 'enabled' } : {}) };
    case 'versioning':
      return { ...state, versioning: 'enabled' };
    case 'lock':
      return { ...state, lock: { mode: change.mode, days: change.days } };
    case 'encryption': {
      const { kmsKey } = change;
      return {
        ...state,
        encryption: kmsKey === undefined ? { algorithm: 'AES256' } : { algorithm: 'aws:kms', kmsKey },
      };
    }
    case 'public access':
      return { ...state, publicAccess: 'blocked' };
    case 'lifecycle':
      return { ...state, lifecycle: change.rules };
    case 'replication':
      return { ...state, replication: change.replication };
  }
}

describe('setting up a bucket', () => {
  it('whatever it has and should have: once the steps are made nothing is left to change', () => {
    fc.assert(
      fc.property(states, asked, (state, wish) => {
        const after = planSetup(state, wish).steps.reduce(made, state);
        expect(planSetup(after, wish).steps).toEqual([]);
      }),
    );
  });

  it('whatever it has: a lock gets neither weaker nor shorter, rules of others stay, none of ours touches current objects', () => {
    fc.assert(
      fc.property(states, asked, (state, wish) => {
        for (const { change } of planSetup(state, wish).steps) {
          if (change.kind === 'lock' && state.exists && typeof state.lock === 'object') {
            expect(change.days).toBeGreaterThanOrEqual(state.lock.days);
            if (state.lock.mode === 'compliance') expect(change.mode).toBe('compliance');
          }
          if (change.kind !== 'lifecycle') continue;
          const before = state.exists && state.lifecycle !== 'untold' ? state.lifecycle : [];
          expect(change.rules.slice(0, -1)).toEqual(before);
          const ours = change.rules.at(-1);
          expect(ours?.Expiration).toEqual({ ExpiredObjectDeleteMarker: true });
          expect(ours?.Transitions).toBeUndefined();
        }
      }),
    );
  });

  it('a bucket that is not there: is made, with locks when they are asked for, and gets everything', () => {
    const immutable = { mode: 'compliance', forSeconds: 30 * DAY } as const;
    const { steps } = planSetup({ ...bare, exists: false }, { ...wishes, immutable });
    expect(steps.map(({ change }) => change.kind)).toEqual([
      'create',
      'versioning',
      'lock',
      'encryption',
      'public access',
      'lifecycle',
    ]);
    expect(steps[0]?.change).toEqual({ kind: 'create', lock: true });
  });

  it.each<[string, LifecycleRule, RegExp | undefined]>([
    [
      'deletes all',
      { ID: 'r', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 90 } },
      /deletes objects .* after 90 days/,
    ],
    [
      'deletes chunks',
      { ID: 'r', Status: 'Enabled', Prefix: 'shop/chunks/', Expiration: { Days: 9 } },
      /deletes objects/,
    ],
    [
      'freezes all',
      { ID: 'r', Status: 'Enabled', Transitions: [{ StorageClass: 'GLACIER' }] },
      /moves objects .* to GLACIER/,
    ],
    ['is off', { ID: 'r', Status: 'Disabled', Filter: { Prefix: '' }, Expiration: { Days: 90 } }, undefined],
    ['is of others', { ID: 'r', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 90 } }, undefined],
    [
      'asks for tags',
      { ID: 'r', Status: 'Enabled', Filter: { Tag: { Key: 'a', Value: 'b' } }, Expiration: { Days: 9 } },
      undefined,
    ],
    [
      'keeps current ones',
      { ID: 'r', Status: 'Enabled', NoncurrentVersionExpiration: { NoncurrentDays: 1 } },
      undefined,
    ],
    ['is only cheaper', { ID: 'r', Status: 'Enabled', Transitions: [{ StorageClass: 'STANDARD_IA' }] }, undefined],
  ])('a rule of others that %s: is told when it endangers backups', (_, rule, danger) => {
    const { dangers } = planSetup({ ...bare, lifecycle: [rule] }, wishes);
    expect(dangers).toEqual(danger === undefined ? [] : [expect.stringMatching(danger)]);
  });

  it('replication [M4]: infrequent access at the destination, delete marks do not follow, rules of others keep their place', () => {
    const theirs = { ID: 'theirs', Status: 'Enabled', Priority: 4, Destination: { Bucket: 'arn:aws:s3:::x' } };
    const replicate = { to: 'arn:aws:s3:::far', role: ROLE };
    const state: BucketState = { ...bare, replication: { role: ROLE, rules: [theirs] } };
    const step = planSetup(state, { ...wishes, replicate }).steps.find(({ change }) => change.kind === 'replication');
    expect(step?.change).toEqual({
      kind: 'replication',
      replication: {
        role: ROLE,
        rules: [
          theirs,
          {
            ID: 'holdfast shop',
            Status: 'Enabled',
            Priority: 5,
            Filter: { Prefix: 'shop/' },
            DeleteMarkerReplication: { Status: 'Disabled' },
            Destination: { Bucket: 'arn:aws:s3:::far', StorageClass: 'STANDARD_IA' },
          },
        ],
      },
    });
    const other = planSetup({ ...bare, replication: { role: 'another', rules: [theirs] } }, { ...wishes, replicate });
    expect(other.steps.some(({ change }) => change.kind === 'replication')).toBe(false);
    expect(other.notes.join()).toContain('another');
  });

  it('replication of a bucket that KMS encrypts already: is not promised, because nothing would be replicated', () => {
    const replicate = { to: 'arn:aws:s3:::far', role: ROLE };
    for (const encryption of [{ algorithm: 'aws:kms' }, { algorithm: 'aws:kms:dsse', kmsKey: 'k' }]) {
      const { steps, notes } = planSetup({ ...bare, encryption }, { ...wishes, replicate });
      expect(steps.map(({ change }) => change.kind)).not.toContain('replication');
      expect(notes.join()).toContain('need a key at their place');
    }
  });
});
