import { describe, expect, test } from 'vitest';
import { decideSwap, oldTtlSeconds, planRecord, reverseOf, siteSeen } from '../../../src/policy/failover/dns-change.ts';
import { dnsDigestPart, type DnsPlan } from '../../../src/policy/failover/dns-plan.ts';
import type { RecordSet } from '../../../src/policy/failover/dns-records.ts';
import { judgeAnswer } from '../../../src/policy/failover/dns-answers.ts';
import type { DnsRecord } from '../../../src/system/dns-types.ts';

const simple: DnsRecord = {
  routing: 'simple',
  name: 'Ledger.Example.test',
  type: 'A',
  ttlSeconds: 60,
  sites: { a: { values: ['198.51.100.10', '198.51.100.11'] }, b: { values: ['203.0.113.20'] } },
};
const at = (values: readonly string[], more: Partial<RecordSet> = {}): RecordSet => ({
  name: 'ledger.example.test.',
  type: 'A',
  ttlSeconds: 60,
  values,
  ...more,
});
const weighted: DnsRecord = {
  routing: 'weighted',
  name: 'ledger.example.test',
  type: 'A',
  weight: 100,
  sites: { a: 'A', b: 'B' },
};
const failover: DnsRecord = { routing: 'failover', name: 'ledger.example.test', type: 'A', sites: { a: 'A', b: 'B' } };

describe('one record set', () => {
  const seen = [at(['198.51.100.11', '198.51.100.10'])];

  test('what is replaced is deleted with all that it holds and created in the same batch, so that a change in between is refused', () => {
    const { changes, refusals, warnings } = planRecord(simple, seen, 'b');
    expect([refusals, warnings]).toEqual([[], []]);
    expect(decideSwap(changes, seen)).toEqual({
      kind: 'change',
      batch: [
        { action: 'DELETE', record: seen[0] },
        { action: 'CREATE', record: at(['203.0.113.20']) },
      ],
    });
    expect(siteSeen(simple, seen)).toBe('a');
  });

  test('the order of values and the case of names mean nothing; a TTL does', () => {
    const { changes } = planRecord(simple, seen, 'b');
    const turned = [at(['198.51.100.10', '198.51.100.11'], { name: 'LEDGER.example.test' })];
    expect(decideSwap(changes, turned).kind).toBe('change');
    expect(decideSwap(changes, [at(['198.51.100.10', '198.51.100.11'], { ttlSeconds: 61 })]).kind).toBe('changed');
  });

  test('it stands as wanted: written once more; it is gone or another: changed, with what stands there', () => {
    const { changes } = planRecord(simple, seen, 'b');
    const done = decideSwap(changes, [at(['203.0.113.20'])]);
    expect(done).toMatchObject({ kind: 'done', batch: [{ action: 'UPSERT' }] });
    expect(decideSwap(changes, [])).toMatchObject({
      kind: 'changed',
      differences: [
        expect.stringContaining('holds nothing and held 198.51.100.11, 198.51.100.10 (TTL 60 s)') as string,
      ],
    });
  });

  test('there was none: it is made, and the way back removes it; resolvers remember that there was none', () => {
    const { changes, warnings } = planRecord(simple, [], 'b');
    expect(warnings).toEqual(['ledger.example.test A is not there yet: it is made']);
    expect(oldTtlSeconds(changes)).toBe(900);
    const back = decideSwap(reverseOf(changes), [at(['203.0.113.20'])]);
    expect(back).toEqual({ kind: 'change', batch: [{ action: 'DELETE', record: at(['203.0.113.20']) }] });
  });

  test('it holds what no site has: told before anybody approves', () => {
    expect(planRecord(simple, [at(['192.0.2.1'])], 'b').warnings).toEqual([
      'ledger.example.test A holds 192.0.2.1 (TTL 60 s), which the system file says of no site',
    ]);
  });

  test('routing that is not declared, and a site that is not: refused', () => {
    const latency = at(['198.51.100.10'], { setIdentifier: 'x', otherRouting: 'latency' });
    expect(planRecord(simple, [latency], 'b').refusals[0]).toContain('latency routing');
    expect(planRecord(simple, [at([], { setIdentifier: 'x', weight: 1 })], 'b').refusals[0]).toContain(
      'say which `routing`',
    );
    expect(planRecord(simple, seen, 'c').refusals[0]).toContain('does not say what it holds for c');
  });
});

