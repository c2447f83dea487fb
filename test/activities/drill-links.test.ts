import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { linksOut } from '../../src/activities/drill/links-out.ts';

let directory: string;
let root: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'drill-links-'));
  root = path.join(directory, 'drill');
  await mkdir(path.join(root, 'config'), { recursive: true });
  await mkdir(path.join(directory, 'live'));
  await mkdir(path.join(directory, 'drill-beside'));
  await writeFile(path.join(root, 'config', 'name'), 'restored');
  await symlink('config', path.join(root, 'inside'));
  await symlink(path.join(directory, 'live'), path.join(root, 'config', 'out'));
  await symlink('../drill-beside', path.join(root, 'beside'));
  await symlink('circle', path.join(root, 'circle'));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

function mounting(source: string, { type = 'bind' as const, readOnly = false } = {}) {
  return linksOut(root, [{ service: 'web', mounts: [{ type, source, target: '/app', readOnly }] }]);
}

test.each(['config', 'config/name', 'inside/name'])('%s lies in the copy: it may be mounted', async (name) => {
  expect(await mounting(path.join(root, name))).toEqual([]);
});

test.each(['config/out', 'beside', '../live', 'config/../../live', '..', ''])(
  '"%s" leads out of the copy: refused',
  async (name) => {
    const [why] = await mounting(`${root}/${name}`);
    expect(why).toContain('leads out of the copy');
  },
);

test.each(['nothing', 'config/name/deeper', 'circle'])(
  '%s is not in the backup: refused, with its name',
  async (name) => {
    expect(await mounting(path.join(root, name))).toEqual([`web mounts ${name}, which the backup does not hold`]);
  },
);

test('the clock of the host may be read, and not be written to', async () => {
  expect(await mounting('/etc/localtime', { readOnly: true })).toEqual([]);
  expect(await mounting('/etc/timezone')).not.toEqual([]);
});
