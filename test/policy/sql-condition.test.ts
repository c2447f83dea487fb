import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conditionsOf, nameParts, tableNames } from '../../src/policy/sql-condition.ts';
import { parentsFirst } from '../../src/policy/parents-first.ts';

describe('a condition that an operator typed', () => {
  test.each([
    'id = 7',
    `note = 'it''s; -- not (a comment'`,
    `"odd) column" > 3 AND (a OR (b))`,
    'id IN (SELECT id FROM users)',
    `name = 'x' AND tags @> ARRAY['a']`,
    "value = 'e' OR type = 'E'",
  ])('%s: let through as it is', (where) => {
    expect(conditionsOf(['t'], where, 'postgres')).toEqual([where]);
  });

  test.each([
    '1); DROP TABLE t; --',
    '1) OR (1',
    'id = 1; DELETE FROM t',
    'id = 1 -- all',
    'id = /* x */ 1',
    "id = 'x",
    'id = "x',
    '(id = 1',
    '(id = 1]',
    "id = E'\\'' OR 1=1 --'",
    'id = $$x$$',
    'id = \0',
    ';',
    'x'.repeat(20_000),
  ])('%s: refused', (where) => {
    expect(() => conditionsOf(['t'], where, 'postgres')).toThrow(
      expect.objectContaining({ code: 'BadInput' }) as Error,
    );
  });

  test('in SQLite brackets quote a name, so that a bracket in one is no bracket', () => {
    expect(conditionsOf(['t'], '[odd) (name] = 1', 'sqlite')).toEqual(['[odd) (name] = 1']);
    expect(() => conditionsOf(['t'], '[odd) (name] = 1', 'postgres')).toThrow();
  });

  test('a semicolon at its end, as people type it: left off', () => {
    expect(conditionsOf(['t'], 'id = 7 ; ', 'postgres')).toEqual(['id = 7']);
  });

  test('whatever it is: outside quotes it never closes more than it opened', () => {
    const piece = fc.constantFrom('(', ')', "'", '"', 'x', ' ', ';', '[', ']', '--', '$', 'E', '`', ':', 't');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        let through: readonly (string | undefined)[];
        try {
          through = conditionsOf(['t'], text, 'postgres');
        } catch {
          return;
        }
        const bare = (through[0] ?? '').replaceAll(/'[^']*'|"[^"]*"/g, '');
        let depth = 0;
        for (const character of bare) {
          if ('(['.includes(character)) depth += 1;
          if (')]'.includes(character)) depth -= 1;
          expect(depth).toBeGreaterThanOrEqual(0);
        }
        expect(depth).toBe(0);
        expect(bare).not.toMatch(/;|--|\$|'|"/);
      }),
    );
  });

  test('several tables: one for all, or each its own; never some with and some without', () => {
    expect(conditionsOf(['a', 'b'], undefined, 'postgres')).toEqual([undefined, undefined]);
    expect(conditionsOf(['a', 'b'], 'id = 1', 'postgres')).toEqual(['id = 1', 'id = 1']);
    expect(conditionsOf(['a', 'b'], "b: id = 1; a : x = 'a: ;' ;", 'postgres')).toEqual(["x = 'a: ;'", 'id = 1']);
    expect(conditionsOf(['id', 'b'], 'id::text = $1'.replace(' = $1', " = '1'"), 'postgres')).toHaveLength(2);
    for (const where of ['a: 1', 'a: 1; 2', 'a: 1; a: 2; b: 3', 'c: 1; b: 2']) {
      expect(() => conditionsOf(['a', 'b'], where, 'postgres'), where).toThrow();
    }
  });
});

describe('table names', () => {
  test('apart at their commas, with quotes and schemas', () => {
    expect(tableNames('users, public.deposits ,"odd, ""name"')).toEqual(['users', 'public.deposits', '"odd, ""name"']);
    expect(nameParts('"odd, ""name".x')).toEqual(['odd, "name', 'x']);
    expect(nameParts('public.deposits')).toEqual(['public', 'deposits']);
  });

  test.each(['', ' ', 'a,', 'a,,b', 'a,a', '"open'])('"%s": refused', (text) => {
    expect(() => tableNames(text)).toThrow(expect.objectContaining({ code: 'BadInput' }) as Error);
  });
});

describe('the order of writing', () => {
  test('parents before children, whatever order was given; a circle ends', () => {
    const parents: Record<string, string[]> = { c: ['b'], b: ['a', 'z'], a: [], x: ['y'], y: ['x'] };
    const order = (...tables: string[]): string[] => parentsFirst(tables, (table) => parents[table] ?? []);
    expect(order('c', 'b', 'a')).toEqual(['a', 'b', 'c']);
    expect(order('c', 'a')).toEqual(['c', 'a']);
    expect(order('x', 'y')).toHaveLength(2);
  });
});
