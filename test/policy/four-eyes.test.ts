import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeApproval } from '../../src/policy/approval.ts';
import { askerOf, askerText } from '../../src/policy/askers.ts';
import { approvalsLacking, whyNotThisOne } from '../../src/policy/four-eyes.ts';

describe('who asked, by what the engine recorded', () => {
  test.each([
    ['holdfast:ana@laptop', undefined, { by: 'ana@laptop', from: 'laptop' }, 'ana@laptop'],
    ['temporal-cli:ana@laptop', undefined, { by: 'ana@laptop', from: 'laptop' }, 'ana@laptop'],
    ['4711@server', undefined, { from: 'server' }, 'a program on server'],
    ['4711@server@', undefined, { from: 'server' }, 'a program on server'],
    ['ana@example.org', undefined, { by: 'ana@example.org' }, 'ana@example.org'],
    ['', undefined, {}, 'somebody (the client did not say who)'],
    ['4711@server', 'temporal-sys-scheduler:x', { by: 'temporal-sys-scheduler:x' }, 'temporal-sys-scheduler:x'],
  ])('%j, started by %j: %j', (identity, parent, expected, text) => {
    const asker = askerOf(identity, parent);
    expect(asker).toEqual({ ...expected, identity });
    expect(askerText(asker)).toBe(text);
  });
});

describe('four eyes', () => {
  const plan = { digest: 'ab'.repeat(32), deadlineMs: 2000 };
  const say = (by: string, asker: string | undefined) =>
    judgeApproval({ digest: plan.digest, by }, { ...plan, fourEyes: { asker } }, 1000);

  test('who asked approves, also from another machine or in capitals: refused; somebody else: taken', () => {
    expect(say('ana@laptop', 'ana@laptop')).toMatchObject({ ok: false, code: 'SecondPersonNeeded' });
    expect(say(' Ana@server', 'ana@laptop')).toMatchObject({ ok: false, code: 'SecondPersonNeeded' });
    expect(say('ben', 'ana@laptop')).toEqual({ ok: true });
    expect(judgeApproval({ digest: plan.digest, by: 'ana' }, plan, 1000)).toEqual({ ok: true });
  });

  test('another plan or too late: told as that, whoever says it', () => {
    const rule = { ...plan, fourEyes: { asker: 'ana' } };
    expect(judgeApproval({ digest: 'cd'.repeat(32), by: 'ana' }, rule, 1000)).toMatchObject({ code: 'PlanChanged' });
    expect(judgeApproval({ digest: plan.digest, by: 'ana' }, rule, 3000)).toMatchObject({ code: 'ApprovalExpired' });
  });

  test('nobody knows who asked: two others have to approve, and one who says it twice is one', () => {
    expect(approvalsLacking({ asker: undefined }, [])).toBe(2);
    expect(approvalsLacking({ asker: undefined }, ['ben', 'BEN@desk'])).toBe(1);
    expect(approvalsLacking({ asker: undefined }, ['ben', 'eve'])).toBe(0);
  });

  test('with the rule there are always two different people, and without it one is enough', () => {
    const person = fc.constantFrom('ana', 'ana@desk', 'Ana', 'ben', 'ben@desk', 'eve');
    fc.assert(
      fc.property(fc.option(person, { nil: undefined }), fc.array(person), (asker, approvers) => {
        const people = new Set(
          [...(asker === undefined ? [] : [asker]), ...approvers].map((by) => by.toLowerCase().split('@')[0]),
        );
        const allowed = approvers.filter((by) => whyNotThisOne({ asker }, by) === undefined);
        if (approvalsLacking({ asker }, approvers) === 0) {
          expect(people.size).toBeGreaterThanOrEqual(2);
          expect(allowed.length).toBeGreaterThan(0);
        } else expect(people.size).toBeLessThanOrEqual(asker === undefined ? 1 : 2);
        expect(approvalsLacking(undefined, approvers)).toBe(approvers.length === 0 ? 1 : 0);
      }),
    );
  });
});
