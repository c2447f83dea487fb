import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { dashboardExpressions, metricsIn, ruleExpressions } from '../metrics/shipped.ts';
import { startAlerting } from '../support/alerting.ts';
import { eventually } from '../workflows/stage.ts';
import { holdfast, holdfastJson, inShell, interrupted, up, type RunningUp } from './holdfast.ts';

/** One machine, from an empty directory to a restored system, by the command line alone. */
// Whole operations of real servers, on a machine that may be busy.
vi.setConfig({ testTimeout: 300_000 });

let directory: string;
let home: string;
let running: RunningUp | undefined;
const PATIENTLY = { timeout: 90_000, interval: 200 };
/** Prometheus' own, and what the SDK shows only once it has happened. */
const UNSEEN = ['up', 'temporal_workflow_task_execution_failed_total', 'temporal_activity_execution_failed_total'];
const LATE = '#!/bin/sh\nexec cat > /dev/null\n';
const at = (...names: string[]): string => path.join(directory, ...names);

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-whole-'));
  home = at('home');
  await mkdir(at('data', 'peers'), { recursive: true });
  await writeFile(at('data', '.env'), 'KEY=1\n', { mode: 0o600 });
  await writeFile(at('data', 'peers', 'alice.yaml'), 'peer: alice\n');
  balances((database) => {
    database.exec('CREATE TABLE balances (owner TEXT PRIMARY KEY, amount INTEGER)');
    database.exec("INSERT INTO balances VALUES ('alice', 70), ('bob', 30)");
  });
  await writeFile(at('late.sh'), LATE, { mode: 0o755 });
  await writeFile(
    at('shop.yaml'),
    [
      'system: shop',
      `stores: { vault: { kind: directory, path: ${at('vault')} } }`,
      'components:',
      `  config: { kind: files, path: ${at('data')} }`,
      `  balances: { kind: sqlite, tier: critical, path: ${at('balances.db')}, requiredTables: [balances] }`,
      'plans:',
      '  daily: { components: [config, balances], stores: [vault], rpo: 1d, verify: content }',
      // Once a year, so that no test meets it.
      'maintenance: { prune: { vault: 0 3 29 2 * } }',
      'notify:',
      `  ops: { kind: command, command: [/bin/sh, -c, 'cat >> "$0"', ${at('told.jsonl')}], on: [backup done, restore done] }`,
      `  gone: { kind: command, command: [${at('no-such-program')}], on: [backup failed] }`,
      // Works until somebody takes its program away.
      `  late: { kind: command, command: [${at('late.sh')}], on: [verify done] }`,
      'escalation: { settle: 1s, levels: [{ name: ops, after: 0s, notify: [ops] }] }',
      '',
    ].join('\n'),
  );
});

afterAll(async () => {
  await running?.stop();
  await rm(directory, { recursive: true, force: true });
});

function balances<T>(use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(at('balances.db'));
  try {
    return use(database);
  } finally {
    database.close();
  }
}

const total = (): unknown =>
  balances((database) => database.prepare('SELECT sum(amount) AS total FROM balances').get());

interface Waiting {
  readonly outcome: string;
  readonly workflowId: string;
  readonly plan: { readonly digest: string; readonly backup: string };
}

async function damage(): Promise<void> {
  balances((database) => database.exec('UPDATE balances SET amount = 0'));
  await writeFile(at('data', '.env'), 'KEY=wrong\n');
  await rm(at('data', 'peers'), { recursive: true });
}

async function expectRestored(): Promise<void> {
  expect(total()).toEqual({ total: 100 });
  expect(await readFile(at('data', '.env'), 'utf8')).toBe('KEY=1\n');
  expect(await readFile(at('data', 'peers', 'alice.yaml'), 'utf8')).toBe('peer: alice\n');
}

