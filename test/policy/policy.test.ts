import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeApproval, needsApproval, shortDigest } from '../../src/policy/approval.ts';
import { canonicalJson } from '../../src/policy/canonical.ts';
import { planDigest, type DigestedPlan } from '../../src/policy/digest.ts';
import { freshness, type BackupFact } from '../../src/policy/freshness.ts';
import { captureGroups, restoreOrder } from '../../src/policy/order.ts';
import type { Component, Plan, System } from '../../src/system/types.ts';

const TIERS = ['critical', 'important', 'reference'] as const;
const base = { tier: 'important' as const, host: 'a', after: [] };

function volume(name: string, options: Partial<Extract<Component, { kind: 'volume' }>> = {}): Component {
  const quiesce = { mode: 'pause' as const, budgetSeconds: 30 };
  return { ...base, kind: 'volume', name, volume: name, quiesce, exclude: [], ...options };
}

function sqlite(name: string, options: Partial<Extract<Component, { kind: 'sqlite' }>> = {}): Component {
  return { ...base, kind: 'sqlite', name, path: `/${name}.db`, requiredTables: [], usedBy: [], ...options };
}

function plan(components: readonly string[], options: Partial<Plan> = {}): Plan {
  return { name: 'p', components, onChange: false, stores: ['s'], keepIn: {}, verify: 'presence', ...options };
}

const system = (components: readonly Component[]): Pick<System, 'components'> => ({ components });

/** Components whose `after` only points backwards, in a random order: no circle. */
const acyclic = fc
  .array(
    fc.record({ tier: fc.constantFrom(...TIERS), back: fc.array(fc.nat(), { maxLength: 3 }), compose: fc.boolean() }),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  .chain((rows) => {
    const components = rows.map(({ tier, back, compose }, index) => ({
      name: `c${index}`,
      kind: compose ? ('compose' as const) : ('volume' as const),
      tier,
      after: index === 0 ? [] : [...new Set(back.map((step) => `c${step % index}`))],
    }));
    return fc.shuffledSubarray(components, { minLength: components.length });
  });

describe('restore order', () => {
  it('any components without a circle: each comes after all it names, and none is lost', () => {
    fc.assert(
      fc.property(acyclic, (components) => {
        const order = restoreOrder(components).map(({ name }) => name);
        expect(order.toSorted()).toEqual(components.map(({ name }) => name).toSorted());
        for (const { name, after } of components) {
          for (const other of after) expect(order.indexOf(other)).toBeLessThan(order.indexOf(name));
        }
      }),
    );
  });

  it('only a part is restored: names outside it hold nothing up', () => {
    expect(restoreOrder([volume('a', { after: ['gone'] })]).map(({ name }) => name)).toEqual(['a']);
  });

  it('components in a circle: refused with their names', () => {
    expect(() => restoreOrder([volume('a', { after: ['b'] }), volume('b', { after: ['a'] })])).toThrow(/a, b/);
  });

  it('[B2] nothing is named: critical first, and the Compose project last', () => {
    const compose = { name: 'stack', kind: 'compose' as const, tier: 'critical' as const, after: [] };
    const order = restoreOrder([compose, volume('late', { tier: 'reference' }), volume('first', { tier: 'critical' })]);
    expect(order.map(({ name }) => name)).toEqual(['first', 'late', 'stack']);
  });
});

describe('capture groups', () => {
  it('[M2] a plan that stops: everything of a host is captured inside one stop', () => {
    const components = [volume('ledger'), sqlite('wallet'), volume('other', { host: 'b' })];
    const stop = { mode: 'stop' as const, budgetSeconds: 600 };
    expect(captureGroups(system(components), plan(['wallet', 'ledger', 'other'], { quiesce: stop }))).toEqual([
      { host: 'a', components: ['ledger', 'wallet'], quiesce: stop },
      { host: 'b', components: ['other'], quiesce: stop },
    ]);
  });

  it('a ledger and a database of one tier without quiesce: the ledger is captured first', () => {
    const ledger = volume('ledger', {
      quiesce: { mode: 'none', budgetSeconds: 30 },
      check: { kind: 'ledger', file: 'f' },
    });
    const groups = captureGroups(system([sqlite('wallet'), ledger]), plan(['wallet', 'ledger']));
    expect(groups).toEqual([
      { host: 'a', components: ['ledger', 'wallet'], quiesce: { mode: 'none', budgetSeconds: 0 } },
    ]);
  });

  it('any plan: every component is in exactly one group of its host, critical before the rest', () => {
    const member = fc.record({
      tier: fc.constantFrom(...TIERS),
      host: fc.constantFrom('a', 'b'),
      mode: fc.constantFrom('pause' as const, 'stop' as const, 'none' as const),
    });
    fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 10 }), (members) => {
        const components = members.map(({ tier, host, mode }, index) =>
          volume(`c${index}`, { tier, host, quiesce: { mode, budgetSeconds: 30 } }),
        );
        const groups = captureGroups(system(components), plan(components.map(({ name }) => name)));
        const seen = groups.flatMap((group) => group.components);
        expect(seen.toSorted()).toEqual(components.map(({ name }) => name).toSorted());
        const rankOf = (name: string | undefined) =>
          TIERS.indexOf(components.find((component) => component.name === name)?.tier ?? 'critical');
        for (const group of groups) {
          for (const name of group.components) {
            expect(components.find((component) => component.name === name)?.host).toBe(group.host);
          }
          expect(group.components.map(rankOf)).toEqual(group.components.map(rankOf).toSorted());
        }
        const firsts = groups.map((group) => rankOf(group.components[0]));
        expect(firsts).toEqual(firsts.toSorted());
      }),
    );
  });
});

