/** Connections and tools of a PostgreSQL server: what is promised of them when the server, its rights or its tools fail. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { HostContext } from '../../src/activities/host-context.ts';
import type { Run } from '../../src/activities/shell.ts';
import { runChecks } from '../../src/activities/validation/run-checks.ts';
import { log } from '../../src/observe/log.ts';
import { findTool } from '../../src/postgres/host-tools.ts';
import { openPostgres } from '../../src/postgres/open.ts';
import type { PostgresAccess } from '../../src/postgres/types.ts';
import { HoldfastError } from '../../src/failures.ts';
import type { PostgresServer as ServerConfig } from '../../src/system/types.ts';
import { systemFrom } from '../system/small-system.ts';
import { runAsServer, startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';

const PASSWORD = 'o:dd\\ "pass\' w$rd%';
const signal = new AbortController().signal;
const docker = (): never => {
  throw new HoldfastError('DockerUnreachable', 'no Docker in this test');
};

export function configOf(server: PostgresServer, changes: Partial<ServerConfig> = {}): ServerConfig {
  return {
    address: '127.0.0.1',
    port: server.port,
    tls: 'disable',
    maintenanceDatabase: 'postgres',
    tools: { kind: 'host' },
    backup: { user: 'keeper', password: { env: 'KEEPER' } },
    ...changes,
  };
}

const open = (config: ServerConfig, secret = PASSWORD): Promise<PostgresAccess> =>
  openPostgres(config, 'backup', { docker, resolveSecret: () => Promise.resolve(secret) });

describe('a server on the host', () => {
  let server: PostgresServer;
  let access: PostgresAccess;

  beforeAll(async () => {
    server = await startPostgres({ passwords: true });
    await server.sql(`CREATE ROLE keeper LOGIN PASSWORD 'o:dd\\ "pass'' w$rd%'`);
    await server.sql(`CREATE TABLE big AS SELECT repeat(md5(i::text), 30) AS t FROM generate_series(1, 20000) i`);
    await server.sql(`GRANT pg_read_all_data TO keeper`);
    access = await open(configOf(server));
  });
  afterAll(async () => {
    await access.close();
    await server.dispose();
  });

  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('tells who it is to a role without any rights', async () => {
    const facts = await access.facts(signal);
    expect(facts).toMatchObject({ inRecovery: false, version: expect.stringMatching(/^15\./) as string });
    expect(facts.systemIdentifier).toBe(
      String(await server.value('SELECT system_identifier FROM pg_control_system()')),
    );
  });

  it('by its Unix socket too', async () => {
    const socket = await open(configOf(server, { address: server.socket }));
    expect((await socket.facts(signal)).versionNumber).toBeGreaterThan(150_000);
    expect(await socket.text('psql', ['-XAtc', 'SELECT 7'], { signal })).toBe('7\n');
  });

  it('a password of odd characters reaches connections and tools, and is in no command line and no file', async () => {
    const run = await access.run('psql', ['-XAtc', 'SELECT current_user, pg_sleep(0.5)'], { signal });
    const lines = commandLines();
    expect(lines).toContain('current_user');
    expect(lines).not.toContain('o:dd');
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith('holdfast-password-'))).toEqual([]);
    expect(await text(run.stdout)).toBe('keeper|\n');
    await run.done;
  });

  it('a wrong password is refused at once, without saying which it was', async () => {
    const wrong = await open(configOf(server), 'wr0ng-pass');
    const failure: unknown = await wrong.facts(signal).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'PostgresDenied', waitingHelps: false });
    expect(String(failure)).not.toContain('wr0ng');
  });

  it('nobody listens: waiting helps', async () => {
    const nobody = await open(configOf(server, { address: '/nowhere' }));
    await expect(nobody.facts(signal)).rejects.toMatchObject({ code: 'PostgresUnreachable', waitingHelps: true });
  });

  it('a query without the right to it, and a database that is not there, say so', async () => {
    const query = access.withClient({ signal }, (client) => client.query('SELECT pg_reload_conf()'));
    await expect(query).rejects.toMatchObject({ code: 'PostgresDenied' });
    const missing = access.withClient({ signal, database: 'no=such "one"' }, () => Promise.resolve());
    await expect(missing).rejects.toMatchObject({ code: 'SourceMissing' });
  });

  it('[T9] checks of the system file: a wrong query is answered at once, a server that is away is asked again while there is time', async () => {
    vi.stubEnv('KEEPER_OF_CHECKS', PASSWORD);
    const backup = 'backup: { user: keeper, password: { env: KEEPER_OF_CHECKS } }';
    const check = (name: string, query: string, component = 'there', within = '1h'): string =>
      `  ${name}: { sql: { component: ${component}, query: "${query}", equals: 1 }, within: ${within} }`;
    const system = systemFrom('shop', [
      'stores: { nas: { kind: directory, path: /mnt/nas } }',
      'components:',
      `  there: { kind: postgres, databases: [postgres], server: { address: 127.0.0.1, port: ${server.port}, ${backup} } }`,
      `  away: { kind: postgres, databases: [postgres], server: { address: /nowhere, ${backup} } }`,
      'plans: { daily: { components: [there, away], stores: [nas] } }',
      'checks:',
      check('syntax', 'selekt 1'),
      check('table', 'select 1 from nowhere'),
      check('right', 'select pg_reload_conf()::int'),
      check('division', 'select 1 / (count(*) - count(*)) from big'),
      check('several', 'select 1; commit'),
      check('writes', 'insert into big values (1) returning 1'),
      check('good', 'select 1'),
      check('asked-again', 'select 1', 'away', '1s'),
    ]);
    const host = { host: 'local', system: () => Promise.resolve(system), docker } as unknown as HostContext;
    const run: Run = { signal, report: () => undefined, attempt: 1, log: log('test') };
    // An hour is longer than this test may take: what came back was not asked again.
    const outcomes = await runChecks(host, { system: 'shop', host: 'local' }, run);
    const said = Object.fromEntries(outcomes.map(({ name, ok, detail }) => [name, `${ok ? 'ok' : 'bad'}: ${detail}`]));
    expect(said).toEqual({
      syntax: expect.stringContaining('syntax error at or near') as string,
      table: expect.stringContaining('relation "nowhere" does not exist') as string,
      right: expect.stringContaining('permission denied for function pg_reload_conf') as string,
      division: expect.stringContaining('division by zero') as string,
      several: expect.stringContaining('cannot insert multiple commands') as string,
      writes: expect.stringMatching(/syntax error|read-only/) as string,
      good: 'ok: 1, equal to 1',
      'asked-again': expect.stringMatching(/^bad: .*\(asked for 1 s\)$/) as string,
    });
  });

  it('the connection is cut in the middle of a query: a failure that is tried again', async () => {
    const query = access.withClient({ signal }, async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      setTimeout(() => void server.sql(`SELECT pg_terminate_backend(${rows[0]?.pid})`), 100);
      await client.query('SELECT pg_sleep(60)');
    });
    await expect(query).rejects.toMatchObject({ code: 'PostgresUnreachable' });
  });

  it('an aborted query ends here at once, and on the server soon after', async () => {
    const abort = new AbortController();
    const query = access.withClient({ signal: abort.signal }, async (client) => {
      setTimeout(() => {
        abort.abort(new Error('enough'));
      }, 100);
      await client.query(`SELECT pg_sleep(600) /* left behind */`);
    });
    await expect(query).rejects.toThrow('enough');
    await expect
      .poll(
        () =>
          server.value(
            `SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE '%left beh%' AND pid <> pg_backend_pid()`,
          ),
        {
          timeout: 60_000,
        },
      )
      .toBe(0);
  });

  it('a tool that fails tells the end of what it said', async () => {
    const dump = access.text('pg_dump', ['--table', 'no_such_table'], { signal });
    await expect(dump).rejects.toMatchObject({
      code: 'SourceMissing',
      message: expect.stringMatching(/pg_dump ended with 1: .*no matching tables/) as string,
    });
  });

  it('a tool that is killed in the middle fails: its half is never taken for the whole', async () => {
    const run = await access.run('pg_dump', ['-Fc', '-Z0', '--table', 'big'], { signal });
    let bytes = 0;
    for await (const piece of run.stdout) {
      bytes += piece.length;
      if (bytes === piece.length) await killTool('pg_dump -Fc -Z0 --table big');
    }
    expect(bytes).toBeGreaterThan(0);
    await expect(run.done).rejects.toMatchObject({ code: 'PostgresToolFailed' });
  });

  it('aborted, or not read to its end, a tool is ended', async () => {
    const abort = new AbortController();
    const run = await access.run('pg_dump', ['-Fp', '--table', 'big'], { signal: abort.signal });
    await run.stdout[Symbol.asyncIterator]().next();
    abort.abort(new Error('enough'));
    await expect(run.done).rejects.toThrow('enough');

    const left = await access.run('pg_dump', ['-Fp', '-t', 'big'], { signal });
    for await (const piece of left.stdout) if (piece.length > 0) break;
    await expect(left.done).rejects.toMatchObject({ code: 'PostgresToolFailed' });
    expect(commandLines()).not.toMatch(/pg_dump -Fp/);
  });

  it('a tool that has read enough of its input ends well', async () => {
    const dump = await access.run('pg_dump', ['-Fc', '-Z0', '--table', 'big'], { signal });
    const list = await access.text('pg_restore', ['--list'], { signal, stdin: dump.stdout });
    expect(list).toContain('TABLE DATA public big');
  });

  it('an input that breaks off ends the tool with the cause', async () => {
    async function* broken() {
      yield Buffer.from('BEGIN;\n');
      await Promise.resolve();
      throw new HoldfastError('ObjectCorrupt', 'a chunk is damaged');
    }
    await expect(access.text('psql', ['-X'], { signal, stdin: broken() })).rejects.toMatchObject({
      code: 'ObjectCorrupt',
    });
  });

  it('tools older than the server are refused, and the oldest that will do is chosen', async () => {
    await expect(findTool('pg_dump', 990_001)).rejects.toMatchObject({ code: 'PostgresVersion' });
    expect(await findTool('pg_dump', 140_010)).toBe(server.bin);
    await expect(findTool('pg_dump', 150_000, '/usr/sbin')).rejects.toMatchObject({
      message: expect.stringContaining('there is no pg_dump of it or newer in /usr/sbin') as string,
    });
  });
});

describe('a server with a certificate', () => {
  let server: PostgresServer;
  let certificate: string;

  beforeAll(async () => {
    server = await startPostgres({ passwords: true });
    certificate = path.join(server.base, 'server.crt');
    const key = path.join(server.base, 'server.key');
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    await runAsServer('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate],
      ...subject,
    ]);
    await server.configure({ ssl: true, ssl_cert_file: certificate, ssl_key_file: key });
    await server.sql(`CREATE ROLE keeper LOGIN PASSWORD 'o:dd\\ "pass'' w$rd%'`);
    await server.restart();
  });
  afterAll(async () => {
    await server.dispose();
  });

  const encrypted = async (access: PostgresAccess): Promise<string[]> => {
    const query = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
    const { rows } = await access.withClient({ signal }, (client) => client.query<{ ssl: boolean }>(query));
    return [String(rows[0]?.ssl), (await access.text('psql', ['-XAtc', query], { signal })).trim()];
  };

  it('connections and tools are encrypted when it is asked for, and not otherwise', async () => {
    expect(await encrypted(await open(configOf(server, { tls: 'require' })))).toEqual(['true', 't']);
    expect(await encrypted(await open(configOf(server)))).toEqual(['false', 'f']);
  });

  it('verified by its name and authority; another name or authority is refused', async () => {
    const verified = { tls: 'verify-full', caFile: certificate } as const;
    expect(await encrypted(await open(configOf(server, { ...verified, address: 'localhost' })))).toEqual(['true', 't']);
    for (const wrong of [configOf(server, verified), configOf(server, { tls: 'verify-full', address: 'localhost' })]) {
      await expect((await open(wrong)).facts(signal)).rejects.toMatchObject({
        code: 'PostgresDenied',
        hint: expect.stringContaining('caFile') as string,
      });
    }
  });
});

/** Of every process that may be looked at, as `ps` would show them. */
function commandLines(): string {
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        // It has ended meanwhile.
        return '';
      }
    });
  return lines.join('\n');
}

async function killTool(command: string): Promise<void> {
  const { stdout } = await promisify(execFile)('pgrep', ['-f', '--', command]);
  for (const pid of stdout.trim().split('\n')) process.kill(Number(pid), 'SIGKILL');
}