it('[M5] init, doctor, up, backup, list, show, verify, damage, restore, approve: everything is back', async () => {
  await holdfastJson(home, ['init', at('shop.yaml'), '--kit', at('kit.txt')]);
  running = await up(home, ['--page-port', '0'], { HOLDFAST_METRICS_REFRESH: '1s' });
  const doctor = await holdfastJson<{ findings: { state: string }[] }>(home, ['doctor', 'shop']);
  expect(doctor.findings.filter(({ state }) => state !== 'ok')).toEqual([]);

  const backup = await holdfastJson<{ backup: string }>(home, ['backup', 'shop', 'daily', '--tag', 'first']);
  expect(backup).toMatchObject({ outcome: 'done', verified: { level: 'content', ok: true } });
  const list = await holdfastJson<{ backups: object[] }>(home, ['list', 'shop']);
  expect(list.backups).toHaveLength(1);
  expect(list.backups[0]).toMatchObject({ backup: backup.backup, trusted: true, tag: 'first', verified: { ok: true } });
  const show = await holdfastJson<{ manifest: { components: { name: string }[] } }>(home, [
    'show',
    'shop',
    backup.backup,
  ]);
  expect(show.manifest.components.map(({ name }) => name).toSorted()).toEqual(['balances', 'config']);
  expect(await holdfastJson(home, ['verify', 'shop', backup.backup])).toMatchObject({ ok: true, bad: [] });
  expect((await holdfast(home, ['status', 'shop'])).code).toBe(0);

  await damage();
  const waiting = await holdfastJson<Waiting>(home, ['restore', 'shop'], 2);
  expect(waiting).toMatchObject({ outcome: 'waiting', plan: { backup: backup.backup } });
  expect(total()).toEqual({ total: 0 });
  expect((await holdfast(home, ['status', 'shop'])).stdout).toContain(
    `holdfast approve shop ${waiting.plan.digest.slice(0, 12)}`,
  );
  const refused = await holdfast(home, ['approve', 'shop', '0123456789ab']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('[PlanChanged]');
  const restored = await holdfastJson<{ outcome: string }>(home, [
    'approve',
    'shop',
    waiting.plan.digest,
    '--by',
    'ana',
    '--watch',
  ]);
  expect(restored.outcome).toBe('restored');
  await expectRestored();

  const log = await eventually('the restore is in the audit log', async () => {
    const seen = await holdfastJson<Audited>(home, ['audit', 'shop']);
    return seen.events.some(({ event }) => event['what'] === 'ended') ? seen : undefined;
  });
  const { digest } = waiting.plan;
  expect(log).toMatchObject({ ok: true, problems: [], notes: [] });
  expect(log.events.map(({ event }) => event)).toMatchObject([
    { what: 'asked', digest, by: expect.stringMatching(/.+@.+/) as unknown },
    { what: 'approved', digest, by: 'ana', identity: expect.stringMatching(/^holdfast:.+@.+/) as unknown },
    { what: 'ended', digest, outcome: 'restored' },
  ]);
  const [, approved] = log.events;
  await rename(at('vault', approved?.key ?? ''), at('cut.json'));
  const cut = await holdfast(home, ['audit', 'shop', '--verify']);
  expect(cut.code).toBe(1);
  expect(cut.stdout).toContain('the audit log is not whole');
  await rename(at('cut.json'), at('vault', approved?.key ?? ''));
});

interface Audited {
  readonly ok: boolean;
  readonly events: readonly {
    readonly key: string;
    readonly admitted: boolean;
    readonly event: Record<string, unknown>;
  }[];
}

interface Told {
  readonly type: string;
  readonly title: string;
  readonly facts: Record<string, unknown>;
}

/** Every message that the channel has got, once there is one of this type. */
function toldOf(type: string): Promise<Told[]> {
  return eventually(`${type} is told`, async () => {
    const text = await readFile(at('told.jsonl'), 'utf8').catch(() => '');
    const all = text.split('\n').filter((line) => line !== '');
    const told = all.map((line) => JSON.parse(line) as Told);
    return told.some((one) => one.type === type) ? told : undefined;
  });
}

/** The message of this type that tells of this incident, once it has come. */
function toldAbout(incident: string, type: string): Promise<Told> {
  return eventually(`${type} of ${incident} is told`, async () => {
    const all = await toldOf(type);
    return all.find((one) => one.type === type && one.facts['incident'] === incident);
  });
}

it('a channel hears of the backup and the restore that were done; one that does not work says so [T7]', async () => {
  const told = await toldOf('restore.done');
  expect(told.filter(({ type }) => type === 'backup.done')).toMatchObject([
    { title: 'shop: backup of daily done', facts: { outcome: 'done', subject: 'daily' } },
  ]);
  const tried = await holdfastJson<{ channels: object[] }>(home, ['notify', 'test', 'shop'], 1);
  expect(tried.channels).toMatchObject([
    { channel: 'ops', ok: true },
    { channel: 'gone', ok: false, code: 'ChannelRefused' },
    { channel: 'late', ok: true },
  ]);
  expect((await holdfast(home, ['notify', 'test', 'shop', 'ops'])).code).toBe(0);
  expect((await holdfast(home, ['notify', 'test', 'shop', 'pos'])).code).toBe(2);
});

it('the store is away: an incident is opened, told, acknowledged, and over when it is back [M8] [B5]', async () => {
  await holdfast(home, ['apply', 'shop', '--yes']);
  await rename(at('vault'), at('away'));
  await holdfastJson(home, ['schedule', 'trigger', 'shop', 'monitor']);
  await toldOf('incident.opened');
  const open = await holdfastJson<{ incidents: { id: string }[] }>(home, ['incidents', 'shop'], 1);
  expect(open.incidents).toMatchObject([
    { id: 'store/vault', incident: { state: 'open', level: 1, levelName: 'ops' } },
  ]);
  await holdfastJson(home, ['ack', 'shop', '--by', 'ana', '--note', 'the cable']);
  expect(await toldOf('incident.acknowledged')).toContainEqual(
    expect.objectContaining({ facts: expect.objectContaining({ acknowledgedBy: 'ana' }) as unknown }),
  );
  await rename(at('away'), at('vault'));
  await holdfastJson(home, ['schedule', 'trigger', 'shop', 'monitor']);
  await toldOf('incident.healed');
  await eventually('no incident is open', async () => (await holdfast(home, ['incidents', 'shop'])).code === 0);
  const alarms = await readFile(path.join(home, 'state', 'shop', 'alarms.jsonl'), 'utf8');
  const said = alarms
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { what: string }).what.split(/[:;]/)[0]);
  expect(said).toEqual(['opened', 'opened', 'acknowledged', 'gone', 'healed']);
  expect((await holdfast(home, ['ack', 'shop'])).code).toBe(1);
});

