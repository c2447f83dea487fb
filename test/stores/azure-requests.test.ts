import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openAzureStore } from '../../src/stores/azure.ts';
import type { Store } from '../../src/stores/index.ts';
import type { ObjectVersion } from '../../src/stores/store.ts';
import { AZURE_KEY } from '../support/azure-server.ts';
import { startRecordingServer } from '../support/recording-server.ts';
import type { RecordingServer, ScriptedAnswer } from '../support/recording-server.ts';
import { text } from './conformance.ts';

/**
 * What no emulator does: the requests are compared with Microsoft's documentation (rest/api/storageservices: put-blob,
 * set-blob-immutability-policy, set-blob-tier, list-blobs, delete-blob), and the answers are the documented ones.
 */
const DAY_S = 86_400;
const ONCE = { attempts: 2, firstPauseMs: 1, longestPauseMs: 2, silenceMs: 30_000 };
const FAR = Date.parse('2100-01-01T00:00:00.000Z');
const WHEN = 'Sat, 21 Nov 2026 10:00:00 GMT';

let server: RecordingServer;
let store: Store;
let compliance: Store;

const open = (mode: 'governance' | 'compliance'): Promise<Store> =>
  openAzureStore(
    {
      name: 'azure',
      kind: 'azure',
      account: 'account',
      container: 'vaults',
      prefix: 'm2m',
      endpoint: `${server.url}/account`,
      accountKey: { env: 'KEY' },
      storageClass: 'Archive',
      immutable: { mode, forSeconds: 30 * DAY_S },
    },
    () => Promise.resolve(AZURE_KEY),
    ONCE,
  );

beforeAll(async () => {
  server = await startRecordingServer();
  store = await open('governance');
  compliance = await open('compliance');
});

afterAll(async () => {
  await server.close();
});

beforeEach(() => {
  server.requests.length = 0;
});

const made = (status: number, more: Record<string, string> = {}): ScriptedAnswer => ({
  status,
  headers: { etag: '"0x1"', 'last-modified': WHEN, 'x-ms-request-id': '1', ...more },
});

