/** A prune on real workers and a real store: what it says it does, beside a capture, with the worker killed in it. */
import { existsSync } from 'node:fs';
import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BackupResult, Progress, PruneResult, VerifyResult } from '../../src/workflows/contract.ts';
import type { AuditLog } from '../../src/status/audit-log.ts';
import { eventually } from '../workflows/stage.ts';
import { filesWithAway, makeSite, type Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await makeSite((data) => filesWithAway(data, ['stores: [disk]', 'keep: { last: 1 }']));
  await site.startWorkers();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

interface DryRun {
  readonly stores: readonly { decisions: readonly { backup: string; keep: boolean; reasons: readonly string[] }[] }[];
}

test('[G4] four backups, last 1, the worker killed in the sweep: two go, the one that is held and the newest are whole', async () => {
  await mkdir(site.data('files'));
  const made: BackupResult[] = [];
  for (let index = 0; index < 4; index += 1) {
    await writeFile(path.join(site.data('files'), 'one.txt'), `line ${index}\n`.repeat(5000 + index));
    made.push(await site.run<BackupResult>('backup', { plan: 'daily' }));
  }
  const [first, , , newest] = made.map(({ backup }) => backup ?? '');
  // A store that is not there is told, and keeps no hold from the others.
  const away = site.data('../away');
  await rename(away, `${away}.off`);
  const held = site.holdfast('hold', 'add', site.system, first ?? '', '--why', 'before the move', '--json');
  const { code, stdout } = (await held.catch((error: unknown) => error)) as { code?: number; stdout?: string };
  expect(code).toBe(2);
  expect(JSON.parse(stdout ?? '')).toMatchObject({ stores: [{ store: 'disk' }], unread: [{ store: 'away' }] });
  await rename(`${away}.off`, away);

  const committedBy = Date.now();
  // What came in less than the minimum age ago takes no place.
  await eventually('the newest is old enough', () => Promise.resolve(Date.now() - committedBy > 1_500 || undefined));

  const dry = JSON.parse(
    await site.holdfast('prune', site.system, '--dry-run', '--json', '--minimum-age', '1s'),
  ) as DryRun;
  const decisions = dry.stores[0]?.decisions ?? [];
  expect(decisions.filter(({ keep }) => keep).map(({ backup }) => backup)).toEqual([newest, first]);
  expect(decisions.at(-1)?.reasons).toEqual(['held: before the move']);
  expect(decisions[1]?.reasons).toEqual(['no rule keeps it']);

  await appendFile(path.join(site.directory, 'system.yaml'), '\nkeepAside: 2d\n');
  // What stands open keeps the sweep waiting, so that the kill finds it there.
  const open = path.join(site.directory, 'store/captures/0123456789ab.json');
  await writeFile(open, 'a capture that nobody can read');
  const handle = await site.start('prune', { store: 'disk', minimumAgeSeconds: 1, graceSeconds: 0.1 });
  await eventually('the sweep waits', async () => {
    const { phase } = await handle.query<Progress>('progress');
    return (phase === 'sweep' && (await closing())) || undefined;
  });
  const [, host] = site.workers();
  if (host !== undefined) await site.kill(host);
  await rm(open);
  await site.startWorker('host');
  if (host !== undefined) await site.giveBack(host, handle);
  const result = (await handle.result()) as PruneResult;
  expect(result).toMatchObject({ outcome: 'swept', removedBackups: 2, lockedObjects: 0 });
  expect(result.deletedObjects).toBeGreaterThan(2);
  for (const backup of [first, newest]) {
    expect(await site.run<VerifyResult>('verify', { backup, level: 'content' })).toMatchObject({ ok: true });
  }
  const again = await site.run<PruneResult>('prune', { store: 'disk', minimumAgeSeconds: 1, graceSeconds: 0.1 });
  expect(again).toMatchObject({ outcome: 'nothing', plan: { removesCount: 0, keeps: 2 } });

  await site.holdfast('hold', 'release', site.system, first ?? '', '--why', 'it is moved');
  const log = await eventually('all of it is in the audit log', async () => {
    const seen = JSON.parse(await site.holdfast('audit', site.system, '--json')) as AuditLog;
    return seen.events.length >= 4 ? seen : undefined;
  });
  expect(log).toMatchObject({ ok: true, problems: [], notes: [] });
  const by = expect.stringMatching(/.+@.+/) as unknown;
  expect(log.events.map(({ event }) => event).toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))).toMatchObject([
    { what: 'done', operation: 'hold', outcome: 'held', about: `backup ${first}`, why: 'before the move', by },
    {
      what: 'ended',
      operation: 'prune',
      outcome: 'swept',
      about: '2 backups of disk, what is older than 1 s, 0.1 s of grace',
    },
    { what: 'done', operation: 'system file', outcome: 'changed', about: 'keepAside: 2d, new' },
    { what: 'done', operation: 'hold', outcome: 'released', why: 'it is moved', by },
  ]);
});

async function closing(): Promise<boolean> {
  const { readdir } = await import('node:fs/promises');
  const sweeps = path.join(site.directory, 'store/sweeps');
  const names = existsSync(sweeps) ? await readdir(sweeps) : [];
  return names.some((name) => existsSync(path.join(sweeps, name, 'closing.json')));
}