it('a channel does not work: found by who delivers, shown, and over by itself when a message gets through [T7] [M8]', async () => {
  await holdfast(home, ['apply', 'shop', '--yes']);
  const { engine } = await holdfastJson<{ engine: { pageUrl: string } }>(home, ['status', 'shop'], 0);
  const page = async (): Promise<string> => (await fetch(new URL('systems/shop', engine.pageUrl))).text();
  const { backups } = await holdfastJson<{ backups: { backup: string }[] }>(home, ['list', 'shop']);
  const verify = () => holdfast(home, ['verify', 'shop', backups[0]?.backup ?? '']);
  await rm(at('late.sh'));
  await verify();
  const opened = await toldAbout('notify/late', 'incident.opened');
  expect(opened.title).toBe('shop: notify of late');
  const { incidents } = await holdfastJson<{ incidents: { id: string }[] }>(home, ['incidents', 'shop'], 1);
  expect(incidents).toMatchObject([
    { id: 'notify/late', running: true, incident: { state: 'open', levelName: 'ops' } },
  ]);
  // Whoever asks learns it from the engine, wherever the message was to be sent from.
  const looked = await holdfastJson<{ systems: { findings: object[] }[] }>(home, ['monitor', 'shop'], 1);
  expect(looked.systems[0]?.findings).toMatchObject([{ check: 'notify', subject: 'late', severity: 'warning' }]);
  // A look neither opens it twice nor takes its silence for an end.
  await holdfast(home, ['schedule', 'trigger', 'shop', 'monitor']);
  await eventually('the page tells it', async () => (await page()).includes('do not get through to late') || undefined);

  await writeFile(at('late.sh'), LATE, { mode: 0o755 });
  await verify();
  await toldAbout('notify/late', 'incident.healed');
  await eventually('no incident is open', async () => (await holdfast(home, ['incidents', 'shop'])).code === 0);
  expect((await holdfast(home, ['monitor', 'shop'])).code).toBe(0);
  const all = await holdfast(home, ['incidents', 'shop', '--all']);
  expect(all.stdout).toMatch(/^shop notify\/late {2}healed/m);
  await eventually('the page tells it as over', async () => {
    const text = await page();
    return (/verdict safe/.test(text) && /notify\/late/.test(text)) || undefined;
  });
  const { alarms } = await holdfastJson<{ alarms: { incident: string; what: string }[] }>(home, [
    'incidents',
    'shop',
    '--log',
  ]);
  const ofIt = alarms.filter(({ incident }) => incident === 'notify/late').map(({ what }) => what.split(/[:;]/)[0]);
  expect(ofIt).toEqual(['opened', 'opened', 'gone', 'healed']);
});

