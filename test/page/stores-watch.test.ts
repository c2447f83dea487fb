/** What the page knows of stores and hosts, looked at again and again. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { StoresWatch } from '../../src/page/watch/stores-watch.ts';
import { keysDirectory } from '../../src/system/home.ts';
import { registerSystem } from '../../src/system/load.ts';
import { temporaryHome } from '../engine/home.ts';
import { keySection } from '../system/keys.ts';

const ENGINE = { running: false, operations: [], incidents: [], healed: [], ended: [] };

afterEach(() => vi.useRealTimers());

it('the rights of a key were too wide and are mended: the page tells it no longer than what is down', async () => {
  using home = temporaryHome();
  const file = path.join(home.path, 'shop.yaml');
  // A store that is missing would be a trouble of its own.
  await mkdir(path.join(home.path, 'nas'));
  await writeFile(
    file,
    [
      'system: shop',
      `stores: { nas: { kind: directory, path: ${path.join(home.path, 'nas')} } }`,
      `components: { config: { kind: files, path: ${file} } }`,
      'plans: { daily: { components: [config], stores: [nas] } }',
      keySection(),
    ].join('\n'),
  );
  await registerSystem(file);
  const key = path.join(keysDirectory('shop'), 'signer');
  await writeFile(key, 'a key\n');
  await chmod(key, 0o644);

  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  const watch = new StoresWatch(() => Promise.resolve([]));
  const checks = async (): Promise<string[]> =>
    (await watch.look(ENGINE, [])).flatMap(({ findings }) => findings.map(({ check }) => check));
  expect(await checks()).toContain('rights');

  await chmod(key, 0o600);
  vi.setSystemTime(Date.now() + 15_000);
  expect(await checks()).not.toContain('rights');
});
