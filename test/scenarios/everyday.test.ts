/**
 * A stack that runs by itself, as its owners have it: `holdfast up`, schedules, alarms, the page. Then store, database,
 * disk, clock and engine break, one after another: each is told with what to do, shown, healed, and told as healed.
 */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Holdfast, type Up } from '../../sample/stack/holdfast.ts';
import { argumentsOf, descendantsOf, waitFor } from '../../sample/stack/processes.ts';
import type { Notice } from '../../src/policy/notices.ts';
import type { IncidentState } from '../../src/workflows/contract.ts';
import { NoticeReceiver } from '../support/notice-receiver.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';

const SYSTEM = 'everyday';
const HOST = 'alpha';
/** Looks are 10 s apart; the rest is for a machine that is busy. */
const LIMIT_MS = 150_000;
/** The watchman outside calls out when he has heard nothing for so long. */
const SILENCE_MS = 12_000;
const MIB = 1024 * 1024;
const run = promisify(execFile);

vi.setConfig({ testTimeout: 3 * LIMIT_MS, hookTimeout: 2 * LIMIT_MS });

let directory: string;
let database: PostgresServer;
let people: NoticeReceiver;
let holdfast: Holdfast;
let up: Up;
let page: string;
let mounted = false;
const at = (...names: string[]): string => join(directory, ...names);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-everyday-'));
  for (const name of ['home', 'nas', 'config', 'disk']) await mkdir(at(name), { mode: 0o700 });
  [database, people] = await Promise.all([startPostgres(), NoticeReceiver.start()]);
  mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=700', 'tmpfs', at('disk')]).then(
    () => true,
    () => false,
  );
  await database.sql('CREATE TABLE ledger AS SELECT n FROM generate_series(1, 100) AS n');
  await writeFile(at('config', '.env'), 'MODE=production\n');
  await writeFile(at('clock'), '0');
  for (const path of ['alarm', 'alive']) await writeFile(at(path), `${people.url(`/${path}`)}\n`, { mode: 0o600 });
  await writeFile(at('system.yaml'), systemFile('10s'));

  holdfast = new Holdfast(at('home'));
  const { code, stderr } = await holdfast.run('init', at('system.yaml'), '--kit', at('kit.txt'));
  if (code !== 0) throw new Error(stderr);
  const clock = `--import=file://${join(import.meta.dirname, 'wrong-clock.ts')}`;
  const everyday = new Holdfast(at('home'), { NODE_OPTIONS: clock, WRONG_CLOCK_FILE: at('clock') });
  up = await everyday.everydayUp('--no-ui', '--port', '0', '--page-port', '0', '--metrics', 'off');
  page = holdfast.engine()?.pageUrl ?? '';
});

