import { expect, it } from 'vitest';
import { coverageText, untrue } from '../../scripts/coverage/document.ts';
import { SYSTEMS } from '../../scripts/coverage/rows.ts';
import { taggedTests, taggedTestsOf } from '../../scripts/coverage/tests.ts';
import { readText, ROOT } from './tree.ts';

const tests = taggedTests(ROOT);
/** Written so that this file has no such tags of its own. */
const tag = (row: string): string => `[${row}]`;

it('docs/coverage.md: every row has a test that is there, or says why it has none (`npm run coverage` writes it)', () => {
  expect(untrue(readText('docs/coverage.md'), tests)).toEqual([]);
});

it('a row without a test, a test that is gone, a row that nobody knows: each is told', () => {
  const all = SYSTEMS.flatMap(({ rows }) => rows.filter(({ whollyOpen }) => whollyOpen !== true)).map(({ row }) => row);
  const testOf = (row: string): string => `test('${tag(row)} it holds', () => {});`;
  const whole = taggedTestsOf('test/a.test.ts', all.map(testOf).join('\n'));
  expect(untrue(coverageText(whole), whole)).toEqual([]);
  const without = whole.filter(({ rows }) => !rows.includes('W4'));
  expect(untrue(coverageText(without), without)).toEqual(['W4: no test is named, and it is not listed as open']);
  expect(untrue(coverageText(whole), without)).toEqual([`W4: there is no test test/a.test.ts: ${tag('W4')} it holds`]);
  const more = [...whole, ...taggedTestsOf('test/b.test.ts', testOf('Z9'))];
  expect(untrue(coverageText(more), more)).toEqual(['Z9: a test names it, and there is no such row']);
});

it('titles of every shape: quoted in each way, of each, of a group, on a line of their own', () => {
  const source = [
    `test.each([1, 2])('${tag('M1')} one', () => {});`,
    `describe("${tag('M2')} two", () => {});`,
    `it(\n  \`${tag('M3')} ${tag('M4')} it's three\`,\n  () => {});`,
  ].join('\n');
  expect(taggedTestsOf('t', source).map(({ rows }) => rows.join())).toEqual(['M1', 'M2', 'M3,M4']);
});
