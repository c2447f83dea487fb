/** A stack is broken in several ways at once: each is found with what to do, told outside, and gone when it is healed. */
import { chmod, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findingId } from '../../src/policy/findings.ts';
import type { MonitorResult } from '../../src/workflows/contract.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { HOST, makeSite, type Site } from './site.ts';

let site: Site;
let database: PostgresServer;
let listener: Server;
const asked: string[] = [];
const at = (...names: string[]): string => path.join(site.directory, ...names);

beforeAll(async () => {
  listener = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    response.end();
  });
  await new Promise<void>((resolve) => void listener.listen(0, '127.0.0.1', resolve));
  database = await startPostgres();
  site = await makeSite((data) => {
    const home = path.join(data('.'), '..', 'home');
    return [
      'components:',
      `  config: { kind: files, path: ${data('config')} }`,
      '  ledger:',
      '    kind: postgres',
      '    tier: critical',
      '    method: dump',
      `    server: { address: 127.0.0.1, port: ${database.port}, backup: { user: postgres } }`,
      'plans:',
      '  daily: { components: [config], stores: [disk], rpo: 1d }',
      'monitor:',
      `  disks: [{ path: ${home}, used: 100% }]`,
      `  ping: { url: { file: ${path.join(data('.'), '..', 'ping-url')} }, tellFailure: true }`,
    ].join('\n');
  });
  await mkdir(site.data('config'));
  await writeFile(path.join(site.data('config'), 'a'), 'a');
  await writeFile(at('ping-url'), `http://127.0.0.1:${(listener.address() as AddressInfo).port}/alive?of=stack\n`, {
    mode: 0o600,
  });
  await site.startWorkers();
  await site.run('backup', { plan: 'daily' });
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await database.dispose();
  await new Promise((resolve) => listener.close(resolve));
});

const look = async (): Promise<MonitorResult> => site.run<MonitorResult>('monitor', {});

describe('[B5] [W3] [W5] monitor', () => {
  test('all is well, then store, database, disk and rights are broken, then all is well again', async () => {
    expect(await look()).toMatchObject({ findings: [], findingsCount: 0, opened: [], unknown: [] });
    expect(asked).toEqual(['POST /alive?of=stack']);

    const file = at('system.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('used: 100%', 'used: 100%, free: 900TiB'));
    await database.stop();
    await rename(at('store'), at('store-away'));
    const keys = at('home', 'keys', site.system);
    const key = (await readdir(keys)).find((name) => !name.endsWith('.pub')) ?? '';
    await chmod(path.join(keys, key), 0o644);

    const broken = await look();
    const byId = new Map(broken.findings.map((one) => [findingId(one), one]));
    expect([...byId.keys()].toSorted()).toEqual(
      [
        'component/ledger',
        `disk/${HOST}${at('home')}`,
        `rights/${HOST}${path.join(keys, key)}`,
        'store/disk',
      ].toSorted(),
    );
    expect(byId.get('component/ledger')).toMatchObject({ severity: 'critical' });
    expect(byId.get('component/ledger')?.hint).toContain('Check that the server runs');
    expect(byId.get('store/disk')?.hint).toContain(`holdfast doctor ${site.system}`);
    expect(byId.get(`disk/${HOST}${at('home')}`)?.what).toContain('its limit is 900 TiB');
    expect(byId.get(`rights/${HOST}${path.join(keys, key)}`)?.hint).toBe(`chmod 600 ${path.join(keys, key)}`);
    // A newer backup may lie in the store that is away.
    expect(broken.unknown.map(({ what }) => what)).toContain('freshness/daily');
    expect([...broken.opened].toSorted()).toEqual([...byId.keys()].toSorted());
    expect(asked.at(-1)).toBe('POST /alive/fail?of=stack');

    await writeFile(file, text);
    await database.start();
    await rename(at('store-away'), at('store'));
    await chmod(path.join(keys, key), 0o600);
    const healed = await look();
    expect(healed).toMatchObject({ findings: [], findingsCount: 0, unknown: [] });
    expect([...healed.healed].toSorted()).toEqual([...byId.keys()].toSorted());
    expect(asked.at(-1)).toBe('POST /alive?of=stack');
    expect(await site.holdfast('monitor', site.system, '--nagios')).toMatch(
      /^HOLDFAST OK - little-stack: .* \| 'age_daily'=\d+s;;86400;0/,
    );
  });

  test('the system file becomes bad: an incident of its own, all else judged as it was, and over when it is corrected', async () => {
    const file = at('system.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('plans:', 'planz:'));
    await database.stop();
    const broken = await look();
    expect(broken.findings.map(findingId)).toEqual(['component/ledger', 'system-file/file']);
    expect(broken.findings[1]).toMatchObject({ severity: 'critical', system: site.system });
    expect(broken.findings[1]?.what).toContain('`plans` is missing');
    // What its sign of life says is in the file too.
    expect(asked.at(-1)).toBe('POST /alive/fail?of=stack');
    await database.start();
    await writeFile(file, text);
    expect((await look()).healed).toEqual(expect.arrayContaining(['component/ledger', 'system-file/file']));
  });
});