describe('plan digest and approval', () => {
  const restore: DigestedPlan = {
    system: 's',
    backup: 'b1',
    manifestKey: 'backups/daily/b1.json',
    store: 'nas',
    actions: [
      { component: 'ledger', action: 'stop', on: ['x', 'y'] },
      { component: 'ledger', action: 'swap', on: ['vol'] },
    ],
  };
  const current = { digest: planDigest(restore), deadlineMs: 1000 };

  it('keys in another order: canonical JSON is the same, and parses to the same value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('ages and the order of names differ: the same digest; any id or action differs: another', () => {
    const again = {
      ...restore,
      ageSeconds: 99,
      actions: [{ ...restore.actions[0], on: ['y', 'x'] }, restore.actions[1]],
    };
    expect(planDigest(again as DigestedPlan)).toBe(current.digest);
    const others: Partial<DigestedPlan>[] = [
      { system: 't' },
      { backup: 'b2' },
      { manifestKey: 'k' },
      { store: 'other' },
      { target: '/x' },
      { paths: ['a'] },
      { actions: restore.actions.slice(1) },
      { actions: restore.actions.toReversed() },
    ];
    const digests = others.map((other) => planDigest({ ...restore, ...other }));
    expect(new Set([current.digest, ...digests]).size).toBe(others.length + 1);
  });

  it('the digest in full or shortened, in time, with a name: approved', () => {
    expect(judgeApproval({ digest: current.digest, by: 'ana' }, current, 1000)).toEqual({ ok: true });
    expect(judgeApproval({ digest: shortDigest(current.digest), by: 'ana' }, current, 0)).toEqual({ ok: true });
  });

  it('another plan, too late, no name, too short: refused, each with its code', () => {
    const code = (digest: string, by: string, now: number) => {
      const judged = judgeApproval({ digest, by }, current, now);
      return judged.ok ? 'ok' : judged.code;
    };
    expect(code('0'.repeat(64), 'ana', 0)).toBe('PlanChanged');
    expect(code(current.digest, 'ana', 1001)).toBe('ApprovalExpired');
    expect(code(current.digest, ' ', 0)).toBe('BadInput');
    expect(code(current.digest.slice(0, 11), 'ana', 0)).toBe('BadInput');
    expect(code('', 'ana', 0)).toBe('BadInput');
  });

  it('a restore into a new place: nobody has to approve; a swap or a stop: somebody has', () => {
    expect(needsApproval([{ action: 'create' }, { action: 'restore' }])).toBe(false);
    expect(needsApproval([{ action: 'restore' }, { action: 'swap' }])).toBe(true);
    expect(needsApproval([{ action: 'stop' }])).toBe(true);
  });
});

describe('freshness', () => {
  const now = Date.parse('2026-03-01T12:00:00Z');
  const fact = (minutesAgo: number, options: Partial<BackupFact> = {}): BackupFact => ({
    id: `b${minutesAgo}`,
    pointAtMs: now - minutesAgo * 60_000,
    purpose: 'backup',
    trusted: true,
    ...options,
  });

  it('the newest is exactly as old as the objective: fresh; a second older: stale', () => {
    expect(freshness([fact(60), fact(300)], { rpoSeconds: 3600 }, now).state).toBe('fresh');
    expect(freshness([fact(60), fact(300)], { rpoSeconds: 3599 }, now)).toMatchObject({
      state: 'stale',
      ageSeconds: 3600,
    });
  });

  it('safety, kept apart, untrusted, failed and future backups: none of them counts', () => {
    const apart = fact(1, { apart: 'another site went on' });
    expect(freshness([apart], {}, now).why).toBe('no backup belongs to the history of the active site');
    const bad = [
      apart,
      fact(1, { purpose: 'safety' }),
      fact(1, { trusted: false }),
      fact(1, { verified: { level: 'content', ok: false } }),
      fact(-60),
    ];
    for (const one of bad) expect(freshness([one], { rpoSeconds: 3600 }, now).state).toBe('missing');
    expect(freshness([...bad, fact(200)], { rpoSeconds: 3600 }, now)).toMatchObject({
      state: 'stale',
      newest: { id: 'b200' },
    });
  });

  it('nothing at all: missing; no objective: unbounded', () => {
    expect(freshness([], { rpoSeconds: 1 }, now)).toMatchObject({ state: 'missing', why: 'there is no backup' });
    expect(freshness([fact(9999)], {}, now).state).toBe('unbounded');
  });

  it('time passes and nothing is captured: a plan never becomes fresher', () => {
    const rank = { fresh: 0, stale: 1, missing: 2, unbounded: 3 };
    fc.assert(
      fc.property(fc.array(fc.nat(5000)), fc.nat(5000), fc.nat(5000), (ages, rpoMinutes, later) => {
        const backups = ages.map((age) => fact(age));
        const objective = { rpoSeconds: rpoMinutes * 60 };
        const before = freshness(backups, objective, now);
        const after = freshness(backups, objective, now + later * 60_000);
        expect(rank[after.state]).toBeGreaterThanOrEqual(rank[before.state]);
      }),
    );
  });
});