afterAll(async () => {
  try {
    resume();
    await up.stop();
  } finally {
    if (mounted) await run('umount', [at('disk')]);
    await database.dispose();
    await people[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  }
});

function systemFile(every: string): string {
  return [
    `system: ${SYSTEM}`,
    `hosts: [${HOST}]`,
    `stores: { nas: { kind: directory, path: ${at('nas')} } }`,
    'components:',
    `  config: { kind: files, path: ${at('config')} }`,
    '  ledger:',
    '    kind: postgres',
    '    tier: critical',
    '    databases: [postgres]',
    `    server: { address: 127.0.0.1, port: ${database.port}, backup: { user: postgres } }`,
    'plans:',
    `  hourly: { components: [config, ledger], stores: [nas], schedule: { every: ${every} }, rpo: 1d }`,
    'maintenance: { monitor: { every: 10s } }',
    'monitor:',
    // The machine of the tests may be as full as it likes.
    `  disks: [{ path: ${at('disk')}, used: ${mounted ? 80 : 100}% }, { path: ${at('nas')}, used: 100% }, { path: ${at('home')}, used: 100% }]`,
    '  clock: 10s',
    `  ping: { url: { file: ${at('alive')} }, every: 1s }`,
    'notify:',
    `  hook: { kind: webhook, url: { file: ${at('alarm')} } }`,
    `  script: { kind: command, command: [/bin/sh, -c, 'cat >> ${at('told.jsonl')}'] }`,
    'escalation: { levels: [{ name: on call, after: 0s, notify: [hook, script] }], settle: 1s }',
    '',
  ].join('\n');
}

interface Told {
  readonly type: string;
  readonly data: Notice;
}

function alarms(): Told[] {
  return people.received.filter(({ path }) => path === '/alarm').map(({ body }) => JSON.parse(body) as Told);
}

const until = <T>(what: string, ask: () => Promise<T | undefined>): Promise<T> => waitFor(what, LIMIT_MS, ask, 250);

const alarm = (incident: string, type: string): Promise<Told> =>
  until(`${type} of ${incident}`, () =>
    Promise.resolve(alarms().find((one) => one.type === type && one.data.facts['incident'] === incident)),
  );

/** The answer to "am I safe?", and all of the page. */
async function look(): Promise<{ verdict: string; text: string }> {
  const text = await (await fetch(page)).text();
  return { verdict: /<section class="verdict (\w+)"/.exec(text)?.[1] ?? 'none', text };
}

const pageSays = (verdict: string, words: string): Promise<unknown> =>
  until(`the page to be ${verdict} with ${words}`, async () => {
    const seen = await look();
    return (seen.verdict === verdict && seen.text.includes(words)) || undefined;
  });

async function openIncidents(): Promise<{ id: string; incident: IncidentState }[]> {
  const { stdout } = await holdfast.run('incidents', SYSTEM, '--json');
  return (JSON.parse(stdout) as { incidents: { id: string; incident: IncidentState }[] }).incidents;
}

/** Breaks, and waits until everybody knows; heals, and waits until everybody knows that too. */
async function story(
  incident: string,
  hint: string,
  act: { readonly breaks: () => Promise<unknown>; readonly heals: () => Promise<unknown> },
): Promise<Told> {
  await act.breaks();
  const opened = await alarm(incident, 'incident.opened');
  expect(opened.data.severity).toMatch(/critical|warning/);
  expect(opened.data.text).toContain(`What to do: ${hint}`);
  expect(opened.data.text).toContain(`holdfast ack ${SYSTEM} ${incident}`);
  await pageSays(opened.data.severity === 'critical' ? 'danger' : 'attention', incident);
  const open = await openIncidents();
  expect(open.find(({ id }) => id === incident)?.incident).toMatchObject({ state: 'open', levelName: 'on call' });

  await act.heals();
  // Who has mended something does not wait for the next look.
  await holdfast.run('schedule', 'trigger', SYSTEM, 'monitor');
  await alarm(incident, 'incident.healed');
  await until('the page to be safe, without a word of it', async () => {
    const { verdict, text } = await look();
    return (verdict === 'safe' && !text.includes(incident)) || undefined;
  });
  return opened;
}

const signs = (): number => people.received.filter(({ path }) => path === '/alive').length;
const lastSignMs = (): number => people.received.findLast(({ path }) => path === '/alive')?.atMs ?? 0;

function server(): number {
  const found = descendantsOf(up.pid).find((pid) => argumentsOf(pid).includes('start-dev'));
  if (found === undefined) throw new Error('there is no server');
  return found;
}

/** What keeps the engine running does nothing meanwhile. */
let held = false;
function hold(): void {
  process.kill(up.pid, 'SIGSTOP');
  held = true;
}

function resume(): void {
  if (held) process.kill(up.pid, 'SIGCONT');
  held = false;
}

describe('[M8] [M9] [T10] [B5] [B10] [G6] [W5] every day', () => {
  test('nobody does anything: the schedule makes the first backup, and the page says that all is safe', async () => {
    await pageSays('safe', 'Safe');
    const { backups } = await holdfast.ask<{ backups: { plan: string }[] }>('list', SYSTEM);
    expect(backups.at(0)?.plan).toBe('hourly');
    expect(up.output()).toMatch(/^applied {2}schedules of everyday: new .*backup\/hourly/m);
    await writeFile(
      at('system.yaml.new'),
      (await readFile(at('system.yaml'), 'utf8')).replace('every: 10s }, rpo', 'every: 1h }, rpo'),
    );
    await rename(at('system.yaml.new'), at('system.yaml'));
    await until('the changed schedule', () =>
      Promise.resolve(/^applied .*changed backup\/hourly/m.test(up.output()) || undefined),
    );
  });

  test('the store is gone', async () => {
    await story('store/nas', 'Mount the store', {
      breaks: () => rename(at('nas'), at('nas-away')),
      heals: () => rename(at('nas-away'), at('nas')),
    });
  });

  test('the database is down', async () => {
    await story('component/ledger', 'Check that the server runs', {
      breaks: () => database.stop(),
      heals: () => database.start(),
    });
  });

  test('a disk is nearly full', async () => {
    expect(mounted, 'only root may mount the small disk that is filled here: run this as root').toBe(true);
    await story(`disk/${HOST}${at('disk')}`, `Find what fills it: du -xh ${at('disk')}`, {
      breaks: () => writeFile(at('disk', 'big'), Buffer.alloc(15 * MIB)),
      heals: () => rm(at('disk', 'big')),
    });
  });

  test('the clock of the host is wrong', async () => {
    const { data } = await story(`clock/${HOST}`, 'Set it right and keep it so', {
      breaks: () => writeFile(at('clock'), String(-600_000)),
      heals: () => writeFile(at('clock'), '0'),
    });
    expect(data.text).toMatch(/is (9|10) min .*behind the engine's, its limit is 10 s/);
  });

  test('the engine is down: its silence is the alarm, and a look without it says what to do', async () => {
    const before = signs();
    await until('a sign of life', () => Promise.resolve(signs() > before || undefined));
    hold();
    process.kill(server(), 'SIGKILL');

    await pageSays('danger', 'the engine is not running');
    const judged = await holdfast.run('monitor', SYSTEM);
    expect(judged.stdout).toContain('the engine is not running');
    expect(judged.stdout).toContain('Start it: holdfast up');
    expect(judged.code).toBe(1);
    await until('the silence that the watchman outside calls out at', () =>
      Promise.resolve(Date.now() - lastSignMs() > SILENCE_MS || undefined),
    );
    const heard = signs();

    resume();
    await until('the next sign of life', () => Promise.resolve(signs() > heard || undefined));
    await pageSays('safe', 'Safe');
    expect((await holdfast.run('monitor', SYSTEM)).code).toBe(0);
    expect(up.output()).not.toMatch(/^died {5}(page|worker)/m);
  });

  test('whoever was told by the webhook was told by the program too, in the same words', async () => {
    const told = (await readFile(at('told.jsonl'), 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Notice).title);
    expect(told.toSorted()).toEqual(
      alarms()
        .map(({ data }) => data.title)
        .toSorted(),
    );
  });
});