const refusal = (status: number, code: string): ScriptedAnswer => ({
  status,
  headers: { 'x-ms-error-code': code, 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>told to refuse</Message></Error>`,
});

const listing = (blobs: string): ScriptedAnswer => ({
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="${server.url}/account" ContainerName="vaults"><Prefix>m2m/</Prefix><Blobs>${blobs}</Blobs><NextMarker/></EnumerationResults>`,
});

const version = (name: string, id: string, current: boolean, bytes: number): string =>
  `<Blob><Name>${name}</Name><VersionId>${id}</VersionId>${current ? '<IsCurrentVersion>true</IsCurrentVersion>' : ''}` +
  `<Properties><Last-Modified>${WHEN}</Last-Modified><Etag>0x1</Etag><Content-Length>${bytes}</Content-Length>` +
  '<BlobType>BlockBlob</BlobType></Properties></Blob>';

describe('what is sent to Azure', () => {
  it.each([
    ['governance', 'Unlocked'],
    ['compliance', 'Locked'],
  ] as const)('a write under %s: is created with its policy, tier and checksum, only if absent', async (mode, sent) => {
    server.answer(() => made(201));
    const before = Date.now();
    const on = mode === 'governance' ? store : compliance;
    expect(await on.put('chunks/aa/1', Buffer.from('x'), { createOnly: true })).toBe('written');
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'PUT', url: '/account/vaults/m2m/chunks/aa/1', body: 'x' });
    expect(request?.headers).toMatchObject({
      'if-none-match': '*',
      'x-ms-blob-type': 'BlockBlob',
      'x-ms-access-tier': 'Archive',
      'content-md5': 'ndTkYSaMgDT1yFZOFVxnpg==',
      'x-ms-blob-content-md5': 'ndTkYSaMgDT1yFZOFVxnpg==',
      'x-ms-immutability-policy-mode': sent,
    });
    const until = Date.parse(request?.headers['x-ms-immutability-policy-until-date'] ?? '');
    // The header has whole seconds.
    expect(until - before).toBeGreaterThan(30 * DAY_S * 1000 - 1000);
    expect(until - Date.now()).toBeLessThanOrEqual(30 * DAY_S * 1000);
  });

  it('a record and the small objects of a probe: no tier of their own; the probe is not locked', async () => {
    server.answer(() => made(201));
    await store.put('backups/daily/1.json', Buffer.from('x'), { createOnly: true });
    await store.put('probe/1', Buffer.from('x'), { createOnly: true });
    const [record, probe] = server.requests.map(({ headers }) => headers);
    expect(record).toHaveProperty('x-ms-immutability-policy-until-date');
    expect(record).not.toHaveProperty('x-ms-access-tier');
    expect(probe).not.toHaveProperty('x-ms-immutability-policy-until-date');
  });

  it('a lock: is told; extended by the documented request, never weakened, never lifted', async () => {
    const policy = (mode: string, until: string) => ({
      'x-ms-immutability-policy-mode': mode,
      'x-ms-immutability-policy-until-date': until,
    });
    const soon = 'Fri, 01 Jan 2027 00:00:00 GMT';
    server.answer(() => made(200, policy('unlocked', soon)));
    expect(await store.locks?.get('chunks/aa/1')).toEqual({ mode: 'governance', untilMs: Date.parse(soon) });
    await store.locks?.extend('chunks/aa/1', FAR);
    const put = server.requests.find(({ method }) => method === 'PUT');
    expect(put?.url).toBe('/account/vaults/m2m/chunks/aa/1?comp=immutabilityPolicies');
    expect(put?.headers).toMatchObject({
      'x-ms-immutability-policy-mode': 'Unlocked',
      'x-ms-immutability-policy-until-date': 'Fri, 01 Jan 2100 00:00:00 GMT',
    });

    server.requests.length = 0;
    server.answer(() => made(200, policy('locked', soon)));
    expect(await store.locks?.get('chunks/aa/1')).toMatchObject({ mode: 'compliance' });
    await store.locks?.extend('chunks/aa/1', FAR);
    const again = server.requests.find(({ method }) => method === 'PUT');
    expect(again?.headers['x-ms-immutability-policy-mode']).toBe('Locked');

    server.requests.length = 0;
    server.answer(() => made(200, policy('unlocked', 'Thu, 01 Jan 2150 00:00:00 GMT')));
    await store.locks?.extend('chunks/aa/1', FAR);
    expect(server.requests.map(({ method }) => method)).toEqual(['HEAD']);
  });

  it('a locked blob that is to be deleted or replaced: StoreLocked; to be created: it exists', async () => {
    server.answer(({ method }) => (method === 'HEAD' ? made(200) : refusal(409, 'BlobImmutableDueToPolicy')));
    const locked = { code: 'StoreLocked' };
    await expect(store.delete('chunks/aa/1')).rejects.toMatchObject(locked);
    await expect(store.put('chunks/aa/1', Buffer.from('y'), { createOnly: false })).rejects.toMatchObject(locked);
    await expect(store.versions?.delete('chunks/aa/1', 'v1')).rejects.toMatchObject(locked);
    expect(await store.put('chunks/aa/1', Buffer.from('y'), { createOnly: true })).toBe('exists');
  });

  it('versions: are listed by key and newest first, read and deleted by their id, the current one by two requests', async () => {
    const [old, now] = ['2026-11-20T10:00:00.0000000Z', '2026-11-21T10:00:00.0000000Z'];
    server.answer(() =>
      listing(version('m2m/a', old, false, 5) + version('m2m/a', now, true, 6) + version('m2m/b', old, false, 7)),
    );
    const found: ObjectVersion[] = [];
    for await (const one of store.versions?.list('', { startAfter: '0' }) ?? []) found.push(one);
    expect(found.map(({ key, versionId, latest, sizeBytes }) => [key, versionId, latest, sizeBytes])).toEqual([
      ['a', now, true, 6],
      ['a', old, false, 5],
      ['b', old, false, 7],
    ]);
    expect(server.requests[0]?.url).toContain('include=versions');
    expect(server.requests[0]?.url).toContain('startFrom=m2m/0');

    server.requests.length = 0;
    server.answer(() => ({ ...made(200), body: 'first' }));
    expect(text((await store.versions?.get('a', old)) ?? Buffer.from(''))).toBe('first');
    expect(server.requests[0]?.url).toBe(`/account/vaults/m2m/a?versionid=${old}`);

    server.requests.length = 0;
    let refused = 0;
    server.answer(({ method }) => {
      const first = refused === 0;
      refused += 1;
      if (first) return refusal(403, 'OperationNotAllowedOnRootBlob');
      return made(method === 'HEAD' ? 200 : 202);
    });
    await store.versions?.delete('a', now);
    expect(server.requests.map(({ method, url }) => [method, url.includes('versionid')])).toEqual([
      ['DELETE', true],
      ['HEAD', true],
      ['DELETE', false],
      ['DELETE', true],
    ]);
    expect(server.requests[2]?.headers['if-match']).toBe('"0x1"');
  });

  it('a current version that is to go while another is written: the other one is not hidden', async () => {
    server.answer(({ method, url }) => {
      if (method === 'HEAD') return made(200);
      if (!url.includes('versionid')) return refusal(412, 'ConditionNotMet');
      return server.requests.length === 1 ? refusal(403, 'OperationNotAllowedOnRootBlob') : made(202);
    });
    await store.versions?.delete('a', '2026-11-21T10:00:00.0000000Z');
    expect(server.requests.map(({ method }) => method)).toEqual(['DELETE', 'HEAD', 'DELETE', 'DELETE']);
  });

  it('a signature that creates only: a name that is taken is told as such, not as a missing right', async () => {
    server.answer(({ method }) => (method === 'HEAD' ? made(200) : refusal(403, 'UnauthorizedBlobOverwrite')));
    expect(await store.put('backups/p/a', Buffer.from('x'), { createOnly: true })).toBe('exists');
  });

  it('an archived blob: frozen when read; thawed by moving it to Cool with a priority, once', async () => {
    server.answer(() => refusal(409, 'BlobArchived'));
    await expect(store.get('chunks/aa/1')).rejects.toMatchObject({ code: 'ObjectFrozen' });

    server.answer(({ method }) => made(method === 'HEAD' ? 200 : 202, { 'x-ms-access-tier': 'Archive' }));
    expect(await store.cold?.state('chunks/aa/1')).toBe('frozen');
    server.requests.length = 0;
    await store.cold?.thaw('chunks/aa/1', { days: 7, speed: 'expedited' });
    await store.cold?.thaw('chunks/aa/1', { days: 7, speed: 'bulk' });
    const moves = server.requests.filter(({ method }) => method === 'PUT');
    expect(moves.map(({ url }) => url)).toEqual(Array(2).fill('/account/vaults/m2m/chunks/aa/1?comp=tier'));
    expect(moves.map(({ headers }) => [headers['x-ms-access-tier'], headers['x-ms-rehydrate-priority']])).toEqual([
      ['Cool', 'High'],
      ['Cool', 'Standard'],
    ]);

    const pending = { 'x-ms-access-tier': 'Archive', 'x-ms-archive-status': 'rehydrate-pending-to-cool' };
    server.answer(() => made(200, pending));
    expect(await store.cold?.state('chunks/aa/1')).toBe('thawing');
    server.requests.length = 0;
    await store.cold?.thaw('chunks/aa/1', { days: 7, speed: 'bulk' });
    expect(server.requests.map(({ method }) => method)).toEqual(['HEAD']);
    server.answer(() => made(200, { 'x-ms-access-tier': 'Cool' }));
    expect(await store.cold?.state('chunks/aa/1')).toBe('ready');
  });
});
