import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupResult, RestorePlan, RestoreResult, VerifyResult } from '../../src/workflows/contract.ts';
import { waitingFor } from '../workflows/play.ts';
import { makeSite, textOf, type Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await makeSite((data) =>
    [
      'components:',
      '  config:',
      '    kind: files',
      `    path: ${data('config')}`,
      'plans:',
      '  daily:',
      '    components: [config]',
      '    stores: [disk]',
      '    keep: { last: 5 }',
    ].join('\n'),
  );
  await mkdir(site.data('config/sub'), { recursive: true });
  await writeFile(site.data('config/a.txt'), 'one');
  await writeFile(site.data('config/sub/b.bin'), Buffer.alloc(300_000, 7));
  await site.startWorker('orchestration');
  await site.startWorker('host');
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

describe('a small system on real workers', () => {
  test('backup, backup with nothing to do, verify', async () => {
    const first = await site.run<BackupResult>('backup', { plan: 'daily' });
    expect(first).toMatchObject({ outcome: 'done', verified: { level: 'presence', ok: true } });
    const at = performance.now();
    const second = await site.run<BackupResult>('backup', { plan: 'daily' });
    console.log('second backup ms', performance.now() - at, second);
    expect(second).toMatchObject({ outcome: 'done', chunksNew: 0 });
    const verified = await site.run<VerifyResult>('verify', { level: 'content' });
    expect(verified).toMatchObject({ ok: true, backup: second.backup });
  });

  test('files destroyed, then restored after approval of the printed plan', async () => {
    await rm(site.data('config/sub'), { recursive: true });
    await writeFile(site.data('config/a.txt'), 'broken');
    const handle = await site.start('restore', {});
    await waitingFor(handle, 'approval');
    const plan = await handle.query<RestorePlan>('plan');
    await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
    const result = (await handle.result()) as RestoreResult;
    console.log(result);
    expect(result.outcome).toBe('restored');
    expect(await textOf(site.data('config/a.txt'))).toBe('one');
    expect(await textOf(path.join(site.data('config/sub/b.bin')))).toHaveLength(300_000);
  });
});