describe('a record set for each site', () => {
  const a = at(['198.51.100.10'], { setIdentifier: 'A', weight: 100 });
  const b = at(['203.0.113.20'], { setIdentifier: 'B', weight: 0 });

  test('weighted: only the weights change, in one batch, and the answer is that of the active set', () => {
    const { changes, answer } = planRecord(weighted, [a, b], 'b');
    expect(changes.map(({ after }) => [after?.setIdentifier, after?.weight])).toEqual([
      ['A', 0],
      ['B', 100],
    ]);
    expect(answer?.wanted).toEqual({ values: ['203.0.113.20'] });
    expect(siteSeen(weighted, [a, b])).toBe('a');
    const half = [{ ...a, weight: 0 }, b];
    expect(decideSwap(changes, half).kind).toBe('changed');
  });

  test('weighted: a set that nobody declared and has a weight, or one that is missing: refused', () => {
    const third = at(['192.0.2.1'], { setIdentifier: 'C', weight: 1 });
    expect(planRecord(weighted, [a, b, third], 'b').refusals).toEqual([
      'ledger.example.test A [C] has a weight and belongs to no site of the system file',
    ]);
    expect(planRecord(weighted, [a, b, { ...third, weight: 0 }], 'b').refusals).toEqual([]);
    expect(planRecord(weighted, [a], 'b').refusals).toEqual([
      'ledger.example.test A: there is no weighted record set B',
    ]);
  });

  test('failover: the roles are swapped, all deletions before all creations, and back', () => {
    const primary = at(['198.51.100.10'], { setIdentifier: 'A', failover: 'PRIMARY', healthCheckId: 'h1' });
    const secondary = at(['203.0.113.20'], { setIdentifier: 'B', failover: 'SECONDARY' });
    const { changes, warnings } = planRecord(failover, [primary, secondary], 'b');
    expect(warnings).toEqual(['ledger.example.test A [B] has no health check: as PRIMARY it counts as healthy always']);
    const forth = decideSwap(changes, [primary, secondary]);
    if (forth.kind !== 'change') throw new Error(forth.kind);
    expect(
      forth.batch.map(({ action, record }) => `${action} ${record.setIdentifier ?? ''} ${record.failover ?? ''}`),
    ).toEqual(['DELETE A PRIMARY', 'DELETE B SECONDARY', 'CREATE A SECONDARY', 'CREATE B PRIMARY']);
    const now = changes.flatMap(({ after }) => (after === null ? [] : [after]));
    expect(siteSeen(failover, now)).toBe('b');
    expect(decideSwap(reverseOf(changes), now).kind).toBe('change');
  });
});

test('an alias is compared by its target, and answered with some of what that is answered with', () => {
  const record: DnsRecord = {
    routing: 'simple',
    name: 'ledger.example.test',
    type: 'A',
    ttlSeconds: 60,
    sites: {
      a: { alias: { zone: 'Z1', name: 'LB-a.elb.test', evaluateTargetHealth: false } },
      b: { alias: { zone: 'Z2', name: 'lb-b.elb.test', evaluateTargetHealth: true } },
    },
  };
  const seen: RecordSet = {
    name: 'ledger.example.test.',
    type: 'A',
    alias: { zone: 'Z1', name: 'lb-a.elb.test.', evaluateTargetHealth: false },
  };
  expect(siteSeen(record, [seen])).toBe('a');
  const { changes, answer } = planRecord(record, [seen], 'b');
  expect(changes[0]?.after).not.toHaveProperty('ttlSeconds');
  expect(oldTtlSeconds(changes)).toBe(60);
  if (answer === undefined) throw new Error('no answer');
  expect(judgeAnswer(answer, { values: ['203.0.113.21'] }, ['203.0.113.20', '203.0.113.21']).verdict).toBe('as wanted');
  expect(judgeAnswer(answer, { values: ['198.51.100.10'] }, ['203.0.113.20']).verdict).toBe('other');
});

test('texts and names are compared as what they mean', () => {
  const text = { name: 'x.test', type: 'TXT', wanted: { values: ['"site=\\"b\\""'] } };
  expect(judgeAnswer(text, { values: ['site="b"'] }).verdict).toBe('as wanted');
  const long = { name: 'x.test', type: 'TXT', wanted: { values: ['"one " "Two"'] } };
  expect(judgeAnswer(long, { values: ['one Two'] }).verdict).toBe('as wanted');
  const name = { name: 'x.test', type: 'CNAME', wanted: { values: ['B.example.test.'] } };
  expect(judgeAnswer(name, { values: ['b.example.test'] }).verdict).toBe('as wanted');
});

test('what is approved: another previous value is another digest, another warning is not', () => {
  const plan = (before: RecordSet, warnings: string[]): DnsPlan => ({
    toSite: 'b',
    entries: [
      {
        kind: 'route53',
        index: 0,
        title: 'zone Z',
        zone: 'Z',
        changes: planRecord(simple, [before], 'b').changes,
        checks: [],
        oldTtlSeconds: 1,
      },
    ],
    lines: [],
    warnings,
  });
  const one = plan(at(['198.51.100.10', '198.51.100.11']), []);
  expect(dnsDigestPart(one)).toEqual(dnsDigestPart(plan(at(['198.51.100.10', '198.51.100.11']), ['x'])));
  expect(dnsDigestPart(one)).not.toEqual(dnsDigestPart(plan(at(['192.0.2.1']), [])));
});
