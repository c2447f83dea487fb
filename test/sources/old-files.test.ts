/** What housekeeping takes for one thing, and its removal. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeIfAsSeen, unitsOf, type Unit } from '../../src/sources/old-files.ts';
import type { FilesComponent } from '../../src/system/types.ts';

const signal = new AbortController().signal;
let live: string;
let component: FilesComponent;

beforeEach(async () => {
  live = await mkdtemp(path.join(tmpdir(), 'holdfast-old-'));
  const common = { name: 'checkpoints', tier: 'important', host: 'here', after: [] } as const;
  component = { ...common, kind: 'files', path: live, include: [], exclude: ['*.lock'], minimumAgeSeconds: 0 };
  await mkdir(path.join(live, 'cp', 'da\u00fcta'), { recursive: true });
  await writeFile(path.join(live, 'cp', 'da\u00fcta', 'database.db'), 'state');
  await writeFile(path.join(live, 'cp', 'manifest.json'), '{}');
});

afterEach(() => rm(live, { recursive: true, force: true }));

async function checkpoint(): Promise<Unit> {
  const [unit, ...others] = await unitsOf(component, { units: 'entries', include: [], exclude: [] }, signal);
  if (unit === undefined || others.length > 0) throw new Error('one was expected');
  return unit;
}

const left = async (): Promise<string[]> => (await readdir(live, { recursive: true })).toSorted();

describe('[B3] the removal of a directory', () => {
  test('as it was seen: it goes as a whole', async () => {
    expect(await removeIfAsSeen(await checkpoint())).toBe(true);
    expect(await left()).toEqual([]);
  });

  test.each([
    ['a file of it was changed since', path.join('cp', 'manifest.json')],
    ['somebody put something into it', path.join('cp', 'da\u00fcta', 'new.db')],
  ])('%s: all of it stays', async (_, file) => {
    const unit = await checkpoint();
    await writeFile(path.join(live, file), 'later');
    const before = await left();
    expect(await removeIfAsSeen(unit)).toBe(false);
    expect(await left()).toEqual(before);
  });

  test('it holds what is never captured: all of it stays', async () => {
    await writeFile(path.join(live, 'cp', 'writer.lock'), '');
    const before = await left();
    expect(await removeIfAsSeen(await checkpoint())).toBe(false);
    expect(await left()).toEqual(before);
  });
});
