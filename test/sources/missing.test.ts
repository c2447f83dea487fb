/** Only what is missing of a real tree, by a real tar of it: nothing that exists is ever overwritten. */
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bringMissing, discardMissing, type Brought } from '../../src/sources/missing/bring.ts';
import { putBackMissing } from '../../src/sources/missing/put-back.ts';
import { previewUndo, undoMissing } from '../../src/sources/missing/undo.ts';
import { filesKind } from '../../src/sources/kinds/files.ts';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import { exchangeNames, readXattrs, setXattr } from '../../src/sources/system-calls.ts';
import type { FilesComponent } from '../../src/system/types.ts';
import { contextIn, MemorySink } from './kinds-helpers.ts';
import { scratchDirectory } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let live: string;
let context: KindContext;
let sink: MemorySink;

beforeEach(() => {
  scratch = scratchDirectory('missing');
  live = join(scratch.path, 'site', 'data');
  mkdirSync(live, { recursive: true });
  context = contextIn(scratch.path);
  sink = new MemorySink();
});
afterEach(() => scratch.remove());

function component(path = live): FilesComponent {
  const base = { name: 'data', tier: 'important', host: 'h', after: [], include: [], exclude: [] } as const;
  return { ...base, kind: 'files', path, minimumAgeSeconds: 0 };
}

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(live, name, '..'), { recursive: true });
    writeFileSync(join(live, name), text);
  }
}

const text = (name: string): string => readFileSync(join(live, name), 'utf8');
const capture = (path = live) => filesKind.capture(component(path), sink, context);
const backup = { manifestKey: 'backups/daily/x.json', artifacts: () => Promise.resolve(sink.readers) };

function bring(more: { paths?: string[]; changed?: boolean; id?: string } = {}, path = live): Promise<Brought> {
  const ask = { id: 'run', paths: [], changed: false, bring: true, ...more };
  return bringMissing(component(path), backup, ask, context);
}

const putBack = (changed = false, id = 'run') => putBackMissing(context, { id, changed });
const hidden = (): string[] => readdirSync(join(scratch.path, 'site')).filter((name) => name.startsWith('.holdfast-'));

