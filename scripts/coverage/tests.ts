/** Which tests say that they cover which row: by the tags in their titles, like `[M5]`. Reads sources; runs nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface TaggedTest {
  /** Relative to the root. */
  readonly file: string;
  readonly title: string;
  readonly rows: readonly string[];
}

const TAG = /\[([A-Z]\d{1,2})\]/g;
/** `test('…`, `it.each(table)('…`, `describe('…`: what a title stands behind, and the title. */
const TITLE = /\b(?:test|it|describe)(?:\.\w+)*(?:\([^'"`]*?\))?\(\s*(['"`])((?:\\.|(?!\1)[\s\S])*?)\1/g;

/** Pure. */
export function taggedTestsOf(file: string, source: string): TaggedTest[] {
  return [...source.matchAll(TITLE)].flatMap((match) => {
    const title = (match[2] ?? '').replaceAll(/\\(['"`])/g, '$1');
    const rows = [...title.matchAll(TAG)].flatMap((tag) => tag[1] ?? []);
    return rows.length === 0 ? [] : [{ file, title, rows }];
  });
}

/** Of all test files below `root`, by file and in the order of each. */
export function taggedTests(root: string): TaggedTest[] {
  const files = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => path.posix.join('test', file))
    .toSorted()
    .flatMap((file) => taggedTestsOf(file, readFileSync(path.join(root, file), 'utf8')));
}
