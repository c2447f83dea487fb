import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FailureCode } from '../../src/failures.ts';
import {
  decideFallBack,
  moreLost,
  passedOverTexts,
  withBadParts,
  type FallBack,
  type FallBackRule,
  type FoundBad,
  type PassedOver,
} from '../../src/policy/fall-back.ts';
import { judgeRto } from '../../src/policy/rto.ts';
import {
  chooseBackups,
  damageOf,
  type Candidate,
  type WantedComponent,
  type Wish,
} from '../../src/policy/whole-system.ts';

const at = (hour: number): string => new Date(Date.UTC(2026, 10, 21, hour)).toISOString();
const NOW = Date.parse(at(12));
const HOUR = 3600;

function candidate(backup: string, hour: number, components: string[], more: Partial<Candidate> = {}): Candidate {
  return {
    store: 'primary',
    manifestKey: `backups/${backup}`,
    backup,
    plan: 'p',
    pointAt: at(hour),
    components,
    ...more,
  };
}

function wanted(name: string, plans: string[], rpoHours?: number): WantedComponent {
  return { name, tier: 'critical', plans, ...(rpoHours === undefined ? {} : { rpoSeconds: rpoHours * HOUR }) };
}

const choose = (components: WantedComponent[], candidates: Candidate[], wish: Partial<Wish> = {}) =>
  chooseBackups(components, candidates, { nowMs: NOW, together: false, ...wish });

const chosen = (...given: Parameters<typeof choose>): Record<string, string> =>
  Object.fromEntries(choose(...given).parts.map(({ name, candidate: { backup } }) => [name, backup]));

