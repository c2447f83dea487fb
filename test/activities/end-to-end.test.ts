import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AsideAnswer } from '../../src/cli/aside-texts.ts';
import type { AuditLog } from '../../src/status/audit-log.ts';
import type { BackupResult, RestorePlan, RestoreResult, VerifyResult } from '../../src/workflows/contract.ts';
import { failureOf, waitingFor } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, textOf, type Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await makeSite((data) =>
    [
      'components:',
      '  config:',
      '    kind: files',
      `    path: ${data('config')}`,
      '  bulk:',
      '    kind: files',
      '    tier: reference',
      `    path: ${data('bulk')}`,
      '  orders:',
      '    kind: sqlite',
      '    tier: critical',
      `    path: ${data('orders.db')}`,
      '    requiredTables: [orders]',
      'plans:',
      '  daily:',
      '    components: [config, orders]',
      '    stores: [disk]',
      '    keep: { last: 5 }',
      '  bulk:',
      '    components: [bulk]',
      '    stores: [disk]',
      '    keep: { last: 5 }',
    ].join('\n'),
  );
  await mkdir(site.data('config/sub'), { recursive: true });
  await mkdir(site.data('bulk'));
  await writeFile(site.data('config/a.txt'), 'one');
  await writeFile(site.data('config/sub/b.bin'), Buffer.alloc(300_000, 7));
  order(3);
  await site.startWorkers();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

function order(amount: number): void {
  using database = new DatabaseSync(site.data('orders.db'));
  database.exec('CREATE TABLE IF NOT EXISTS orders (amount INTEGER)');
  database.prepare('INSERT INTO orders VALUES (?)').run(amount);
}

function total(): number {
  using database = new DatabaseSync(site.data('orders.db'), { readOnly: true });
  return Number(database.prepare('SELECT sum(amount) AS total FROM orders').get()?.['total']);
}

async function approved(input: object): Promise<RestoreResult> {
  const handle = await site.start('restore', input);
  await waitingFor(handle, 'approval');
  const plan = await handle.query<RestorePlan>('plan');
  await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
  return (await handle.result()) as RestoreResult;
}