it('a watcher leaves, and the plan is rejected: nothing is changed, and whoever waited is told no', async () => {
  const waiting = await holdfastJson<Waiting>(home, ['restore', 'shop'], 2);
  const left = await interrupted(home, ['watch', waiting.workflowId], 'waiting for approval');
  expect(left.code).toBe(2);
  expect(left.stderr).toContain(`Watch it with: holdfast watch ${waiting.workflowId}`);
  await holdfastJson(home, ['reject', 'shop', '--why', 'only looking']);
  const watched = await holdfastJson<{ outcome: string; why: string }>(home, ['watch', waiting.workflowId], 1);
  expect(watched.outcome).toBe('rejected');
  expect(watched.why).toContain('only looking');
  await expectRestored();
});

it('[T10] a store breaks: an alert of the shipped rules reaches people, and is resolved when it is back', async () => {
  const state = await holdfastJson<{ engine: { metrics: { targets: string[] }[] } }>(home, ['status', 'shop'], 0);
  const places = state.engine.metrics.flatMap(({ targets }) => targets);
  expect(places).toHaveLength(2);
  await using alerting = await startAlerting(path.join(home, 'engine', 'metrics-targets'));
  const { told } = alerting;
  const about = (status: string) =>
    told.filter(({ labels, ...alert }) => alert.status === status && labels['alertname'] === 'HoldfastStoreUnreadable');
  const query = async (text: string) =>
    (await alerting.ask<{ result: { value: [number, string] }[] }>('query', { query: text })).result.map(
      ({ value }) => value[1],
    );
  const counted = 'max(backup_operations_total{system="shop",operation="backup",plan="daily",status="success"})';
  await vi.waitFor(async () => expect(await query(counted)).toEqual(['1']), PATIENTLY);
  await vi.waitFor(async () => expect(await query('holdfast_store_readable')).toEqual(['1']), PATIENTLY);
  await vi.waitFor(async () => expect(await query('sum(up)')).toEqual(['2']), PATIENTLY);
  expect(about('firing')).toEqual([]);

  await rename(at('vault'), at('vault-away'));
  await vi.waitFor(() => expect(about('firing').length).toBeGreaterThan(0), PATIENTLY);
  expect(about('firing')[0]).toMatchObject({
    labels: { system: 'shop', store: 'vault', severity: 'critical' },
    annotations: { summary: 'the store vault of shop can not be read' },
  });
  await rename(at('vault-away'), at('vault'));
  await vi.waitFor(() => expect(about('resolved').length).toBeGreaterThan(0), PATIENTLY);

  // Every rule and every panel is understood, and asks for what is really shown.
  const { groups } = await alerting.ask<{ groups: { rules: { name: string; health: string }[] }[] }>('rules');
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  expect(rules).toHaveLength(ruleExpressions().length);
  for (const expression of dashboardExpressions()) await query(expression);
  const pages = await Promise.all(places.map(async (place) => (await fetch(`http://${place}/metrics`)).text()));
  const shown = new Set(pages.flatMap((page) => [...page.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? '')));
  const wanted = [...ruleExpressions(), ...dashboardExpressions()]
    .flatMap(metricsIn)
    .map((name) => name.replace(/_bucket$/, ''));
  expect(wanted.filter((name) => !shown.has(name) && !UNSEEN.includes(name))).toEqual([]);
  for (const page of pages) {
    const types = [...page.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]);
    expect(types.length).toBe(new Set(types).size);
  }
});

