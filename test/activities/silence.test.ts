import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { HostContext } from '../../src/activities/host-context.ts';
import type { Run } from '../../src/activities/shell.ts';
import type { SiteSeen } from '../../src/activities/site-watch/look.ts';
import { lookForSilence } from '../../src/activities/site-watch/silence.ts';
import { pauseAfterSeconds } from '../../src/policy/failover/automatic.ts';
import { writeLease } from '../../src/sites/site-files.ts';
import { systemFrom } from '../system/small-system.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-silence-'));
  vi.stubEnv('HOLDFAST_HOME', directory);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

const answers = (): string => path.join(directory, 'answers');
const system = (...more: string[]) =>
  systemFrom('shop', [
    'site: home',
    'stores: { nas: { kind: directory, path: /mnt/nas }, witness: { kind: directory, path: /mnt/witness } }',
    'components: { data: { kind: files, path: /srv } }',
    'plans: { daily: { components: [data], stores: [nas], rpo: 24h } }',
    'failover:',
    '  sites: [home, far]',
    '  authority: witness',
    `  assess: { from: { here: { command: [test, -e, ${answers()}] } } }`,
    ...more.map((line) => `  ${line}`),
  ]);

test('[M7] a site that may take over by itself: two silent looks in a row are news, with a guard that is there, and only where it is not active', async () => {
  const signal = AbortSignal.timeout(60_000);
  const found = async (
    look: ReturnType<typeof lookForSilence>,
    of = system('automatic: { downFor: 5m }'),
    at = 'far',
  ) => {
    // A command on this machine asks the host for nothing, and a look reads no more of a generation.
    const newest = { n: 3, site: at } as SiteSeen['newest'];
    const context = { host: 'home' } as HostContext;
    return look({ context, system: of, authority: undefined, newest }, { signal } as Run);
  };
  const unguarded = lookForSilence();
  for (let turn = 0; turn < 3; turn += 1) expect(await found(unguarded)).toEqual([]);

  await writeLease('shop', { site: 'home', generation: 3, stack: 'down', told: 'it is not ours' });
  const look = lookForSilence();
  const news = [{ kind: 'silent', mark: 'silent 3', n: 3, site: 'far' }];
  expect([await found(look), await found(look)]).toEqual([[], news]);
  await writeFile(answers(), '');
  expect(await found(look)).toEqual([]);
  await rm(answers());
  expect([await found(look), await found(look)]).toEqual([[], news]);
  expect(await found(look, undefined, 'home')).toEqual([]);
  expect([await found(look, system()), await found(look, system())]).toEqual([[], []]);
});

test('what is tried in vain is tried ever more rarely, at most an hour apart', () => {
  expect([0, 1, 2, 3, 7, 99].map(pauseAfterSeconds)).toEqual([0, 60, 120, 240, 3600, 3600]);
});
