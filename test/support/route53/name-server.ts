/** A real name server for tests: PowerDNS on loopback, its records changed through its own API. */
import { spawnSync } from 'node:child_process';
import { access, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../src/engine/ports.ts';
import { startServerProcess } from '../server-process.ts';

const SCHEMA = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';
const API_KEY = 'test';

export interface Rrset {
  readonly name: string;
  readonly type: string;
  readonly ttlSeconds: number;
  readonly values: readonly string[];
}

export interface NameServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  addZone(domain: string): Promise<void>;
  /** What the zone holds beside its SOA and NS, all of it: what isn't named goes. */
  hold(domain: string, rrsets: readonly Rrset[]): Promise<void>;
  stop(): Promise<void>;
}

/** Throws with the next step when it is not installed. */
export async function startNameServer(): Promise<NameServer> {
  await access(SCHEMA).catch(() => {
    throw new Error('The name server of the tests (PowerDNS) was not found. Run `npm run setup -- test` to get it.');
  });
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-pdns-'));
  const database = join(directory, 'records.db');
  const made = spawnSync('sqlite3', [database], { input: await readFile(SCHEMA), encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`sqlite3 could not make ${database}: ${made.stderr}`);
  let apiPort = 0;
  const call = (method: string, at: string, body?: object): Promise<Response> =>
    fetch(`http://127.0.0.1:${apiPort}/api/v1/servers/localhost${at}`, {
      method,
      headers: { 'X-API-Key': API_KEY },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const server = await startServerProcess({
    program: '/usr/sbin/pdns_server',
    directory,
    args: () => [`--config-dir=${directory}`],
    prepare: async (port) => {
      apiPort = await freePort();
      await writeFile(join(directory, 'pdns.conf'), configuration({ directory, database, port, apiPort }));
    },
    answers: async () => {
      const answer = await call('GET', '').catch(() => undefined);
      return answer?.ok === true;
    },
  });
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
  const changed = async (what: Promise<Response>): Promise<void> => {
    const answer = await what;
    if (!answer.ok) throw new Error(`PowerDNS: ${answer.status} ${await answer.text()}\n${server.log()}`);
  };
  return {
    address: `127.0.0.1:${server.port}`,
    addZone: (domain) =>
      inTurn(() =>
        changed(call('POST', '/zones', { name: `${domain}.`, kind: 'Native', nameservers: [`ns1.${domain}.`] })),
      ),
    hold: (domain, rrsets) =>
      inTurn(async () => {
        const answer = await call('GET', `/zones/${domain}.`);
        const there = ((await answer.json()) as { rrsets: { name: string; type: string }[] }).rrsets;
        const gone = there.filter(
          ({ name, type }) =>
            type !== 'SOA' && type !== 'NS' && !rrsets.some((one) => one.name === name && one.type === type),
        );
        const changes = [
          ...gone.map(({ name, type }) => ({ name, type, changetype: 'DELETE' })),
          ...rrsets.map(({ name, type, ttlSeconds, values }) => ({
            name,
            type,
            ttl: ttlSeconds,
            changetype: 'REPLACE',
            records: values.map((content) => ({ content, disabled: false })),
          })),
        ];
        if (changes.length > 0) await changed(call('PATCH', `/zones/${domain}.`, { rrsets: changes }));
      }),
    stop: () => server.stop(),
  };
}

/** Without any cache, so that an answer is what the records are. */
function configuration(at: { directory: string; database: string; port: number; apiPort: number }): string {
  return [
    'launch=gsqlite3',
    `gsqlite3-database=${at.database}`,
    // Who asks and who writes don't lock each other out.
    'gsqlite3-pragma-journal-mode=WAL',
    'gsqlite3-pragma-synchronous=0',
    'local-address=127.0.0.1',
    `local-port=${at.port}`,
    'api=yes',
    `api-key=${API_KEY}`,
    'webserver-address=127.0.0.1',
    `webserver-port=${at.apiPort}`,
    `socket-dir=${at.directory}`,
    'receiver-threads=1',
    'distributor-threads=1',
    'cache-ttl=0',
    'query-cache-ttl=0',
    'negquery-cache-ttl=0',
    'zone-cache-refresh-interval=0',
    'security-poll-suffix=',
    '',
  ].join('\n');
}