describe('the backups that a whole system comes back from', () => {
  const ledger = wanted('ledger', ['hourly', 'daily'], 1);
  const wallet = wanted('wallet', ['daily'], 24);
  const config = wanted('config', ['daily'], 24);
  const all = ['ledger', 'wallet', 'config'];
  const stock = [
    candidate('hourly-11', 11, ['ledger']),
    candidate('hourly-10', 10, ['ledger']),
    candidate('daily-2', 2, all),
  ];

  it('[M5] a ledger of each hour, the rest of each day: each from its newest, what belongs together from one', () => {
    expect(chosen([ledger, wallet, config], stock)).toEqual({
      ledger: 'hourly-11',
      wallet: 'daily-2',
      config: 'daily-2',
    });
  });

  it('[M7] the site that took over has a clock that is behind: what it made is the newest all the same', () => {
    const before = candidate('before', 11, ['ledger'], { generation: 1 });
    const since = candidate('since', 10, ['ledger'], { generation: 2 });
    expect(chosen([ledger], [before, since])).toEqual({ ledger: 'since' });
  });

  it('the older one is within what may be lost: one backup for all', () => {
    expect(chosen([wanted('ledger', ['hourly', 'daily'], 12), wallet], stock)).toEqual({
      ledger: 'daily-2',
      wallet: 'daily-2',
    });
  });

  it('nothing says what may be lost: nothing more is lost for the sake of fewer backups', () => {
    expect(chosen([wanted('ledger', ['hourly', 'daily']), wallet], stock)['ledger']).toBe('hourly-11');
  });

  it('together: one backup that has all of it, however much older', () => {
    expect(new Set(Object.values(chosen([ledger, wallet, config], stock, { together: true })))).toEqual(
      new Set(['daily-2']),
    );
  });

  it('[T9] before a time: nothing of that time or later', () => {
    expect(chosen([ledger, wallet], stock, { beforeMs: Date.parse(at(11)) })).toEqual({
      ledger: 'hourly-10',
      wallet: 'daily-2',
    });
    const { missing } = choose([ledger, wallet], stock, { beforeMs: Date.parse(at(1)) });
    expect(missing.map(({ name, why }) => [name, why])).toEqual([
      ['ledger', `it has no backup before ${at(1)}`],
      ['wallet', `it has no backup before ${at(1)}`],
    ]);
  });

  it('the newest is damaged or not trusted: passed over and said so; all of them: missing, with why', () => {
    const damaged = candidate('daily-6', 6, all, { unusable: 'found damaged' });
    const found = choose([ledger, wallet], [damaged, ...stock]);
    expect(found.parts.map(({ candidate: { backup } }) => backup)).toEqual(['hourly-11', 'daily-2']);
    expect(passedOverTexts(found.passedOver)).toEqual([
      `backup daily-6 of ${at(6)} in primary is passed over for wallet: found damaged`,
    ]);
    expect(choose([wallet], [damaged]).missing).toEqual([
      { name: 'wallet', why: 'none of its 1 backups can be used (daily-6: found damaged)' },
    ]);
    expect(choose([wallet], []).missing[0]?.why).toBe('it has no backup in a store that answers');
  });

  it('the same backup in two stores: the damaged copy and the frozen one are passed over', () => {
    const copies = [
      candidate('daily-6', 6, all, { store: 'primary', unusable: 'found damaged' }),
      candidate('daily-6', 6, all, { store: 'glacier', archived: true }),
      candidate('daily-6', 6, all, { store: 'nas' }),
    ];
    expect(choose([wallet], copies).parts[0]?.candidate.store).toBe('nas');
    expect(choose([wallet], copies.slice(0, 2)).parts[0]?.candidate.store).toBe('glacier');
  });

  it('one of a plan came later than its newest backup: the others are whole all the same', () => {
    const late = wanted('certificates', ['daily'], 24);
    const found = choose([wallet, late], [candidate('daily-2', 2, ['wallet']), candidate('old', 1, ['certificates'])]);
    expect(found.parts.map(({ name, candidate: { backup } }) => [name, backup])).toEqual([
      ['wallet', 'daily-2'],
      ['certificates', 'old'],
    ]);
  });

  const names = ['a', 'b', 'c', 'd'];
  const stocks = fc.array(
    fc.record({
      hour: fc.integer({ min: 0, max: 11 }),
      components: fc.subarray(names, { minLength: 1 }),
      unusable: fc.boolean(),
      archived: fc.boolean(),
    }),
    { maxLength: 12 },
  );
  const wishes = fc.record({ together: fc.boolean(), before: fc.option(fc.integer({ min: 0, max: 12 })) });
  const systems = fc.tuple(
    ...names.map((name) =>
      fc
        .record({ plans: fc.subarray(['p', 'q', 'r']), rpo: fc.option(fc.integer({ min: 1, max: 12 })) })
        .map(({ plans, rpo }) => wanted(name, plans, rpo ?? undefined)),
    ),
  );

  it('whatever there is: each component once, only from what holds it, is usable and in time; missing only without any', () => {
    fc.assert(
      fc.property(systems, stocks, wishes, (components, made, { together, before }) => {
        const candidates = made.map(({ hour, components: held, unusable, archived }, index) =>
          candidate(`b${index}`, hour, held, {
            ...(unusable ? { unusable: 'bad' } : {}),
            ...(archived ? { archived: true as const } : {}),
          }),
        );
        const beforeMs = before === null ? undefined : Date.parse(at(before));
        const wish = { together, ...(beforeMs === undefined ? {} : { beforeMs }) };
        const { parts, missing } = choose(components, candidates, wish);
        expect([...parts, ...missing].map(({ name }) => name).toSorted()).toEqual(names);
        const fits = (one: Candidate, name: string): boolean =>
          one.components.includes(name) &&
          one.unusable === undefined &&
          Date.parse(one.pointAt) < (beforeMs ?? Infinity);
        for (const part of parts) expect(fits(part.candidate, part.name)).toBe(true);
        for (const { name } of missing) expect(candidates.some((one) => fits(one, name))).toBe(false);
        if (together) return;
        // No component that says what may be lost loses more than it has to, by moving to an older backup.
        for (const { name, candidate: taken } of parts) {
          const component = components.find((one) => one.name === name);
          const mates = components.filter(
            (one) => one.plans.join() === component?.plans.join() && one.plans.length > 0,
          );
          if (mates.length > 1) continue;
          const newest = Math.max(
            ...candidates.filter((one) => fits(one, name)).map(({ pointAt }) => Date.parse(pointAt)),
          );
          const lost = ((beforeMs ?? NOW) - Date.parse(taken.pointAt)) / 1000;
          expect(Date.parse(taken.pointAt) === newest || lost <= (component?.rpoSeconds ?? -1)).toBe(true);
        }
      }),
    );
  });
});