describe('a small system on real workers', () => {
  test('first backup, one with nothing to do, both whole when read back [M3]', async () => {
    const first = await site.run<BackupResult>('backup', { plan: 'daily' });
    expect(first).toMatchObject({ outcome: 'done', verified: { level: 'presence', ok: true } });
    expect(first.storedBytes).toBeGreaterThan(0);
    const second = await site.run<BackupResult>('backup', { plan: 'daily' });
    expect(second).toMatchObject({ outcome: 'done', chunksNew: 0, storedBytes: 0 });
    const verified = await site.run<VerifyResult>('verify', { level: 'content' });
    expect(verified).toMatchObject({ ok: true, backup: second.backup, bad: [] });
  });

  test('data destroyed, plan approved: everything is back, the broken state lies aside and in a safety backup [M5] [M6]', async () => {
    await rm(site.data('config/sub'), { recursive: true });
    await writeFile(site.data('config/a.txt'), 'broken');
    order(1000);
    const result = await approved({});
    expect(result.outcome).toBe('restored');
    expect(result.plan.components.map(({ name }) => name)).toEqual(['orders', 'config']);
    expect(result.checks.every(({ ok }) => ok)).toBe(true);
    expect(await textOf(site.data('config/a.txt'))).toBe('one');
    expect(await textOf(site.data('config/sub/b.bin'))).toHaveLength(300_000);
    expect(total()).toBe(3);
    expect(result.aside.length).toBeGreaterThan(0);
    expect(result.aside.every((place) => existsSync(place))).toBe(true);
    expect(result.safetyBackup).toBeDefined();
    const latest = await site.run<RestoreResult>('restore', { mode: 'plan' });
    expect(latest.plan.backup).toBe(result.plan.backup);
  });

  test("an event for the audit log that no operation has handed over: it is refused, and the operations' own are in it", async () => {
    const log = async () => JSON.parse(await site.holdfast('audit', site.system, '--json')) as AuditLog;
    const { events } = await eventually('the restore has ended in the log', async () => {
      const seen = await log();
      return seen.events.some(({ event }) => event.what === 'ended') ? seen : undefined;
    });
    expect(events.map(({ event }) => event)).toMatchObject([
      { what: 'asked', operation: 'restore' },
      { what: 'approved', by: 'ann' },
      { what: 'ended', outcome: 'restored' },
    ]);
    // With the names of a run that there was: it did not start this one.
    const [, genuine] = events;
    const forged = { ...genuine?.event, id: 'forged', by: 'the owner', identity: 'holdfast:owner@desk' };
    const refused = await failureOf(site.run('audit', forged));
    expect(refused.type).toBe('Untrusted');
    expect(refused.message).toContain(genuine?.event.workflowId);
    expect(await log()).toMatchObject({ ok: true, events });

    // Everything that could tell of it, in the stores and on this machine; the engine still has the runs that wrote it.
    const verified = () => site.holdfast('audit', site.system, '--verify', '--json').catch((error: unknown) => error);
    const state = path.join(site.directory, 'home', 'state', site.system);
    const last = events.at(-1)?.key ?? '';
    const places = [path.join(site.directory, 'store', last), path.join(state, 'audit-log', last)];
    const off = (index: number): string => path.join(site.directory, `cut-${index}`);
    for (const [index, place] of places.entries()) await rename(place, off(index));
    await rm(path.join(state, 'audit-heads.json'));
    const cut = JSON.parse(String(((await verified()) as { stdout?: unknown }).stdout)) as AuditLog;
    expect(cut.problems).toMatchObject([
      { kind: 'cut', what: expect.stringContaining(`${last}, which the engine wrote`) as unknown },
    ]);
    expect(cut.notes).toEqual([expect.stringMatching(/somebody tried/)]);
    for (const [index, place] of places.entries()) await rename(off(index), place);
    expect(JSON.parse(String(await verified()))).toMatchObject({ ok: true, problems: [] });
  });

  test('one component, single paths, from a backup named by its id: nothing else changes', async () => {
    const { backup } = await site.run<BackupResult>('backup', { plan: 'daily' });
    order(500);
    await writeFile(site.data('config/a.txt'), 'two');
    await writeFile(site.data('config/sub/b.bin'), 'three');
    const result = await approved({ backup, components: 'config', paths: 'a.txt' });
    expect(result.outcome).toBe('restored');
    expect(await textOf(site.data('config/a.txt'))).toBe('one');
    expect(await textOf(site.data('config/sub/b.bin'))).toBe('three');
    expect(total()).toBe(503);
  });

  test('another target and verify only: nothing live is touched, and verify leaves nothing behind', async () => {
    const before = await readdir(site.data('.'));
    const elsewhere = site.data('elsewhere');
    const copied = await site.run<RestoreResult>('restore', { components: 'config', target: elsewhere });
    expect(copied.outcome).toBe('restored');
    expect(await textOf(`${elsewhere}/a.txt`)).toBe('one');
    await rm(elsewhere, { recursive: true });
    const verified = await site.run<RestoreResult>('restore', { mode: 'verify' });
    expect(verified.outcome).toBe('verified');
    expect(await readdir(site.data('.'))).toEqual(before);
  });

  test('what one restore kept aside: removed at a word and told, what another kept stays; a repeat finds nothing', async () => {
    const aside = async (...options: string[]): Promise<AsideAnswer> =>
      JSON.parse(await site.holdfast('aside', site.system, 'config', ...options, '--json')) as AsideAnswer;
    const { kept } = await aside();
    expect(kept).toMatchObject([
      { component: 'config', state: 'stays', why: 'kept for 7 d', sizeBytes: 6 },
      { state: 'stays', sizeBytes: expect.any(Number) as number },
    ]);
    const [{ restoreId, place } = { restoreId: '', place: '' }, other] = kept;
    const now = ['--remove', '--restore', restoreId, '--now'];
    expect((await aside(...now)).kept).toMatchObject([{ restoreId, state: 'gone' }]);
    expect((await aside(...now)).kept).toEqual([]);
    expect([existsSync(place), existsSync(other?.place ?? '')]).toEqual([false, true]);
    expect(await textOf(site.data('config/a.txt'))).toBe('one');
    const { events } = JSON.parse(await site.holdfast('audit', site.system, '--json')) as AuditLog;
    expect(events.map(({ event }) => event)).toContainEqual(
      expect.objectContaining({
        what: 'done',
        operation: 'kept aside',
        about: expect.stringContaining(place) as string,
      }),
    );
  });

  test('live data missing altogether, as on a new machine: made again', async () => {
    await rm(site.data('config'), { recursive: true });
    await rm(site.data('orders.db'));
    const result = await approved({});
    expect(result.outcome).toBe('restored');
    expect(await textOf(site.data('config/a.txt'))).toBe('one');
    expect(total()).toBe(3);
  });

  test('no such backup, no such component: the code of the catalogue and what there is', async () => {
    expect((await failureOf(site.run('verify', { backup: 'nope' }))).type).toBe('BackupMissing');
    const failure = await failureOf(site.run('restore', { components: 'orderz' }));
    expect(failure.type).toBe('BadInput');
    expect(failure.message).toContain('orders');
  });

  test('the host worker is killed in the middle of a capture: the backup goes on with the next worker', async () => {
    for (let index = 0; index < 40; index++) {
      const noise = Buffer.alloc(1_000_000);
      for (let at = 0; at < noise.length; at += 4)
        noise.writeUInt32LE((Math.imul(at + 1, 2654435761) ^ index) >>> 0, at);
      await writeFile(site.data(`bulk/${index}.bin`), noise);
    }
    const [, host] = site.workers();
    const handle = await site.start('backup', { plan: 'bulk' });
    await eventually('the capture has begun', async () => {
      const { raw, status } = await handle.describe();
      const captures = raw.pendingActivities?.some(({ activityType }) => activityType?.name === 'captureGroup');
      // On a very fast machine it may be over already: then the kill comes late, and the rest holds all the same.
      return captures === true || status.name !== 'RUNNING' || undefined;
    });
    if (host !== undefined) await site.kill(host);
    await site.startWorker('host');
    if (host !== undefined) await site.giveBack(host, handle);
    const result = (await handle.result()) as BackupResult;
    expect(result).toMatchObject({ outcome: 'done', verified: { ok: true } });
    expect(await site.run<VerifyResult>('verify', { backup: result.backup, level: 'content' })).toMatchObject({
      ok: true,
    });
  });
});
