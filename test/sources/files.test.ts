import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { aclValue } from '../../src/sources/acl.ts';
import { filesKind } from '../../src/sources/kinds/files.ts';
import type { Beside, KindContext } from '../../src/sources/kinds/component.ts';
import { setXattr } from '../../src/sources/system-calls.ts';
import type { FilesComponent } from '../../src/system/types.ts';
import { contextIn, EVERYTHING, MemorySink } from './kinds-helpers.ts';
import { isRoot, makeSampleTree, scratchDirectory, treeFacts } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let live: string;
let context: KindContext;

beforeEach(() => {
  scratch = scratchDirectory('files');
  live = join(scratch.path, 'site', 'data');
  mkdirSync(live, { recursive: true });
  context = contextIn(scratch.path);
});
afterEach(() => scratch.remove());

function component(path = live, more: Partial<FilesComponent> = {}): FilesComponent {
  const base = { name: 'data', tier: 'important', host: 'h', after: [], include: [], exclude: [] } as const;
  return { ...base, kind: 'files', path, minimumAgeSeconds: 0, ...more };
}

async function captured(of = component()): Promise<MemorySink> {
  const sink = new MemorySink();
  await filesKind.capture(of, sink, context);
  return sink;
}

/** What of a restore lies beside the live state or in the state directory. */
function leftovers(): string[] {
  const beside = readdirSync(join(scratch.path, 'site')).filter((name) => name.startsWith('.holdfast-'));
  const state = ['restores', 'swaps'].flatMap((name) => {
    const directory = join(context.stateDirectory, name);
    return existsSync(directory) ? readdirSync(directory) : [];
  });
  return [...beside, ...state];
}

function writeAll(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(live, name, '..'), { recursive: true });
    writeFileSync(join(live, name), text);
  }
}

const text = (name: string): string | undefined =>
  existsSync(join(live, name)) ? readFileSync(join(live, name), 'utf8') : undefined;