describe('a backup that is found bad before anything is touched', () => {
  const wallet = wanted('wallet', ['daily'], 24);
  const config = wanted('config', ['daily'], 24);
  const copies = ['primary', 'nas'].flatMap((store) =>
    [6, 4, 2].map((hour) => candidate(`daily-${hour}`, hour, ['wallet', 'config'], { store })),
  );
  const source = { component: 'wallet', backup: 'daily-6', store: 'primary', pointAt: at(6) };
  const rule = { named: false, made: 0, most: 3 };
  const decide = (code: FailureCode, more: Partial<FoundBad> = {}, so: Partial<FallBackRule> = {}) =>
    decideFallBack({ code, why: 'bad', sources: [source], ...more }, { ...rule, ...so });
  const after = (decision: FallBack) => withBadParts(copies, decision.kind === 'older' ? decision.passOver : []);
  const from = (decision: FallBack): Record<string, string> =>
    Object.fromEntries(
      choose([wallet, config], after(decision)).parts.map(({ name, candidate: { backup, store } }) => [
        name,
        `${backup} in ${store}`,
      ]),
    );

  it('[G5] a chunk is missing in one store: the same backup from another; its content is bad: the next older one, with what belongs to it', () => {
    expect(from(decide('ObjectMissing'))).toEqual({ wallet: 'daily-6 in nas', config: 'daily-6 in nas' });
    expect(from(decide('CheckFailed'))).toEqual({ wallet: 'daily-4 in primary', config: 'daily-4 in primary' });
    const { missing } = choose(
      [wallet],
      withBadParts([copies[0] ?? candidate('x', 1, [])], [{ ...source, why: 'torn' }]),
    );
    expect(missing[0]?.why).toBe('none of its 1 backups can be used (daily-6: torn)');
    const more = moreLost([{ name: 'wallet', pointAt: at(4) }], [{ name: 'wallet', pointAt: at(6) }]);
    expect([...more]).toEqual([['wallet', 2 * HOUR]]);
  });

  it('named by hand, often enough, or no matter of a backup: no other is taken', () => {
    expect(decide('ObjectMissing', {}, { named: true }).kind).toBe('end');
    expect(decide('ObjectMissing', {}, { made: 3 }).kind).toBe('end');
    for (const code of ['DiskFull', 'StoreUnreachable', 'WrongIdentity', 'HostSilent', 'PostgresDenied'] as const) {
      expect(decide(code).kind).toBe('other');
    }
  });

  it('the log does not lead on: the log is passed over and not the backup', () => {
    const sources = [{ ...source, recoverTo: 'end' }];
    const lost = decide('ObjectMissing', { sources, key: 'wal/x' });
    expect(lost).toMatchObject({ kind: 'older', passOver: [{ log: true }] });
    expect(decide('Unreachable', { sources })).toEqual(decide('Unreachable', { sources, key: 'wal/x' }));
    expect(from(lost)['wallet']).toBe('daily-6 in primary');
    expect(decide('Unreachable').kind).toBe('other');
  });

  it('whatever is bad: what was passed over is never taken again, so that every plan is another one, until none is left', () => {
    const code = fc.constantFrom<FailureCode>('ObjectMissing', 'CheckFailed', 'Untrusted', 'ArchiveBroken');
    fc.assert(
      fc.property(fc.array(code, { maxLength: 8 }), (codes) => {
        const passed: PassedOver[] = [];
        const seen = new Set<string>();
        for (const each of codes) {
          const [part] = choose([wallet], withBadParts(copies, passed)).parts;
          if (part === undefined) return;
          const { backup, store, pointAt } = part.candidate;
          expect(seen.has(`${backup} ${store}`)).toBe(false);
          seen.add(`${backup} ${store}`);
          const found = decide(each, { sources: [{ component: 'wallet', backup, store, pointAt }] });
          if (found.kind === 'older') passed.push(...found.passOver);
        }
        expect(passed.length).toBe(codes.length);
      }),
    );
  });
});

describe('what is known to be damaged', () => {
  const proof = (level: string, hour: number, ok: boolean) => ({
    level,
    at: at(hour),
    ok,
    bad: ok ? [] : [{ what: 'other bytes' }],
  });

  it('read back bad: damaged, until it is read back good; being there proves nothing against it', () => {
    expect(damageOf([proof('content', 3, false)])).toBe(`found damaged at ${at(3)}: other bytes`);
    expect(damageOf([proof('content', 3, false), proof('presence', 4, true)])).toBeDefined();
    expect(damageOf([proof('content', 3, false), proof('content', 4, true)])).toBeUndefined();
    expect(damageOf([proof('presence', 3, false), proof('restored', 4, true)])).toBeUndefined();
    expect(damageOf([proof('content', 3, true)])).toBeUndefined();
  });
});

describe('how soon it was back', () => {
  it('[T12] [G7] the objectives of the system, its tiers and components: each met or not, absent ones not told', () => {
    const components = [
      { name: 'database', tier: 'critical' as const },
      { name: 'files', tier: 'important' as const },
    ];
    const objectives = {
      rtoSeconds: 4 * HOUR,
      tiers: { critical: HOUR, reference: 1 },
      components: { database: 2 * HOUR, gone: 1 },
    };
    expect(judgeRto(1.5 * HOUR, objectives, components)).toEqual([
      { of: 'system', objectiveSeconds: 4 * HOUR, met: true },
      { of: 'tier critical', objectiveSeconds: HOUR, met: false },
      { of: 'component database', objectiveSeconds: 2 * HOUR, met: true },
    ]);
  });
});
