/** What is asked of S3 for an object, where no server here tells the difference: names of hosts, clocks, headers, logins. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openS3Store } from '../../src/stores/s3.ts';
import type { S3Config } from '../../src/stores/s3-client.ts';
import { startRecordingServer } from '../support/recording-server.ts';
import type { RecordingServer, ScriptedAnswer } from '../support/recording-server.ts';
import { sha256 } from './conformance.ts';

const QUICK = { attempts: 3, firstPauseMs: 1, longestPauseMs: 2, silenceMs: 30_000 };
const HOUR_MS = 3_600_000;
const BYTES = Buffer.from('sealed');
const SUM = Buffer.from(sha256(BYTES), 'hex').toString('base64');
const WRITTEN: ScriptedAnswer = { status: 200, headers: { etag: '"e"', 'x-amz-checksum-sha256': SUM } };

let server: RecordingServer;

beforeAll(async () => {
  server = await startRecordingServer();
});

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(() => server.close());

const LOGIN = { accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'KEY' } } as const;

async function openHere(more: Partial<S3Config> = LOGIN) {
  server.requests.length = 0;
  const config = { name: 's3', kind: 's3', bucket: 'vaults', prefix: 'shop', region: 'eu-central-1' } as const;
  const here = { endpoint: server.url, pathStyle: true } as const;
  return openS3Store({ ...config, ...here, ...more }, () => Promise.resolve('secret'), QUICK);
}

const error = (code: string, status: number, headers: Record<string, string> = {}): ScriptedAnswer => ({
  status,
  headers: { 'content-type': 'application/xml', ...headers },
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
});

/** `20261121T213347Z` in milliseconds. */
function signedAtMs(date: string | undefined): number {
  return Date.parse((date ?? '').replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

describe('requests of an S3 store', () => {
  it('a put of a locked chunk in a class of its own: one request says all of it, and the checksum it is told is passed on', async () => {
    const store = await openHere({
      ...LOGIN,
      storageClass: 'STANDARD_IA',
      immutable: { mode: 'compliance', forSeconds: 3600 },
    });
    server.answer(() => WRITTEN);
    const told: string[] = [];
    const options = { createOnly: true, onStoredSha256: (found: string) => void told.push(found) };
    expect(await store.put('chunks/ab/abc', BYTES, options)).toBe('written');
    expect(told).toEqual([sha256(BYTES)]);
    expect(server.requests).toHaveLength(1);
    const [{ method, url, headers, body } = {}] = server.requests;
    expect({ method, url, body }).toEqual({ method: 'PUT', url: '/vaults/shop/chunks/ab/abc', body: 'sealed' });
    expect(headers).toMatchObject({
      host: new URL(server.url).host,
      'content-length': '6',
      'if-none-match': '*',
      'x-amz-checksum-sha256': SUM,
      'x-amz-content-sha256': sha256(BYTES),
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-object-lock-mode': 'COMPLIANCE',
    });
    const until = Date.parse(headers?.['x-amz-object-lock-retain-until-date'] ?? '');
    expect(Math.abs(until - Date.now() - HOUR_MS)).toBeLessThan(HOUR_MS / 2);
    const authorization = headers?.['authorization'] ?? '';
    expect(authorization).toContain('/eu-central-1/s3/aws4_request');
    for (const name of ['host', 'if-none-match', 'x-amz-content-sha256', 'x-amz-object-lock-mode']) {
      expect(authorization).toMatch(new RegExp(`SignedHeaders=\\S*\\b${name}\\b`));
    }
    await store.close();
  });

  it('a host whose clock is an hour behind: the next attempt is signed with the time of the server', async () => {
    const store = await openHere();
    const date = new Date(Date.now() + HOUR_MS).toUTCString();
    server.answer(() =>
      server.requests.length === 1 ? error('RequestTimeTooSkewed', 403, { date }) : { ...WRITTEN, body: 'sealed' },
    );
    expect(Buffer.from(await store.get('a')).toString()).toBe('sealed');
    const [first = 0, second = 0] = server.requests.map(({ headers }) => signedAtMs(headers['x-amz-date']));
    expect(second - first).toBeGreaterThan(HOUR_MS / 2);
    await store.close();
  });

  it('a get with room for it: the bytes are its beginning; with too little: a buffer of their own', async () => {
    const store = await openHere();
    server.answer(() => ({ ...WRITTEN, body: 'sealed' }));
    const room = Buffer.alloc(8, '.');
    const found = await store.get('a', { room });
    expect([Buffer.from(found).toString(), room.toString(), found.buffer === room.buffer]).toEqual([
      'sealed',
      'sealed..',
      true,
    ]);
    const small = Buffer.alloc(5, '.');
    expect(Buffer.from(await store.get('a', { room: small })).toString()).toBe('sealed');
    expect(small.toString()).toBe('.....');
    await store.close();
  });

  it('an answer that is not from S3: its connection is free for the next attempt', async () => {
    const store = await openHere({ ...LOGIN, parallelism: 1 });
    server.answer(() => ({ ...(server.requests.length === 1 ? { status: 200 } : WRITTEN), body: 'sealed' }));
    expect(Buffer.from(await store.get('a')).toString()).toBe('sealed');
    expect(server.requests).toHaveLength(2);
    await store.close();
  });

  it('a bucket that is a name of its own: the host of every request', async () => {
    vi.stubEnv('HTTP_PROXY', server.url);
    vi.stubEnv('NO_PROXY', '');
    const store = await openHere({ ...LOGIN, endpoint: 'http://storage.example.test:8080', pathStyle: false });
    server.answer(() => WRITTEN);
    expect(await store.head('proofs/2026-11-21T21:00:00Z')).toMatchObject({ storageClass: 'STANDARD' });
    expect(await store.put('a', BYTES, { createOnly: false })).toBe('written');
    const asked = server.requests.map(({ method, url, headers }) => `${method} ${url} ${headers['host'] ?? ''}`);
    const host = 'vaults.storage.example.test:8080';
    expect(asked).toEqual([
      `HEAD http://${host}/shop/proofs/2026-11-21T21:00:00Z ${host}`,
      `PUT http://${host}/shop/a ${host}`,
    ]);
    await store.close();
  });

  it('a login for a while, found in the environment: its token goes with every request', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'short-lived');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    vi.stubEnv('AWS_SESSION_TOKEN', 'token-of-the-session');
    const store = await openHere({});
    server.answer(() => WRITTEN);
    await store.head('a');
    expect(server.requests[0]?.headers).toMatchObject({ 'x-amz-security-token': 'token-of-the-session' });
    expect(server.requests[0]?.headers['authorization']).toContain('Credential=short-lived/');
    await store.close();
  });

  it('a directory bucket, which lists in no order: refused before anything is asked', async () => {
    const store = await openHere({ ...LOGIN, bucket: 'vaults--euc1-az1--x-s3' });
    await expect(store.put('a', BYTES, { createOnly: true })).rejects.toMatchObject({ code: 'StoreUnfit' });
    expect(server.requests).toEqual([]);
    await store.close();
  });
});
