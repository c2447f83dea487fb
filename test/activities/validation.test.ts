import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { HostContext } from '../../src/activities/host-context.ts';
import type { Run } from '../../src/activities/shell.ts';
import { movedUrl } from '../../src/activities/validation/http.ts';
import { runChecks, runReconcile } from '../../src/activities/validation/run-checks.ts';
import { readAllDifferences } from '../../src/status/differences.ts';
import { ask } from '../../src/activities/validation/sql.ts';
import { log } from '../../src/observe/log.ts';
import { systemFrom } from '../system/small-system.ts';

let directory: string;
let asked = 0;
const server = createServer((_, response) => {
  asked += 1;
  const state = asked < 3 ? 'starting' : 'healthy';
  response.writeHead(asked < 2 ? 503 : 200).end(JSON.stringify({ dependencies: { tigerbeetle: state } }));
});
let origin: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'validation-'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv('HOLDFAST_HOME', path.join(directory, 'home'));
  await mkdir(path.join(directory, 'opt'));
  await script('good.sh', 'echo "place $HOLDFAST_PLACE"');
  await script('bad.sh', `echo '{"name":"account 8","expected":1,"found":2}'; echo broken >&2; exit 3`);
  await script('differs.sh', `echo '{"name":"account 7","expected":100,"found":90}'; exit 1`);
  makeDatabase('live.sqlite', 3);
  makeDatabase('copy.sqlite', 0);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true, force: true });
});

async function script(name: string, text: string): Promise<void> {
  const file = path.join(directory, 'opt', name);
  await writeFile(file, `#!/bin/sh\n${text}\n`);
  await chmod(file, 0o755);
}

function makeDatabase(name: string, rows: number): void {
  const database = new DatabaseSync(path.join(directory, name));
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE audio_files (id INTEGER PRIMARY KEY)');
  for (let id = 1; id <= rows; id += 1) database.exec(`INSERT INTO audio_files VALUES (${id})`);
  database.close();
}

/** A host with this system; no engine, no store and no Docker is asked by what is tested here. */
function hostWith(lines: readonly string[]): HostContext {
  const system = systemFrom('shop', [
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'components:',
    `  database: { kind: sqlite, path: ${path.join(directory, 'live.sqlite')} }`,
    `  stack: { kind: compose, project: shop, directory: ${path.join(directory, 'opt')} }`,
    'plans: { daily: { components: [database], stores: [nas] } }',
    ...lines,
  ]);
  return { host: 'local', system: () => Promise.resolve(system) } as Partial<HostContext> as HostContext;
}

const run: Run = { signal: new AbortController().signal, report: () => undefined, attempt: 1, log: log('test') };
const shop = { system: 'shop', host: 'local' };

