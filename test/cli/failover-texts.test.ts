/** What a person reads at night: the worst first, and what to do next at the end. */
import { expect, test } from 'vitest';
import { failoversTable, showFailoverResult } from '../../src/cli/failover-texts.ts';
import { readinessText } from '../../src/cli/run-readiness.ts';
import type { Shell } from '../../src/cli/shell.ts';
import { coloursFor } from '../../src/observe/colours.ts';
import type { FailoverPlan, FailoverReport, FailoverResult, ReadinessResult } from '../../src/workflows/contract.ts';

const colours = coloursFor({ isTTY: false });

function textOf(result: Partial<FailoverResult> & Pick<FailoverResult, 'outcome'>): { text: string; code: number } {
  let text = '';
  const shell = { result: (_value: unknown, show: (with_: typeof colours) => string) => (text = show(colours)) };
  const code = showFailoverResult(shell as unknown as Shell, { plan: { system: 'shop' } as never, ...result });
  return { text, code };
}

test('readiness: what keeps it from being ready comes first, each with what to do, and what is well is one line', () => {
  const checks: ReadinessResult['checks'] = [
    { check: 'hosts', verdict: 'ok', reasons: [] },
    { check: 'drift', verdict: 'warning', reasons: ['plans.daily differs'] },
    { check: 'dns', verdict: 'not-ready', reasons: ['zone Z1: protected', 'zone Z2: protected'] },
    { check: 'room', verdict: 'ok', reasons: [] },
  ];
  const result = { verdict: 'not-ready', ok: false, site: 'dublin', checks } as unknown as ReadinessResult;
  expect(readinessText('shop', result, colours).split('\n')).toEqual([
    'shop at dublin: not ready to take it over',
    'not-ready dns',
    '          zone Z1: protected',
    '          zone Z2: protected',
    '          next: what differs: holdfast dns shop --audit',
    'warning   drift',
    '          plans.daily differs',
    '          next: compare the two system files, and bring them together',
    'ok        hosts, room',
  ]);
});

test('a failover: how it ended first, and at the end what runs where, and what to do next', () => {
  const refused = textOf({ outcome: 'refused', reasons: ['it was answered'] });
  expect(refused.text.split('\n').slice(0, 3)).toEqual(['refused', '  it was answered', '  nothing was changed']);
  expect(refused.text).toMatch(/holdfast failover shop --plan$/);
  const generation = { n: 3, site: 'frankfurt' };
  const back = textOf({ outcome: 'rolled-back', ok: false, why: 'no room', generation });
  expect(back.text).toContain('nothing of shop was started here, and frankfurt may run it');
  const names = { ok: false, lines: ['zone Z1: was not changed'] };
  const done = textOf({ outcome: 'done', ok: false, generation: { n: 2, site: 'dublin' }, names });
  expect(done.text).toContain('shop runs at dublin, and not all is well');
  expect(done.text).toMatch(/holdfast dns shop$/);
  expect([refused.code, back.code, done.code]).toEqual([1, 1, 1]);
  expect(textOf({ outcome: 'done', ok: true, generation }).code).toBe(0);
});

test('a planned change: what to type next is planned, too, and the list says how long the system was down', () => {
  const plan = { system: 'shop', from: { generation: 1, site: 'frankfurt' }, planned: { answerSeconds: 60 } };
  const of = { plan: plan as FailoverPlan };
  expect(textOf({ outcome: 'rejected', ...of }).text).toMatch(/holdfast failover shop --planned --plan$/);
  expect(textOf({ outcome: 'refused', ...of }).text).toContain('or starts it again');
  const done = textOf({ outcome: 'done', ok: true, generation: { n: 2, site: 'dublin' }, ...of });
  expect(done.text).toMatch(/frankfurt stays stopped\. Back again, there: holdfast failback shop$/);
  const report = {
    ...{ startedAt: '2026-01-01T00:00:00.000Z', from: plan.from, site: 'dublin', outcome: 'done', ok: true },
    ...{ generation: { n: 2, site: 'dublin' }, dataLossSeconds: 0, planned: { downSeconds: 9 } },
  };
  const table = failoversTable([report as unknown as FailoverReport], colours);
  expect(table).toContain('frankfurt to dublin, planned');
  expect(table).toContain('was down 9 s');
});