describe('only what is missing', () => {
  test('files and a directory are gone, others have changed: just what is gone comes back, as it was [B8]', async () => {
    write({ 'a.txt': 'a', 'sub/b.txt': 'b', 'sub/deep/c.txt': 'c', 'keep.txt': 'old', 'same.txt': 'same' });
    chmodSync(join(live, 'sub/deep/c.txt'), 0o640);
    setXattr(join(live, 'a.txt'), 'user.note', Buffer.from('hello'));
    symlinkSync('a.txt', join(live, 'link'));
    linkSync(join(live, 'sub/b.txt'), join(live, 'sub/b2.txt'));
    utimesSync(join(live, 'a.txt'), 1000, 1000);
    await capture();
    for (const name of ['a.txt', 'link', 'sub']) rmSync(join(live, name), { recursive: true });
    write({ 'keep.txt': 'new and longer', 'new.txt': 'new' });

    const found = await bring();
    expect(found).toMatchObject({
      missing: { files: 4, directories: 2, links: 1, bytes: 3 },
      differ: { files: 1 },
      same: 1,
      inTheWay: 0,
    });
    expect(existsSync(join(live, 'a.txt'))).toBe(false);
    const names = readFileSync(found.listFile, 'utf8');
    expect(names).toContain('"path":"sub/deep/c.txt"');
    expect(statSync(found.listFile).mode & 0o777).toBe(0o600);

    expect(await putBack()).toMatchObject({ done: { files: 4, directories: 2, links: 1 }, left: 0, failed: 0 });
    expect([text('a.txt'), text('sub/b.txt'), text('sub/deep/c.txt')]).toEqual(['a', 'b', 'c']);
    expect(readlinkSync(join(live, 'link'))).toBe('a.txt');
    expect(lstatSync(join(live, 'sub/deep/c.txt')).mode & 0o777).toBe(0o640);
    expect(lstatSync(join(live, 'a.txt')).mtimeMs).toBe(1_000_000);
    expect(readXattrs(join(live, 'a.txt')).map(({ value }) => value.toString())).toEqual(['hello']);
    expect(lstatSync(join(live, 'sub/b2.txt')).ino).toBe(lstatSync(join(live, 'sub/b.txt')).ino);
    // Never touched.
    expect([text('keep.txt'), text('new.txt')]).toEqual(['new and longer', 'new']);
    await discardMissing(context, 'run', true);
    expect(hidden()).toEqual([]);
  });

  test('a file and a directory appear before they are put back: they are left, what is missing in them comes', async () => {
    write({ 'a.txt': 'a', 'sub/b.txt': 'b', 'sub/c.txt': 'c' });
    await capture();
    for (const name of ['a.txt', 'sub']) rmSync(join(live, name), { recursive: true });
    await bring();
    write({ 'a.txt': 'mine', 'sub/b.txt': 'mine too' });
    expect(await putBack()).toMatchObject({ done: { files: 1, directories: 0 }, left: 3, failed: 0 });
    expect([text('a.txt'), text('sub/b.txt'), text('sub/c.txt')]).toEqual(['mine', 'mine too', 'c']);
  });

  test('a link to elsewhere takes the place of a directory: nothing is written through it', async () => {
    write({ 'sub/b.txt': 'b', 'other/c.txt': 'c' });
    await capture();
    rmSync(join(live, 'sub/b.txt'));
    rmSync(join(live, 'other'), { recursive: true });
    const outside = join(scratch.path, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, join(live, 'other'));
    const found = await bring();
    expect(found).toMatchObject({ missing: { files: 1 }, inTheWay: 2 });
    // And one that comes later.
    renameSync(join(live, 'sub'), join(live, 'was-sub'));
    symlinkSync(outside, join(live, 'sub'));
    expect(await putBack()).toMatchObject({ done: { files: 0 }, left: 1 });
    expect(readdirSync(outside)).toEqual([]);
  });

  test('one directory of several: the others stay missing; a path that the backup lacks is refused', async () => {
    write({ 'a/1.txt': '1', 'b/deep/2.txt': '2', 'b/3.txt': '3' });
    await capture();
    for (const name of ['a', 'b']) rmSync(join(live, name), { recursive: true });
    expect(await bring({ paths: ['b/deep'] })).toMatchObject({ missing: { files: 1, directories: 2 } });
    expect(await putBack()).toMatchObject({ done: { files: 1, directories: 2 }, failed: 0 });
    expect(readdirSync(live)).toEqual(['b']);
    expect(readdirSync(join(live, 'b'))).toEqual(['deep']);
    await expect(bring({ paths: ['nowhere'], id: 'other' })).rejects.toThrow(/Not in this backup/);
  });

  test('the whole tree is gone, or a single file: it comes back with its own directory', async () => {
    write({ 'a.txt': 'a', 'sub/b.txt': 'b' });
    chmodSync(live, 0o711);
    await capture();
    rmSync(live, { recursive: true });
    expect(await bring()).toMatchObject({ missing: { files: 2, directories: 2 } });
    expect(await putBack()).toMatchObject({ done: { files: 2, directories: 2 }, left: 0, failed: 0 });
    expect([text('sub/b.txt'), lstatSync(live).mode & 0o777]).toEqual(['b', 0o711]);

    sink = new MemorySink();
    const single = join(live, 'a.txt');
    await capture(single);
    rmSync(single);
    expect(await bring({ id: 'single' }, single)).toMatchObject({ missing: { files: 1 } });
    await putBack(false, 'single');
    expect(text('a.txt')).toBe('a');
  });

  test('interrupted anywhere, it is repeated: each name comes once and the count is that of one run', async () => {
    write({ 'a.txt': 'a', 'b.txt': 'b', 'sub/c.txt': 'c' });
    await capture();
    for (const name of ['a.txt', 'b.txt', 'sub']) rmSync(join(live, name), { recursive: true });
    await bring();
    // As an attempt that died after its first names.
    const work = join(scratch.path, 'site', hidden()[0] ?? '');
    renameSync(join(work, 'a.txt'), join(live, 'a.txt'));
    expect(await putBack()).toMatchObject({ done: { files: 3, directories: 1 }, left: 0 });
    await discardMissing(context, 'run', true);
    expect(await putBack()).toMatchObject({ done: { files: 3, directories: 1 }, left: 0 });
  });
});

describe('files that differ', () => {
  test('--changed: they become as in the backup, the present ones lie aside; one that is written to meanwhile stays', async () => {
    write({ 'a.txt': 'good', 'b.txt': 'good too', 'sub/c.txt': 'good' });
    await capture();
    // Of the same size and time: only its contents tell.
    const { atime, mtime } = statSync(join(live, 'a.txt'));
    write({ 'a.txt': 'BAD!', 'b.txt': 'worse', 'sub/c.txt': 'encrypted' });
    utimesSync(join(live, 'a.txt'), atime, mtime);
    expect(await bring({ changed: true })).toMatchObject({ differ: { files: 3 }, missing: { files: 0 } });
    write({ 'b.txt': 'written by its owner' });
    const done = await putBack(true);
    expect(done).toMatchObject({ replaced: 2, left: 1, failed: 0 });
    expect([text('a.txt'), text('b.txt'), text('sub/c.txt')]).toEqual(['good', 'written by its owner', 'good']);
    const aside = (name: string): string => readFileSync(join(done.aside ?? '', name), 'utf8');
    expect([aside('a.txt'), aside('sub/c.txt')]).toEqual(['BAD!', 'encrypted']);

    // And back again, but for what was changed since.
    write({ 'sub/c.txt': 'mine' });
    expect(await previewUndo('data', 'run', context)).toMatchObject({ return: { files: 1 }, changedSince: 1 });
    expect(await undoMissing('data', 'run', context)).toMatchObject({ replaced: 1, left: 1, failed: 0 });
    expect([text('a.txt'), text('sub/c.txt')]).toEqual(['BAD!', 'mine']);
  });

  test('one can not be kept aside: it stays live as it was, also when the copies are gone', async () => {
    write({ 'a.txt': 'good', 'sub/c.txt': 'good' });
    await capture();
    write({ 'a.txt': 'mine', 'sub/c.txt': 'mine too' });
    utimesSync(join(live, 'a.txt'), 1000, 1000);
    await bring({ changed: true });
    const aside = join(scratch.path, 'site', '.holdfast-aside-missing-run-data');
    mkdirSync(aside);
    writeFileSync(join(aside, 'sub'), 'no directory');
    expect(await putBack(true)).toMatchObject({ replaced: 1, left: 0, failed: 1 });
    await discardMissing(context, 'run', true);
    expect([text('a.txt'), text('sub/c.txt')]).toEqual(['good', 'mine too']);
  });
});

