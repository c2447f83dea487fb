import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { siteSigner, withAuthority } from '../../src/sites/authority.ts';
import { loadSystem } from '../../src/system/index.ts';
import { clearGeneration, raiseGeneration } from '../../src/vault/sites/generation.ts';
import type { BackupResult, ReadinessResult, RestoreResult } from '../../src/workflows/contract.ts';
import { failureOf } from '../workflows/play.ts';
import { makeSite, type Site } from './site.ts';

/** The site `default` is the standby of `far`; both share the store. */
const describeSystem = (data: (name: string) => string): string =>
  [
    'components:',
    `  shop: { kind: sqlite, path: ${data('shop.sqlite')}, tier: critical }`,
    `  papers: { kind: files, path: ${data('papers')} }`,
    'plans:',
    '  daily: { components: [shop, papers], stores: [disk], rpo: 1d }',
    'failover:',
    '  sites: [home, far]',
    '  authority: disk',
    '  fencing: attested',
    '  warm: true',
    '  assess: { from: { here: { command: ["true"] } } }',
  ].join('\n');

let site: Site;
beforeAll(async () => {
  site = await makeSite(describeSystem);
  vi.stubEnv('HOLDFAST_HOME', path.join(site.directory, 'home'));
  await mkdir(site.data('papers'));
  await trade('one');
  await site.startWorkers();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await site[Symbol.asyncDispose]();
});

async function trade(what: string): Promise<void> {
  await writeFile(path.join(site.data('papers'), `${what}.txt`), what);
  await query((database) => {
    database.exec('CREATE TABLE IF NOT EXISTS trades (what TEXT)');
    database.prepare('INSERT INTO trades VALUES (?)').run(what);
  });
}

async function query<T>(ask: (database: DatabaseSync) => T): Promise<T> {
  await mkdir(site.data(''), { recursive: true });
  const database = new DatabaseSync(site.data('shop.sqlite'));
  try {
    return ask(database);
  } finally {
    database.close();
  }
}

async function trades(): Promise<unknown[]> {
  const copy = `${site.data('shop.sqlite')}.look`;
  await writeFile(copy, await readFile(site.data('shop.sqlite')));
  const database = new DatabaseSync(copy);
  const found = database
    .prepare('SELECT what FROM trades ORDER BY what')
    .all()
    .map((row) => row['what']);
  database.close();
  await rm(copy);
  return found;
}

async function raise(n: number, of: string): Promise<void> {
  const system = await loadSystem(site.system);
  const by = { signer: await siteSigner(system), atMs: Date.now() };
  await withAuthority(system, async (authority) => {
    // What the site before had written is taken over whole, so that its backups belong to the history.
    const origin = n === 1 ? {} : { origin: { generation: n - 1 } };
    const raised = await raiseGeneration(authority, { n, site: of, raiseId: `raise-${n}`, ...origin }, by);
    if (raised.kind !== 'raised') throw new Error('somebody else was first');
    await clearGeneration(authority, raised.record, { fencing: 'first', evidence: 'a test' }, by);
  });
}

const backUp = () => site.run<BackupResult>('backup', { plan: 'daily' });
const prepare = (more: object = {}) =>
  site.run<RestoreResult>('restore', { whole: true, prepare: true, skipSafetyBackup: true, ...more });
const inode = async (): Promise<number> => (await stat(site.data('shop.sqlite'))).ino;
const aside = ({ aside: places }: RestoreResult): number => places.length;

async function takeOver(takeover: number): Promise<RestoreResult> {
  const asked = { whole: true, takeover, skipSafetyBackup: true };
  const { plan } = await site.run<RestoreResult>('restore', { ...asked, mode: 'plan' });
  return site.run<RestoreResult>('restore', { ...asked, approve: plan.digest, approvedBy: 'ann' });
}

const restoredBeside = ({ whole }: RestoreResult): boolean =>
  whole?.phases.some(({ name }) => name === 'restore beside') === true;

describe('a site that stands by', () => {
  test('[M7] prepared, prepared again for a newer backup, refused while it is active, and then only started', async () => {
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
    expect(await readFile(path.join(site.data('papers'), 'three.txt'), 'utf8')).toBe('three');
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
    const ready = await site.run<ReadinessResult>('readiness', { rehearse: true });
    const bad = ready.checks.filter(({ verdict }) => verdict !== 'ok');
    expect(bad).toEqual([]);
    expect(ready).toMatchObject({ ok: true, verdict: 'ok', site: 'home', rehearsal: { outcome: 'passed' } });
    expect(ready.rehearsal?.wouldTakeSeconds).toBe(ready.rehearsal?.restoreSeconds);

    const file = path.join(site.directory, 'system.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('rpo: 1d', 'rpo: 2d'));
    await rm(path.join(site.directory, 'store', 'generations'), { recursive: true });
    const left = (await site
      .holdfast('failover', site.system, '--readiness', '--json')
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