describe('a tree in place', () => {
  test.runIf(isRoot)('[M5] comes back equal in everything; nothing live changes before the swap', async () => {
    makeSampleTree(live);
    // Device nodes are captured, and brought back into volumes only.
    rmSync(join(live, 'null'));
    const before = treeFacts(live);
    const sink = await captured();
    writeFileSync(join(live, 'a/one'), 'damaged');
    rmSync(join(live, 'many'), { recursive: true });
    const damaged = treeFacts(live);

    const beside = await filesKind.restoreBeside(component(), sink.readers, EVERYTHING, 'r1', context);
    expect((await filesKind.checkBeside(component(), beside, context)).checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(treeFacts(live)).toEqual(damaged);

    await filesKind.swapIn(component(), beside, context);
    expect(treeFacts(live)).toEqual(before);
    const { aside } = await filesKind.commit(component(), beside, { keep: true }, context);
    expect(treeFacts(aside ?? '')).toEqual(damaged);
    expect(await filesKind.commit(component(), beside, { keep: true }, context)).toEqual({ aside });
    await filesKind.commit(component(), beside, { keep: false }, context);
    expect(leftovers()).toEqual([]);
  });

  test.runIf(isRoot)(
    'beside a tree whose parent hands down a group and ACLs: they do not leak into the copy',
    async () => {
      writeAll({ a: 'captured', 'b/c': 'captured' });
      const before = treeFacts(live);
      const sink = await captured();
      const parent = join(live, '..');
      chownSync(parent, 0, 1234);
      chmodSync(parent, 0o2775);
      const inherited = aclValue('user::rwx,user:77:rwx,group::r-x,mask::rwx,other::---') ?? '';
      setXattr(parent, 'system.posix_acl_default', Buffer.from(inherited, 'latin1'));
      const beside = await filesKind.restoreBeside(component(), sink.readers, EVERYTHING, 'r1', context);
      await filesKind.swapIn(component(), beside, context);
      expect(treeFacts(live)).toEqual(before);
    },
  );

  test('swapped and swapped back, each twice: the old state is whole, the copy can be discarded', async () => {
    writeAll({ a: 'captured', 'b/c': 'captured' });
    const sink = await captured();
    writeAll({ a: 'live', d: 'live' });
    const beside = await filesKind.restoreBeside(component(), sink.readers, EVERYTHING, 'r1', context);
    for (let round = 0; round < 2; round += 1) await filesKind.swapIn(component(), beside, context);
    expect([text('a'), text('d')]).toEqual(['captured', undefined]);
    await expect(filesKind.discard(component(), beside, context)).rejects.toMatchObject({ code: 'PlanChanged' });
    for (let round = 0; round < 2; round += 1) await filesKind.swapBack(component(), beside, context);
    expect([text('a'), text('d')]).toEqual(['live', 'live']);
    for (let round = 0; round < 2; round += 1) await filesKind.discard(component(), beside, context);
    expect(leftovers()).toEqual([]);
  });

  test('a tree that is gone: it comes back, and nothing is kept aside', async () => {
    writeAll({ a: 'captured' });
    const sink = await captured();
    rmSync(live, { recursive: true });
    const beside = await filesKind.restoreBeside(component(), sink.readers, EVERYTHING, 'r1', context);
    await filesKind.swapIn(component(), beside, context);
    expect(text('a')).toBe('captured');
    expect(await filesKind.commit(component(), beside, { keep: true }, context)).toEqual({});
  });

  test('restored twice with the same id, the first time half-made: the second copy is whole', async () => {
    writeAll({ a: 'captured', 'b/c': 'captured' });
    const sink = await captured();
    const controller = new AbortController();
    const halfway = { ...context, signal: controller.signal, report: () => controller.abort(new Error('killed')) };
    await expect(filesKind.restoreBeside(component(), sink.readers, EVERYTHING, 'r1', halfway)).rejects.toThrow();
    // As when the word of the first attempt never came back.
    const unknown: Beside = { component: 'data', restoreId: 'r1', place: '', facts: {} };
    const beside = await filesKind.restoreBeside(component(), sink.readers, EVERYTHING, 'r1', context);
    expect((await filesKind.checkBeside(component(), beside, context)).ok).toBe(true);
    await filesKind.discard(component(), unknown, context);
    expect(leftovers()).toEqual([]);
  });

  test('a copy that lost a file before it is taken into use: the check says so', async () => {
    writeAll({ a: 'captured', b: 'captured' });
    const sink = await captured();
    const beside = await filesKind.restoreBeside(component(), sink.readers, EVERYTHING, 'r1', context);
    rmSync(join(beside.place, 'b'));
    const report = await filesKind.checkBeside(component(), beside, context);
    expect(report.ok).toBe(false);
    expect(report.checks.find(({ name }) => name === 'files')).toMatchObject({ ok: false, detail: '1 instead of 2' });
  });

  test('[T4] single paths: only they are exchanged, everything else stays', async () => {
    writeAll({ a: 'captured', 'b/c': 'captured', 'b/d': 'captured', 'gone/deep/e': 'captured' });
    const sink = await captured();
    writeAll({ a: 'live', 'b/c': 'live', 'b/d': 'live' });
    rmSync(join(live, 'gone'), { recursive: true });
    const target = { paths: ['b/c', 'gone/deep/e'] };
    const beside = await filesKind.restoreBeside(component(), sink.readers, target, 'r1', context);
    expect((await filesKind.checkBeside(component(), beside, context)).ok).toBe(true);
    await filesKind.swapIn(component(), beside, context);
    expect(['a', 'b/c', 'b/d', 'gone/deep/e'].map(text)).toEqual(['live', 'captured', 'live', 'captured']);
    await filesKind.swapBack(component(), beside, context);
    expect(['a', 'b/c', 'b/d', 'gone/deep/e'].map(text)).toEqual(['live', 'live', 'live', undefined]);
  });

  test('the path is a link to the tree: the tree is exchanged, the link stays', async () => {
    writeAll({ a: 'captured' });
    const link = join(scratch.path, 'link');
    symlinkSync(live, link);
    const sink = await captured(component(link));
    writeAll({ a: 'live' });
    const beside = await filesKind.restoreBeside(component(link), sink.readers, EVERYTHING, 'r1', context);
    await filesKind.swapIn(component(link), beside, context);
    expect(text('a')).toBe('captured');
    expect(readFileSync(join(link, 'a'), 'utf8')).toBe('captured');
  });
});

test('[B4] a single file comes back in place and keeps its mode; the old one is kept aside', async () => {
  const file = join(live, '.env');
  writeFileSync(file, 'captured', { mode: 0o600 });
  const one = component(file);
  const before = treeFacts(file);
  const sink = await captured(one);
  rmSync(file);
  writeFileSync(file, 'live', { mode: 0o644 });
  const beside = await filesKind.restoreBeside(one, sink.readers, EVERYTHING, 'r1', context);
  expect((await filesKind.checkBeside(one, beside, context)).ok).toBe(true);
  await filesKind.swapIn(one, beside, context);
  expect(treeFacts(file)).toEqual(before);
  const { aside } = await filesKind.commit(one, beside, { keep: true }, context);
  expect(readFileSync(join(aside ?? '', '.env'), 'utf8')).toBe('live');
});

describe('elsewhere', () => {
  test('a new place gets the tree, the live one stays; a repeat finds its own delivery', async () => {
    writeAll({ a: 'captured' });
    const sink = await captured();
    writeAll({ a: 'live' });
    const target = { elsewhere: join(scratch.path, 'other', 'place'), paths: [] };
    await filesKind.restoreBeside(component(), sink.readers, target, 'r1', context);
    const beside = await filesKind.restoreBeside(component(), sink.readers, target, 'r1', context);
    expect(beside.place).toBe(target.elsewhere);
    expect((await filesKind.checkBeside(component(), beside, context)).ok).toBe(true);
    await filesKind.swapIn(component(), beside, context);
    await filesKind.commit(component(), beside, { keep: true }, context);
    // Committed: it is the operator's now.
    await filesKind.discard(component(), beside, context);
    expect(readFileSync(join(target.elsewhere, 'a'), 'utf8')).toBe('captured');
    expect(text('a')).toBe('live');
    expect(readdirSync(join(scratch.path, 'other'))).toEqual(['place']);
  });

  test('a place with something in it: TargetNotEmpty, and it stays', async () => {
    writeAll({ a: 'captured' });
    const sink = await captured();
    const elsewhere = join(scratch.path, 'full');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'mine'), 'mine');
    const target = { elsewhere, paths: [] };
    await expect(filesKind.restoreBeside(component(), sink.readers, target, 'r1', context)).rejects.toMatchObject({
      code: 'TargetNotEmpty',
    });
    await filesKind.discard(component(), { component: 'data', restoreId: 'r1', place: '', facts: {} }, context);
    expect(readdirSync(elsewhere)).toEqual(['mine']);
  });
});

