import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { drillHtml, drillMarkdown } from '../../src/observe/drill-report.ts';
import type { BackupResult, DrillReport, DrillResult } from '../../src/workflows/contract.ts';
import { failureOf } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, type Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await makeSite((data) =>
    [
      'components:',
      '  config:',
      '    kind: files',
      `    path: ${data('config')}`,
      '  orders:',
      '    kind: sqlite',
      '    tier: critical',
      `    path: ${data('orders.db')}`,
      '    requiredTables: [orders]',
      '    checks: { minimumRows: { orders: 2 } }',
      'plans:',
      '  daily:',
      '    components: [config, orders]',
      '    stores: [disk]',
      '    rpo: 24h',
      '  often:',
      '    components: [orders]',
      '    stores: [disk]',
      'objectives: { tiers: { critical: 1h } }',
      'drills:',
      '  weekly: { schedule: 0 22 * * 5, plan: daily, within: 4h }',
      '  monthly: { plan: daily, olderThan: 30d }',
    ].join('\n'),
  );
  await mkdir(site.data('config/sub'), { recursive: true });
  await writeFile(site.data('config/a.txt'), 'one');
  await writeFile(site.data('config/sub/b.bin'), Buffer.alloc(300_000, 7));
  order(3);
  order(4);
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

/** Everything of a drill that could be left on this host. */
async function left(): Promise<string[]> {
  const state = path.join(site.directory, 'home', 'state', site.system);
  const own = ['drills', 'restores', 'runs', 'scratch-servers'].map(async (name) => {
    const there = path.join(state, name);
    return existsSync(there) ? (await readdir(there)).map((file) => `${name}/${file}`) : [];
  });
  const beside = (await readdir(site.data('.'))).filter((name) => name.startsWith('.holdfast'));
  return [...(await Promise.all(own)).flat(), ...beside];
}

describe('drills of a small system on real workers', () => {
  let backup = '';

  test('a drill by kind: restored, checked, measured, proved, reported, and nothing is left [M9] [T12] [B9]', async () => {
    ({ backup = '' } = await site.run<BackupResult>('backup', { plan: 'daily' }));
    const before = await readdir(site.data('.'));
    const result = await site.run<DrillResult>('drill', { kind: 'weekly', by: 'ann' });
    expect(result).toMatchObject({ outcome: 'passed', ok: true, proofs: [{ backup, store: 'disk', ok: true }] });
    expect(result.report).toMatchObject({ kind: 'weekly', by: 'ann', rtoObjectiveSeconds: 14_400 });
    expect(result.report?.checks.length).toBeGreaterThan(4);
    expect(result.report?.phases.map(({ name }) => name)).toContain('restore orders');
    expect(result.report?.rtoSeconds).toBeGreaterThan(0);
    expect(result.report?.measured).toMatchObject([{ component: 'orders', objectiveSeconds: 3600 }]);
    expect(result.report?.losses).toMatchObject([{ plan: 'daily', objectiveSeconds: 86_400 }, { plan: 'often' }]);
    expect(await readdir(site.data('.'))).toEqual(before);
    expect(await left()).toEqual([]);
  });

  test('what drills there were: from the stores, as JSON, Markdown and HTML [G7]', async () => {
    const listed = JSON.parse(await site.holdfast('drills', site.system, '--json')) as { drills: DrillReport[] };
    expect(listed.drills).toMatchObject([{ kind: 'weekly', outcome: 'passed' }]);
    expect(await site.holdfast('list', site.system)).toContain('restored');
    const [report] = listed.drills;
    if (report === undefined) throw new Error('there is no report');
    expect(drillMarkdown(report)).toContain('| RTO (restore until the last check) |');
    expect(drillMarkdown(report)).toContain(backup);
    expect(drillHtml(report)).toContain('<td class="good">met');
  });

  test('only a part of a backup: the part is proved, and the backup is not', async () => {
    const result = await site.run<DrillResult>('drill', { plan: 'daily', components: 'config' });
    expect(result).toMatchObject({ outcome: 'passed', proofs: [] });
    expect(result.report?.warnings.join()).toContain('only a part');
  });

  test('no backup is as old as asked for: the nearest is taken, and the report says so [B9]', async () => {
    const result = await site.run<DrillResult>('drill', { kind: 'monthly' });
    expect(result.outcome).toBe('passed');
    expect(result.report?.warnings.join()).toContain('none comes nearer to the 30.0 asked for');
  });

  test('a look: what would be made, nothing is made', async () => {
    const { outcome, plan } = await site.run<DrillResult>('drill', { mode: 'plan' });
    expect(outcome).toBe('planned');
    expect(plan?.components.map(({ name, backup: of }) => `${name} of ${of}`)).toEqual([
      `orders of ${backup}`,
      `config of ${backup}`,
    ]);
    expect(await left()).toEqual([]);
  });

  test('a fresh backup is asked for: it is made first, and rehearsed with', async () => {
    const result = await site.run<DrillResult>('drill', { plan: 'daily', freshBackup: true });
    expect(result.outcome).toBe('passed');
    expect(result.report?.sources[0]?.backup).not.toBe(backup);
  });

  test('no drill of that kind, no such backup: the code of the catalogue and what there is', async () => {
    const failure = await failureOf(site.run('drill', { kind: 'weekl' }));
    expect(failure).toMatchObject({ type: 'BadInput' });
    expect(failure.message).toContain('weekly');
    expect((await failureOf(site.run('drill', { backup: 'nope' }))).type).toBe('BackupMissing');
  });

  test('the host worker is killed in the middle, and the next one goes on: it passes, and nothing is left', async () => {
    const handle = await site.start('drill', { plan: 'daily' });
    await eventually('something is made', async () => ((await left()).length > 0 ? true : undefined));
    const [, host] = site.workers();
    if (host === undefined) throw new Error('there is no host worker');
    await site.kill(host);
    await site.startWorker('host');
    await site.giveBack(host, handle);
    expect(await handle.result()).toMatchObject({ outcome: 'passed' });
    expect(await left()).toEqual([]);
  });

  test('terminated in the middle: what it made goes when a worker starts', async () => {
    const handle = await site.start('drill', { plan: 'daily' });
    await eventually('something is made', async () => ((await left()).length > 0 ? true : undefined));
    await handle.terminate();
    const host = site.workers().at(-1);
    if (host === undefined) throw new Error('there is no host worker');
    await site.kill(host);
    await site.startWorker('host');
    await eventually('it is gone', async () => ((await left()).length === 0 ? true : undefined));
  });

  test('a chunk is damaged in the store: the drill fails, the backup is judged, and nothing is left', async () => {
    const chunks = path.join(site.directory, 'store', 'chunks');
    for (const name of await readdir(chunks)) await rm(path.join(chunks, name), { recursive: true });
    const result = await site.run<DrillResult>('drill', { plan: 'daily' });
    expect(result).toMatchObject({ outcome: 'failed', ok: false, proofs: [{ ok: false }] });
    expect(result.report?.failure?.code).toBe('ObjectMissing');
    expect(await left()).toEqual([]);
  });
});