describe('a run taken back', () => {
  test('what it put there goes again, what was changed or added since stays', async () => {
    write({ 'a.txt': 'a', 'sub/b.txt': 'b', 'gone/c.txt': 'c', 'old.txt': 'old' });
    await capture();
    for (const name of ['a.txt', 'sub', 'gone']) rmSync(join(live, name), { recursive: true });
    await bring();
    await putBack();
    await discardMissing(context, 'run', true);
    write({ 'a.txt': 'edited', 'gone/new.txt': 'new' });
    const found = await previewUndo('data', 'run', context);
    expect(found).toMatchObject({ remove: { files: 2, directories: 2 }, changedSince: 1 });
    expect(await undoMissing('data', 'run', context)).toMatchObject({ done: { files: 2, directories: 1 }, left: 2 });
    expect(readdirSync(live).toSorted()).toEqual(['a.txt', 'gone', 'old.txt']);
    expect([text('a.txt'), text('gone/new.txt'), text('old.txt')]).toEqual(['edited', 'new', 'old']);
    await expect(previewUndo('data', 'never', context)).rejects.toThrow(/knows of nothing/);
  });

  test.each([1, 2, 3])(
    'given up after %i names: what it did is known and taken back, nothing replaced is lost [B8]',
    async (after) => {
      write({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c', 'd.txt': 'd' });
      await capture();
      const lost = { 'a.txt': 'mine a', 'c.txt': 'mine c' };
      write(lost);
      for (const name of ['b.txt', 'd.txt']) rmSync(join(live, name));
      await bring({ changed: true });
      const stop = new AbortController();
      const report = ({ phase, filesDone = 0 }: { phase: string; filesDone?: number }): void => {
        if (phase === 'put back' && filesDone === after) stop.abort(new Error('given up'));
      };
      const stopped = { ...context, report, signal: stop.signal };
      await expect(putBackMissing(stopped, { id: 'run', changed: true })).rejects.toThrow('given up');
      await discardMissing(context, 'run', false);
      expect(hidden().filter((name) => !name.startsWith('.holdfast-aside-'))).toEqual([]);
      await previewUndo('data', 'run', context);
      await undoMissing('data', 'run', context);
      expect(Object.fromEntries(readdirSync(live).map((name) => [name, text(name)]))).toEqual(lost);
    },
  );

  test('killed between the exchange of two names and the keeping of the replaced one: it is kept', async () => {
    write({ 'a.txt': 'a' });
    await capture();
    write({ 'a.txt': 'mine' });
    await bring({ changed: true });
    const [work = ''] = hidden();
    mkdirSync(join(scratch.path, 'site', work.replace('-missing-', '-aside-missing-')));
    exchangeNames(join(scratch.path, 'site', work, 'a.txt'), join(live, 'a.txt'));
    await discardMissing(context, 'run', false);
    expect(text('a.txt')).toBe('a');
    const [aside = ''] = hidden();
    expect(readFileSync(join(scratch.path, 'site', aside, 'a.txt'), 'utf8')).toBe('mine');
  });
});

test('any tree, any loss, any names that appear: what is there is never changed, what is missing comes back', async () => {
  const name = fc.constantFrom('a', 'b', 'c/x', 'c/y', 'd/e/f', 'd/e/g', 'ü/ß');
  const tree = fc.uniqueArray(name, { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(tree, fc.uniqueArray(name), fc.uniqueArray(name), fc.uuid(), async (kept, lost, appear, id) => {
      rmSync(live, { recursive: true, force: true });
      sink = new MemorySink();
      write(Object.fromEntries(kept.map((each) => [each, `kept ${each}`])));
      await capture();
      for (const each of lost) rmSync(join(live, each.split('/')[0] ?? ''), { recursive: true, force: true });
      await bring({ id });
      const mine = appear.filter((each) => !existsSync(join(live, each)));
      write(Object.fromEntries(mine.map((each) => [each, 'mine'])));
      await putBack(false, id);
      await discardMissing(context, id, false);
      for (const each of kept) expect(text(each)).toBe(mine.includes(each) ? 'mine' : `kept ${each}`);
      for (const each of mine) expect(text(each)).toBe('mine');
      expect(hidden()).toEqual([]);
    }),
    { numRuns: 6 },
  );
});
