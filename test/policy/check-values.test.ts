import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differenceOf, differencesIn, judgePage, judgeValue, valueIn } from '../../src/policy/check-values.ts';
import type { HttpProbe, SqlProbe } from '../../src/system/types.ts';

const page = (wishes: Partial<HttpProbe>): HttpProbe => ({ kind: 'http', url: 'http://x/', json: {}, ...wishes });
const query = (wishes: Partial<SqlProbe>): SqlProbe => ({ kind: 'sql', component: 'db', query: 'select', ...wishes });

describe('a page that is asked', () => {
  it('[M5] the dependency is healthy: it holds; unhealthy, not there, no JSON: it says what was found', () => {
    const probe = page({ json: { 'dependencies.tigerbeetle': 'healthy' } });
    const answer = (body: string, status = 200) => judgePage(probe, { status, body });
    expect(answer('{"dependencies":{"tigerbeetle":"healthy"}}')).toEqual({
      ok: true,
      detail: 'answered 200, dependencies.tigerbeetle is healthy',
    });
    expect(answer('{"dependencies":{"tigerbeetle":"down"}}', 503)).toEqual({
      ok: false,
      detail: 'answered 503 instead of one of 200 to 299; dependencies.tigerbeetle is down instead of healthy',
    });
    expect(answer('{}').detail).toBe('dependencies.tigerbeetle is not there instead of healthy');
    expect(answer('<html>').detail).toBe('the body is no JSON');
  });

  it('a status and a text of its own: both have to be there', () => {
    const probe = page({ status: 204, contains: 'ready' });
    expect(judgePage(probe, { status: 204, body: 'is ready' }).ok).toBe(true);
    expect(judgePage(probe, { status: 200, body: 'not yet' }).detail).toBe(
      'answered 200 instead of 204; the text is not in the body',
    );
  });

  it('a path leads through lists, and through keys with dots in them', () => {
    expect(valueIn({ a: [{ 'b.c': 3 }] }, 'a.0.b.c')).toBe(3);
    expect(valueIn({ a: 1 }, 'a.b')).toBeUndefined();
    expect(valueIn({}, 'constructor.name')).toBeUndefined();
  });
});

describe('a value that is compared', () => {
  it('numbers told as texts or big integers, truth values as numbers: compared as what is meant', () => {
    expect(judgeValue(query({ atLeast: 1 }), [['7']]).ok).toBe(true);
    expect(judgeValue(query({ atLeast: 1 }), [[0n]])).toEqual({
      ok: false,
      detail: 'answered 0; it should be at least 1',
    });
    expect(judgeValue(query({ equals: true }), [[1n]]).ok).toBe(true);
    expect(judgeValue(query({ equals: 3, atMost: 2 }), [[3]]).detail).toBe('answered 3; it should be at most 2');
    expect(judgeValue(query({ equals: null }), [[null]]).ok).toBe(true);
    expect(judgeValue(query({ notEmpty: true }), [['']]).ok).toBe(false);
  });

  it('no row, two rows, two columns: never taken for a value', () => {
    for (const rows of [[], [[1], [1]], [[1, 1]]]) expect(judgeValue(query({ equals: 1 }), rows).ok).toBe(false);
  });

  it('a text of the database is never in the words, whatever it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[g-z]{8,20}$/), (secret) => {
        const { detail } = judgeValue(query({ equals: 'wanted' }), [[`${secret}!`]]);
        expect(detail).not.toContain(secret);
      }),
    );
  });
});

describe('differences', () => {
  it('[M6] lines of JSON among talk: those with a name are told, short', () => {
    const output = [
      'comparing 3 accounts',
      '{"name":"account 7","expected":100,"found":90}',
      '{"total":3}',
      `{"name":"account 8","expected":null,"found":"${'x'.repeat(500)}"}`,
      '',
    ].join('\n');
    const [first, second, ...rest] = differencesIn(output);
    expect(first).toEqual({ name: 'account 7', expected: '100', found: '90' });
    expect(second?.expected).toBe('');
    expect(second?.found.length).toBeLessThan(130);
    expect(rest).toEqual([]);
  });

  it('rows of a query: name, expected, found, whatever their types', () => {
    expect(differenceOf(['total', 12n, null])).toEqual({ name: 'total', expected: '12', found: '' });
  });
});