describe('checks of a running system', () => {
  it('[M5] [T9] a page that becomes healthy, a table, a program: each is asked in its way and told', async () => {
    const outcomes = await runChecks(
      hostWith([
        'checks:',
        `  health: { http: { url: "${origin}/health", json: { dependencies.tigerbeetle: healthy } }, within: 60s }`,
        '  tables: { sql: { component: database, query: select count(*) from audio_files, atLeast: 1 } }',
        '  gone: { sql: { component: database, query: select count(*) from tracklists, atLeast: 1 }, within: 1h, severity: warning }',
        '  writes: { sql: { component: database, query: delete from audio_files returning 1, equals: 1 }, within: 1h }',
        '  smoke: { command: [./good.sh] }',
        '  broken: { command: [./bad.sh] }',
        '  absent: { command: [./none.sh] }',
      ]),
      shop,
      run,
    );
    expect(outcomes.map(({ name, ok, severity }) => [name, ok, severity])).toEqual([
      ['health', true, 'fatal'],
      ['tables', true, 'fatal'],
      ['gone', false, 'warning'],
      ['writes', false, 'fatal'],
      ['smoke', true, 'fatal'],
      ['broken', false, 'fatal'],
      ['absent', false, 'fatal'],
    ]);
    const detail = Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome.detail]));
    expect(asked).toBeGreaterThanOrEqual(3);
    expect(detail['tables']).toBe('3, at least 1');
    expect(detail['gone']).toContain('no such table: tracklists');
    expect(detail['writes']).toContain('readonly');
    expect(detail['smoke']).toBe('exit 0: place live');
    expect(detail['broken']).toMatch(/^exit 3: .*broken$/);
    expect(detail['absent']).toContain('Could not run ./none.sh');
  });

  it('in an isolated copy: only the copy is asked, and what nothing stands for is not asked at all', async () => {
    const place = { components: { database: { path: path.join(directory, 'copy.sqlite') } }, origins: {} };
    const before = asked;
    const outcomes = await runChecks(
      hostWith([
        'checks:',
        `  health: { http: { url: "${origin}/health" }, within: 1s }`,
        '  tables: { sql: { component: database, query: select count(*) from audio_files, equals: 0 } }',
        '  smoke: { command: [./good.sh] }',
        '  told: { command: [./good.sh], inDrills: true }',
        '  inside: { command: [./good.sh], service: api }',
      ]),
      { ...shop, place },
      run,
    );
    expect(outcomes.map(({ name, ok, skipped }) => [name, ok, skipped === true])).toEqual([
      ['health', false, true],
      ['tables', true, false],
      ['smoke', false, true],
      ['told', true, false],
      ['inside', false, true],
    ]);
    expect(outcomes.find(({ name }) => name === 'told')?.detail).toBe('exit 0: place isolated');
    expect(asked).toBe(before);
  });

  it('in a copy: a path of two slashes stays on the host of the copy, and a database without a copy is not asked live', async () => {
    expect(
      movedUrl('http://localhost:8080//other.example/x?y=1', { 'http://localhost:8080': 'http://127.0.0.1:9' }),
    ).toBe('http://127.0.0.1:9//other.example/x?y=1');
    const system = systemFrom('shop', [
      'stores: { nas: { kind: directory, path: /mnt/nas } }',
      'components:',
      '  database: { kind: postgres, databases: [shop, stock], server: { address: 127.0.0.1, port: 1, backup: { user: postgres } } }',
      'plans: { daily: { components: [database], stores: [nas] } }',
    ]);
    const [component] = system.components;
    if (component === undefined) throw new Error('the system has a database');
    const question = { component, limitMs: 1000, place: { databases: { shop: 'shop.copy' } } };
    for (const probe of [{ query: 'select 1' }, { query: 'select 1', database: 'stock' }]) {
      await expect(ask(hostWith([]), { ...question, probe }, run.signal)).rejects.toThrow(
        /nothing in the copy of database stands for the database/,
      );
    }
  });

  it('[M6] reconciliation: the same, different by a program and by a query, and one that can not tell', async () => {
    const outcomes = await runReconcile(
      hostWith([
        'reconcile:',
        '  same: { command: [./good.sh] }',
        '  balances: { command: [./differs.sh] }',
        '  rows: { sql: { component: database, query: "select \'file \' || id, 1, id from audio_files where id > 1" } }',
        '  broken: { command: [./bad.sh] }',
      ]),
      shop,
      run,
    );
    expect(outcomes.map(({ name, outcome, differenceCount }) => [name, outcome, differenceCount])).toEqual([
      ['same', 'same', 0],
      ['balances', 'differs', 1],
      ['rows', 'differs', 2],
      ['broken', 'failed', 0],
    ]);
    // What goes through the engine says how many, which, and where; the data stays here.
    expect(JSON.stringify(outcomes)).not.toMatch(/account 7|file 3|account 8/);
    expect(outcomes[3]?.detail).toBe('exit 3: broken');
    const found = await readAllDifferences(outcomes);
    expect([...found.keys()]).toEqual(['balances', 'rows']);
    expect(found.get('balances')).toEqual({ differences: [{ name: 'account 7', expected: '100', found: '90' }] });
    expect(found.get('rows')).toMatchObject({ differences: [{}, { name: 'file 3', expected: '1', found: '3' }] });
    const { file = '' } = outcomes[1]?.kept ?? {};
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await writeFile(file, (await readFile(file, 'utf8')).replace('90', '100'));
    const after = await readAllDifferences(outcomes);
    expect(after.get('balances')).toEqual({ why: `${file} on host local is not as the run left it` });
    await rm(file);
    expect((await readAllDifferences(outcomes)).get('balances')).toEqual({ why: `they are on host local, in ${file}` });
  });
});
