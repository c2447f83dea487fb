import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failAttemptsOfDead } from '../../src/engine/recover.ts';
import { openStore } from '../../src/stores/index.ts';
import { workflowIds, type BackupResult, type CopyResult, type RestoreResult } from '../../src/workflows/contract.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { resolveS3Secret, S3_ACCESS_KEY, S3_SECRET_KEY, s3StoreConfig, startS3Server } from '../support/s3-server.ts';
import type { S3Server } from '../support/s3-server.ts';
import { noise } from '../support/vault.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, textOf, type Site } from './site.ts';

let server: S3Server;
let proxy: FaultProxy;
let site: Site;

beforeAll(async () => {
  server = await startS3Server();
  proxy = await startFaultProxy(server.url);
  process.env['HOLDFAST_TEST_S3_ID'] = S3_ACCESS_KEY;
  process.env['HOLDFAST_TEST_S3_SECRET'] = S3_SECRET_KEY;
  site = await makeSite((data) =>
    [
      '  s3:',
      '    kind: s3',
      `    bucket: ${server.bucket}`,
      `    endpoint: ${proxy.url}`,
      '    prefix: little-stack',
      '    accessKeyId: { env: HOLDFAST_TEST_S3_ID }',
      '    secretAccessKey: { env: HOLDFAST_TEST_S3_SECRET }',
      '  nas:',
      '    kind: directory',
      `    path: ${path.join(data('..'), 'nas')}`,
      'components:',
      '  data:',
      '    kind: files',
      `    path: ${data('files')}`,
      'plans:',
      '  daily:',
      '    components: [data]',
      '    stores: [s3, disk, nas]',
    ].join('\n'),
  );
  await mkdir(site.data('files'));
  for (let n = 1; n <= 8; n += 1) await writeFile(site.data(`files/${n}.bin`), noise(n, 1_200_000));
  await writeFile(site.data('files/word'), 'one');
  await site.startWorkers();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await proxy.close();
  await server.stop();
});

const STORES = ['s3', 'disk', 'nas'] as const;

async function copied(target: string): Promise<CopyResult> {
  return (await site.env.client.workflow.getHandle(workflowIds.copy(site.system, target)).result()) as CopyResult;
}

interface Status {
  readonly behind: readonly unknown[];
  readonly copies: readonly unknown[];
}

/** Whatever its exit code says. */
async function status(): Promise<Status> {
  const text = await site.holdfast('status', site.system, '--json').catch((error: unknown) => {
    const { stdout } = error as { stdout?: string };
    return stdout ?? '';
  });
  const { systems } = JSON.parse(text) as { systems: Status[] };
  const [own] = systems;
  if (own === undefined) throw new Error('status tells of no system');
  return own;
}

/** From this store alone: the whole component, beside the live one. */
async function wordIn(store: string, backup: string): Promise<string> {
  const target = site.data(`from-${store}-${backup}`);
  const result = await site.run<RestoreResult>('restore', { store, backup, components: 'data', target });
  expect(result.outcome).toBe('restored');
  expect(result.checks.every(({ ok }) => ok)).toBe(true);
  for (let n = 1; n <= 8; n += 1) {
    expect(await textOf(path.join(target, `${n}.bin`))).toBe(await textOf(site.data(`files/${n}.bin`)));
  }
  return textOf(path.join(target, 'word'));
}

test('[M4] [T2] [G1] [B6] S3 is down for the whole capture: the backup ends up in all its stores once it is back, and each restores it', async () => {
  // The first store takes it while all is well; the others are filled by copies.
  const first = await site.run<BackupResult>('backup', { plan: 'daily' });
  expect(first).toMatchObject({ outcome: 'done', store: 's3' });
  await Promise.all([copied('disk'), copied('nas')]);

  proxy.always(() => ({ kind: 'reset' }));
  await writeFile(site.data('files/word'), 'two');
  const second = await site.run<BackupResult>('backup', { plan: 'daily' });
  expect(second).toMatchObject({ outcome: 'done', store: 'disk', verified: { ok: true } });
  expect(second.warnings?.join()).toContain('s3 was passed over');
  expect(await copied('nas')).toMatchObject({ backups: 1, refused: [] });
  const waiting = site.env.client.workflow.getHandle(workflowIds.copy(site.system, 's3'));
  expect((await waiting.describe()).status.name).toBe('RUNNING');

  const away = await status();
  expect(away.behind).toMatchObject([{ store: 's3', copy: { workflowId: `${site.system}/copy/s3` } }]);
  expect(away.copies).toMatchObject([{ plan: 'daily', backup: second.backup, stores: ['disk', 'nas'], copies: 3 }]);

  proxy.always(undefined);
  const late = await copied('s3');
  expect(late).toMatchObject({ backups: 1, refused: [], verified: [{ backup: second.backup, ok: true }] });
  for (const store of STORES) {
    expect(await wordIn(store, second.backup ?? '')).toBe('two');
  }
  const [newest, oldest] = await Promise.all([wordIn('s3', 'latest'), wordIn('nas', first.backup ?? '')]);
  expect([newest, oldest]).toEqual(['two', 'one']);
  const back = await status();
  expect(back.behind).toEqual([]);
  expect(back.copies).toMatchObject([{ copies: 4, offsite: 1, media: ['disk', 'object storage'], errors: 0 }]);
});

test('the worker is killed in the middle of a copy: the next attempt sends what is missing, and the copy is whole', async () => {
  for (let n = 1; n <= 8; n += 1) await writeFile(site.data(`files/${n}.bin`), noise(n + 100, 1_200_000));
  await writeFile(site.data('files/word'), 'three');
  // Some chunks arrive, the rest hang on their way.
  let sent = 0;
  proxy.always(({ method, url }) => {
    if (method !== 'PUT' || !url.includes('/chunks/')) return undefined;
    sent += 1;
    return sent > 3 ? { kind: 'hang' } : undefined;
  });
  const plan = { plan: 'daily' };
  // The disk takes the capture, so that S3 gets a copy.
  const file = path.join(site.directory, 'system.yaml');
  await writeFile(file, (await textOf(file)).replace('stores: [s3, disk, nas]', 'stores: [disk, nas, s3]'));
  const backup = await site.run<BackupResult>('backup', plan);
  expect(backup).toMatchObject({ outcome: 'done', store: 'disk' });
  await eventually('some chunks are on their way', () => sent > 3 || undefined);
  const host = site.workers().at(-1);
  if (host?.pid === undefined) throw new Error('there is no host worker');
  await site.kill(host);
  const store = await openStore(s3StoreConfig(server, { prefix: 'little-stack' }), resolveS3Secret);
  const manifests: string[] = [];
  for await (const { key } of store.list('backups/daily/')) manifests.push(key);
  await store.close();
  expect(manifests.filter((key) => key.includes(backup.backup ?? '?'))).toEqual([]);

  proxy.always(undefined);
  await failAttemptsOfDead(site.env.client, host.pid);
  await site.startWorker('host');
  expect(await copied('s3')).toMatchObject({ refused: [], verified: [{ backup: backup.backup, ok: true }] });
  expect(await wordIn('s3', backup.backup ?? '')).toBe('three');
});
