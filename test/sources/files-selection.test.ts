import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { filesKind } from '../../src/sources/kinds/files.ts';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import { holdsUnits, isBootedBySystemd } from '../../src/systemd/unit-places.ts';
import type { FilesComponent } from '../../src/system/types.ts';
import { contextIn, EVERYTHING, MemorySink } from './kinds-helpers.ts';
import { scratchDirectory } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let live: string;
let context: KindContext;

beforeEach(() => {
  scratch = scratchDirectory('selection');
  live = join(scratch.path, 'site', 'data');
  context = contextIn(scratch.path);
});
afterEach(() => scratch.remove());

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(live, name)), { recursive: true });
    writeFileSync(join(live, name), text);
  }
}

const read = (name: string): string | undefined =>
  existsSync(join(live, name)) ? readFileSync(join(live, name), 'utf8') : undefined;

function component(more: Partial<FilesComponent>): FilesComponent {
  const base = { name: 'config', tier: 'important', host: 'h', after: [], include: [], exclude: [] } as const;
  return { ...base, kind: 'files', path: live, minimumAgeSeconds: 0, ...more };
}

async function restoreAfter(of: FilesComponent, change: () => void) {
  const sink = new MemorySink();
  await filesKind.capture(of, sink, context);
  change();
  const beside = await filesKind.restoreBeside(of, sink.readers, EVERYTHING, 'r1', context);
  await filesKind.swapIn(of, beside, context);
  return beside;
}

test('[G3] a component that takes some files of a tree: only they change, the wallet beside them stays', async () => {
  const config = component({ include: ['.env', 'peers/**'] });
  write({ '.env': 'old', 'peers/alice': 'old', 'peers/bob': 'old', 'wallet/seed': 'old', 'compose.yml': 'old' });
  const beside = await restoreAfter(config, () => {
    write({ '.env': 'new', 'peers/alice': 'new', 'peers/late': 'new', 'wallet/seed': 'new', 'compose.yml': 'new' });
    rmSync(join(live, 'peers/bob'));
  });
  const all = () => ['.env', 'peers/alice', 'peers/bob', 'wallet/seed', 'compose.yml'].map(read);
  expect(all()).toEqual(['old', 'old', 'old', 'new', 'new']);
  await filesKind.swapBack(config, beside, context);
  expect(all()).toEqual(['new', 'new', undefined, 'new', 'new']);
  expect(read('peers/late')).toBe('new');
});

test('what is excluded, however deep, is never moved; what is taken and was not there goes aside', async () => {
  const site = component({ exclude: ['cache', '*.log'] });
  write({ a: 'old', 'b/c': 'old', 'b/cache/x': 'old', 'd/e': 'old', 'run.log': 'old' });
  const beside = await restoreAfter(site, () =>
    write({ a: 'new', 'b/cache/x': 'new', 'd/f': 'new', 'run.log': 'new' }),
  );
  expect(['a', 'b/c', 'b/cache/x', 'd/e', 'd/f', 'run.log'].map(read)).toEqual([
    'old',
    'old',
    'new',
    'old',
    undefined,
    'new',
  ]);
  const { aside } = await filesKind.commit(site, beside, { keep: true }, context);
  expect(readFileSync(join(aside ?? '', 'd/f'), 'utf8')).toBe('new');
});

test('a copy of another restore inside the tree: it stays where it is, for its own swap', async () => {
  const whole = component({});
  write({ a: 'old', 'wallet/db': 'old' });
  await restoreAfter(whole, () => write({ a: 'new', 'wallet/.holdfast-other/db': 'beside' }));
  expect([read('a'), read('wallet/db'), read('wallet/.holdfast-other/db')]).toEqual(['old', 'old', 'beside']);
});

test('only old files are taken: younger ones stay', async () => {
  const archive = component({ minimumAgeSeconds: 3600 });
  write({ old: 'captured', young: 'x' });
  const hourAgo = new Date(Date.now() - 7_200_000);
  const { utimesSync } = await import('node:fs');
  utimesSync(join(live, 'old'), hourAgo, hourAgo);
  await restoreAfter(archive, () => write({ old: 'damaged', young: 'y' }));
  expect([read('old'), read('young')]).toEqual(['captured', 'y']);
});

test('[G3] [G5] a unit and its enablement are lost: both are back with their modes, the other units stay as they are', async () => {
  const unit = component({ name: 'unit', include: ['app.service', 'app.service.d/**', '*.wants/app.service'] });
  write({ 'app.service': '[Unit]', 'app.service.d/limits.conf': 'old', 'other.service': 'old' });
  chmodSync(join(live, 'app.service'), 0o640);
  const link = join(live, 'multi-user.target.wants', 'app.service');
  mkdirSync(dirname(link));
  symlinkSync('../app.service', link);
  symlinkSync('../other.service', join(dirname(link), 'other.service'));
  await restoreAfter(unit, () => {
    for (const name of ['app.service', 'app.service.d']) rmSync(join(live, name), { recursive: true });
    rmSync(link);
    write({ 'other.service': 'new' });
  });
  expect(read('app.service.d/limits.conf')).toBe('old');
  expect(statSync(join(live, 'app.service')).mode & 0o777).toBe(0o640);
  expect(readlinkSync(link)).toBe('../app.service');
  expect(read('other.service')).toBe('new');
  expect(readlinkSync(join(dirname(link), 'other.service'))).toBe('../other.service');
});

test('[G3] which files systemd reads units from: its own places, what lies in them, and trees that hold one', async () => {
  const units = ['/etc/systemd/system', '/etc/systemd/system/app.service', '/lib/systemd/system/x.timer', '/etc', '/'];
  expect(units.filter((path) => !holdsUnits(path))).toEqual([]);
  expect(['/opt/app', '/etc/nginx', '/etc/systemd/system-generators'].filter(holdsUnits)).toEqual([]);
  expect(await isBootedBySystemd(join(scratch.path, 'nothing'))).toBe(false);
  expect(await isBootedBySystemd(scratch.path)).toBe(true);
});