/** The blocks of one section that run as they stand; only those that hold these words. */
function blocksOf(markdown: string, section: string, words = ''): string {
  const text = markdown.split(/^## /m).find((one) => one.startsWith(`${section}\n`)) ?? '';
  const all = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const found = all.filter((block) => block.includes(words));
  if (found.length === 0) throw new Error(`the runbook has no such commands in ${section}`);
  return found.join('\n');
}

it('its runbook: every command runs as it stands, and what was deleted or damaged is back; by hand too [M6]', async () => {
  const { markdown } = await holdfastJson<{ markdown: string }>(home, ['runbook', 'shop']);
  const run = async (script: string, own: Record<string, string> = {}): Promise<string> => {
    const ended = await inShell(home, script, own);
    if (ended.code !== 0) throw new Error(`exit ${String(ended.code)} of ${script}\n${ended.stdout}\n${ended.stderr}`);
    return ended.stdout;
  };
  expect(await run(blocksOf(markdown, 'First'))).toContain('daily');

  await rm(at('data', 'peers'), { recursive: true });
  await run(blocksOf(markdown, 'Something was deleted'));
  balances((database) => database.exec('UPDATE balances SET amount = 0'));
  await run(blocksOf(markdown, 'Data is corrupted', 'verify shop'));
  await run(blocksOf(markdown, 'Data is corrupted', '--component balances'));
  await expectRestored();

  const kit = await readFile(at('kit.txt'), 'utf8');
  await writeFile(at('identity.txt'), `${/AGE-SECRET-KEY-1\w+/.exec(kit)?.[0] ?? ''}\n`, { mode: 0o600 });
  const work = at('by-hand');
  const own = { IDENTITY: at('identity.txt'), WORK: work };
  expect(await run(blocksOf(markdown, 'By hand, without Holdfast'), own)).toContain('Good "holdfast-manifest"');
  expect(await readFile(path.join(work, 'trees', 'config', 'tree', 'peers', 'alice.yaml'), 'utf8')).toBe(
    'peer: alice\n',
  );
  expect((await readFile(path.join(work, 'artifacts.d', 'balances', 'balances.db'))).length).toBeGreaterThan(4000);
  expect(await run(blocksOf(markdown, 'Afterwards'))).toContain('the audit log is whole');
  await writeFile(at('runbook.md'), markdown);
});

it('break glass: the machine is lost, the kit and the store are not; one command restores', async () => {
  await running?.stop();
  running = undefined;
  await rm(home, { recursive: true });
  await rm(at('data'), { recursive: true });
  await rm(at('balances.db'));
  const bare = at('bare');
  const page = await readFile(at('runbook.md'), 'utf8');
  const restored = await inShell(bare, blocksOf(page, 'The machine is lost'), { KIT: at('kit.txt') });
  expect(restored, restored.stderr).toMatchObject({ code: 0 });
  await expectRestored();
  // Nobody has admitted the bare machine's key: its word is there, and said to be a claim.
  const log = await holdfastJson<Audited>(bare, ['audit', 'shop']);
  expect(log).toMatchObject({ ok: true, notes: [expect.stringContaining('not admitted') as unknown] });
  expect(log.events.filter(({ admitted }) => !admitted).map(({ event }) => event['what'])).toEqual(
    expect.arrayContaining(['asked', 'approved', 'ended']),
  );

  // The new machine goes on where the lost one stopped: keys again, a new signer.
  const again = await holdfastJson<{ recovered: string[] }>(bare, ['init', at('shop.yaml'), '--kit', at('kit.txt')]);
  expect(again.recovered).toHaveLength(3);
  running = await up(bare);
  const next = await holdfastJson<{ verified: object }>(bare, ['backup', 'shop', 'daily']);
  expect(next.verified).toEqual({ level: 'content', ok: true });
  const { backups } = await holdfastJson<{ backups: { trusted: boolean; plan: string }[] }>(bare, ['list', 'shop']);
  expect(backups.filter(({ plan }) => plan === 'daily').map(({ trusted }) => trusted)).toEqual([true, true, true]);
});
