import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackupResult, RestoreResult } from '../../src/workflows/contract.ts';
import { failureOf } from '../workflows/play.ts';
import { makeSite, textOf, type Site } from './site.ts';

/** A system whose components live on two hosts, each with a worker of its own. */
let site: Site;

beforeAll(async () => {
  const describe = (data: (name: string) => string): string =>
    [
      'components:',
      `  near: { kind: files, host: alpha, path: ${data('near')} }`,
      `  far: { kind: files, host: beta, path: ${data('far')} }`,
      `  lost: { kind: files, host: beta, path: ${data('lost')} }`,
      'plans:',
      '  daily: { components: [near, far, lost], stores: [disk] }',
    ].join('\n');
  site = await makeSite(describe, ['alpha', 'beta']);
  for (const name of ['near', 'far', 'lost']) {
    await mkdir(site.data(name));
    await writeFile(site.data(`${name}/a.txt`), `of ${name}`);
  }
  await site.startWorker('orchestration');
  await site.startWorker('host', 'alpha');
  await site.startWorker('host', 'beta');
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

async function reports(kind: string): Promise<Record<string, unknown>[]> {
  const directory = path.join(site.directory, 'home', 'reports', site.system, kind);
  const names = await readdir(directory);
  const texts = await Promise.all(names.map((name) => readFile(path.join(directory, name), 'utf8')));
  return texts.map((text) => JSON.parse(text) as Record<string, unknown>);
}

test('each host looks at its own: the plan knows what is gone and what changed there, and all is restored', async () => {
  await site.run<BackupResult>('backup', { plan: 'daily' });
  await rm(site.data('lost'), { recursive: true });
  await writeFile(site.data('far/a.txt'), 'written since');

  const { plan } = await site.run<RestoreResult>('restore', { mode: 'plan' });
  const live = plan.components.map(({ name, host, liveExists }) => [name, host, liveExists]);
  expect(live.toSorted()).toEqual([
    ['far', 'beta', true],
    ['lost', 'beta', false],
    ['near', 'alpha', true],
  ]);
  expect(plan.actions).toContainEqual({ component: 'lost', action: 'create', on: [site.data('lost')] });
  expect(plan.warnings.filter((warning) => warning.startsWith('far: changes after'))).toHaveLength(1);
  expect(plan.warnings.filter((warning) => warning.includes('not looked at'))).toEqual([]);

  const restored = await site.run<RestoreResult>('restore', { approve: plan.digest, approvedBy: 'ann' });
  expect(restored.outcome).toBe('restored');
  for (const name of ['near', 'far', 'lost']) expect(await textOf(site.data(`${name}/a.txt`))).toBe(`of ${name}`);
});

test('a backup and a restore that fail: each leaves a report with the code, the message and the hint', async () => {
  await rm(site.data('far'), { recursive: true });
  const backup = await failureOf(site.run('backup', { plan: 'daily' }));
  expect(backup.type).toBe('SourceMissing');
  const restore = await failureOf(site.run('restore', { approve: '0123456789ab', approvedBy: 'ann' }));
  expect(restore.type).toBe('PlanChanged');

  const failures = [...(await reports('backup')), ...(await reports('restore'))].filter(
    ({ outcome }) => outcome === 'failed',
  );
  expect(failures).toMatchObject([
    { kind: 'backup', failure: { code: 'SourceMissing', message: backup.message, hint: expect.any(String) as string } },
    { kind: 'restore', failure: { code: 'PlanChanged', message: restore.message, hint: expect.any(String) as string } },
  ]);
});
