/** docs/coverage.md, as text. Pure. */
import { SYSTEMS } from './rows.ts';
import type { CoveredSystem, Row } from './rows.ts';
import type { TaggedTest } from './tests.ts';

const HEAD = [
  '# Coverage',
  '',
  'What the five systems of [examples](../examples/README.md) ask for, row by row, and the tests that show it. `npm run scenario -- M5`',
  'runs those of one row. `npm run coverage` writes this file from the tags in the tests’ titles; a test fails when a row has no',
  'test and is not listed as open, or when a test that is named here is gone.',
  '',
].join('\n');

/** One line, as Markdown would not read anything into it. */
function plain(title: string): string {
  return title.replaceAll(/\s+/g, ' ').replaceAll('`', "'").trim();
}

function rowText({ row, what, open }: Row, tests: readonly TaggedTest[]): string {
  const own = tests.filter(({ rows }) => rows.includes(row));
  const lines = own.map(({ file, title }) => `- \`${file}\`: \`${plain(title)}\``);
  const left = open === undefined ? [] : [`Open: ${open}.`, ''];
  return [`### ${row}`, '', `${what}.`, '', ...left, ...(lines.length === 0 ? [] : [...lines, ''])].join('\n');
}

function systemText({ system, rows }: CoveredSystem, tests: readonly TaggedTest[]): string {
  return [`## ${system}`, '', ...rows.map((row) => rowText(row, tests))].join('\n');
}

export function coverageText(tests: readonly TaggedTest[]): string {
  return [HEAD, ...SYSTEMS.map((system) => systemText(system, tests))].join('\n');
}

export interface NamedTest {
  readonly row: string;
  readonly file: string;
  readonly title: string;
}

/** What a text as above says. */
export function readCoverage(text: string): NamedTest[] {
  let row = '';
  return text.split('\n').flatMap((line) => {
    const heading = /^### ([A-Z]\d+)$/.exec(line);
    if (heading !== null) row = heading[1] ?? '';
    const named = /^- `([^`]+)`: `([^`]+)`$/.exec(line);
    return named === null ? [] : [{ row, file: named[1] ?? '', title: named[2] ?? '' }];
  });
}

/** What keeps the text from being true, in words; empty when it is. */
export function untrue(text: string, tests: readonly TaggedTest[]): string[] {
  const named = readCoverage(text);
  const known = new Set(tests.flatMap(({ file, title, rows }) => rows.map((row) => `${row} ${file} ${plain(title)}`)));
  const all = SYSTEMS.flatMap(({ rows }) => rows);
  const ids = new Set(all.map(({ row }) => row));
  return [
    ...named
      .filter(({ row, file, title }) => !known.has(`${row} ${file} ${title}`))
      .map(({ row, file, title }) => `${row}: there is no test ${file}: ${title}`),
    ...all
      .filter(({ row, whollyOpen }) => whollyOpen !== true && !named.some((one) => one.row === row))
      .map(({ row }) => `${row}: no test is named, and it is not listed as open`),
    ...all
      .filter(({ row, whollyOpen }) => whollyOpen === true && named.some((one) => one.row === row))
      .map(({ row }) => `${row}: a test is named, and it is listed as open`),
    ...[...new Set(tests.flatMap(({ rows }) => rows))]
      .filter((row) => !ids.has(row))
      .map((row) => `${row}: a test names it, and there is no such row`),
    ...all.filter(({ row }) => !text.includes(`### ${row}\n`)).map(({ row }) => `${row}: it is not in the document`),
  ];
}