describe('nothing to back up is no backup', () => {
  test('an empty directory: SourceEmpty', async () => {
    await expect(captured()).rejects.toMatchObject({ code: 'SourceEmpty' });
  });

  test('a path that does not exist: SourceMissing, and inspect says that it is not there', async () => {
    const gone = component(join(scratch.path, 'gone'));
    await expect(captured(gone)).rejects.toMatchObject({ code: 'SourceMissing' });
    expect(await filesKind.inspect(gone, context)).toMatchObject({ exists: false });
  });
});

test('copies and asides of a restore are in no capture', async () => {
  writeAll({ a: 'captured' });
  mkdirSync(join(live, '.holdfast-aside-r0-data'));
  writeFileSync(join(live, '.holdfast-aside-r0-data', 'old'), 'old');
  const sink = new MemorySink();
  const { facts } = await filesKind.capture(component(), sink, context);
  expect(facts).toMatchObject({ files: 1, entries: 1, shape: 'directory' });
  expect(await filesKind.inspect(component(), context)).toMatchObject({ exists: true, problems: [] });
});

test('a path that leads out of the component: BadInput', async () => {
  writeAll({ a: 'captured' });
  const sink = await captured();
  for (const path of ['../x', '/etc', 'a/../../x']) {
    await expect(
      filesKind.restoreBeside(component(), sink.readers, { paths: [path] }, 'r1', context),
    ).rejects.toMatchObject({ code: 'BadInput' });
  }
});
