import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BackupResult, ReadinessResult, RestoreResult } from '../../src/workflows/contract.ts';
import { failureOf } from '../workflows/play.ts';
import { shopSite } from './far-site.ts';

/** The site stands by for `far`; both share the store. */
const shop = shopSite(['fencing: attested', 'warm: true', 'assess: { from: { here: { command: ["true"] } } }']);
const { trade, trades } = shop;
const raise = (n: number, of: string): Promise<void> => shop.putOn(of, n);

const backUp = () => shop.site.run<BackupResult>('backup', { plan: 'daily' });
const prepare = (more: object = {}) =>
  shop.site.run<RestoreResult>('restore', { whole: true, prepare: true, skipSafetyBackup: true, ...more });
const inode = async (): Promise<number> => (await stat(shop.site.data('shop.sqlite'))).ino;
const aside = ({ aside: places }: RestoreResult): number => places.length;

async function takeOver(takeover: number): Promise<RestoreResult> {
  const asked = { whole: true, takeover, skipSafetyBackup: true };
  const { plan } = await shop.site.run<RestoreResult>('restore', { ...asked, mode: 'plan' });
  return shop.site.run<RestoreResult>('restore', { ...asked, approve: plan.digest, approvedBy: 'ann' });
}

const restoredBeside = ({ whole }: RestoreResult): boolean =>
  whole?.phases.some(({ name }) => name === 'restore beside') === true;

describe('a site that stands by', () => {
  test('[M7] prepared, prepared again for a newer backup, refused while it is active, and then only started', async () => {
    await trade('one');
    await raise(1, 'home');
    await backUp();
    await trade('two');
    const between = new Date().toISOString();
    await trade('three');
    await backUp();
    await trade('lost');
    expect((await failureOf(prepare())).type).toBe('NotStandby');

    await raise(2, 'far');
    // What no backup has is kept: it may be all that is left of what this site has written before it was fenced.
    const first = await prepare({ backup: `before:${between}` });
    expect([first.outcome, aside(first)]).toEqual(['prepared', 2]);
    expect(await trades()).toEqual(['one']);
    const second = await prepare();
    expect([second.outcome, aside(second)]).toEqual(['prepared', 0]);
    expect(await trades()).toEqual(['one', 'three', 'two']);

    await raise(3, 'home');
    const ready = await inode();
    const started = await takeOver(3);
    expect([started.outcome, restoredBeside(started), await inode()]).toEqual(['restored', false, ready]);
    expect(await readFile(path.join(shop.site.data('papers'), 'three.txt'), 'utf8')).toBe('three');
  });

  test('somebody has written into what was prepared: it is restored as if nothing had been', async () => {
    await raise(4, 'far');
    expect((await prepare()).outcome).toBe('prepared');
    await trade('by hand');
    await raise(5, 'home');
    const result = await takeOver(5);
    expect([result.outcome, restoredBeside(result)]).toEqual(['restored', true]);
    expect(await trades()).toEqual(['one', 'three', 'two']);
  });

  test('[M7] [B9] is it ready, and how long would it take: asked of its own files and stores, then rehearsed beside', async () => {
    await raise(6, 'far');
    const ready = await shop.site.run<ReadinessResult>('readiness', { rehearse: true });
    const bad = ready.checks.filter(({ verdict }) => verdict !== 'ok');
    expect(bad).toEqual([]);
    expect(ready).toMatchObject({ ok: true, verdict: 'ok', site: 'home', rehearsal: { outcome: 'passed' } });
    expect(ready.rehearsal?.wouldTakeSeconds).toBe(ready.rehearsal?.restoreSeconds);

    const file = path.join(shop.site.directory, 'system.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('rpo: 1d', 'rpo: 2d'));
    await rm(path.join(shop.site.directory, 'store', 'generations'), { recursive: true });
    const left = (await shop.site
      .holdfast('failover', shop.site.system, '--readiness', '--json')
      .catch((error: unknown) => error)) as {
      readonly code: number;
      readonly stdout: string;
    };
    expect(left.code).toBe(1);
    const { checks, ok } = JSON.parse(left.stdout) as ReadinessResult;
    const verdicts = checks.flatMap(({ check, verdict }) => (verdict === 'ok' ? [] : [`${check}: ${verdict}`]));
    expect([ok, verdicts]).toEqual([false, ['generation: not-ready', 'drift: warning']]);
    expect(checks.find(({ check }) => check === 'drift')?.reasons).toEqual([
      'plans.daily.rpo differs from the system file of the active site',
    ]);
  });
});
