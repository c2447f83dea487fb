import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openGcsStore } from '../../src/stores/gcs.ts';
import type { Store } from '../../src/stores/index.ts';
import { startRecordingServer } from '../support/recording-server.ts';
import type { RecordedRequest, RecordingServer, ScriptedAnswer } from '../support/recording-server.ts';

/**
 * What no emulator does: the requests are compared with Google's documentation (storage/docs/object-lock,
 * storage/docs/json_api/v1/objects), and the answers are the documented ones.
 */
const DAY_S = 86_400;
const ONCE = { attempts: 2, firstPauseMs: 1, longestPauseMs: 2, silenceMs: 30_000 };
const FAR = Date.parse('2100-01-01T00:00:00.000Z');

let server: RecordingServer;
let store: Store;
let compliance: Store;

const open = (mode: 'governance' | 'compliance', more: object = {}): Promise<Store> =>
  openGcsStore(
    {
      name: 'gcs',
      kind: 'gcs',
      bucket: 'vaults',
      prefix: 'm2m',
      endpoint: server.url,
      storageClass: 'NEARLINE',
      immutable: { mode, forSeconds: 30 * DAY_S },
      ...more,
    },
    () => Promise.reject(new Error('no secret is needed here')),
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

const json = (body: object, status = 200): ScriptedAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

const object = (more: object = {}) => ({
  kind: 'storage#object',
  name: 'm2m/chunks/aa/1',
  generation: '1700000000000001',
  size: '1',
  updated: '2026-11-21T10:00:00.000Z',
  ...more,
});

const refusal = (status: number, reason: string, message: string): ScriptedAnswer =>
  json({ error: { code: status, message, errors: [{ domain: 'global', reason, message }] } }, status);

/** The JSON part of an upload of two parts. */
function metadataOf({ body }: RecordedRequest): Record<string, unknown> {
  const [, text = ''] = /\r\n\r\n(\{.*?\})\r\n--/s.exec(body) ?? [];
  return JSON.parse(text) as Record<string, unknown>;
}

describe('what is sent to Google', () => {
  it.each([
    ['governance', 'Unlocked'],
    ['compliance', 'Locked'],
  ] as const)(
    'a write under %s: is created with its retention, class and checksum, only if absent',
    async (mode, sent) => {
      server.answer(({ body }) => json(object({ md5Hash: /"md5Hash":"([^"]+)"/.exec(body)?.[1] ?? '' })));
      const before = Date.now();
      const on = mode === 'governance' ? store : compliance;
      expect(await on.put('chunks/aa/1', Buffer.from('x'), { createOnly: true })).toBe('written');
      const [request] = server.requests;
      expect(request?.method).toBe('POST');
      expect(request?.url).toContain('/upload/storage/v1/b/vaults/o?');
      expect(request?.url).toContain('name=m2m/chunks/aa/1');
      expect(request?.url).toContain('ifGenerationMatch=0');
      const metadata = request === undefined ? {} : metadataOf(request);
      expect(metadata).toMatchObject({
        storageClass: 'NEARLINE',
        md5Hash: 'ndTkYSaMgDT1yFZOFVxnpg==',
        retention: { mode: sent },
      });
      const { retainUntilTime } = metadata['retention'] as { retainUntilTime: string };
      expect(Date.parse(retainUntilTime) - before).toBeGreaterThanOrEqual(30 * DAY_S * 1000);
      expect(Date.parse(retainUntilTime) - Date.now()).toBeLessThanOrEqual(30 * DAY_S * 1000);
    },
  );

  it('a record and the small objects of a probe: no class of their own; the probe is not locked', async () => {
    server.answer(({ body }) => json(object({ md5Hash: String(/"md5Hash":"([^"]+)"/.exec(body)?.[1]) })));
    await store.put('backups/daily/1.json', Buffer.from('x'), { createOnly: true });
    await store.put('probe/1', Buffer.from('x'), { createOnly: true });
    const [record, probe] = server.requests.map(metadataOf);
    expect(record).toHaveProperty('retention');
    expect(record).not.toHaveProperty('storageClass');
    expect(probe).not.toHaveProperty('retention');
  });

  it('a lock of an object, of its bucket, or none: is told with the time at which the longer one ends', async () => {
    const retention = { mode: 'Unlocked', retainUntilTime: '2027-01-01T00:00:00.000Z' };
    server.answer(() => json(object({ retention })));
    expect(await store.locks?.get('chunks/aa/1')).toEqual({
      mode: 'governance',
      untilMs: Date.parse(retention.retainUntilTime),
    });
    server.answer(() => json(object({ retention, retentionExpirationTime: '2028-01-01T00:00:00.000Z' })));
    expect(await store.locks?.get('chunks/aa/1')).toEqual({
      mode: 'compliance',
      untilMs: Date.parse('2028-01-01T00:00:00.000Z'),
    });
    server.answer(() => json(object()));
    expect(await store.locks?.get('chunks/aa/1')).toBeUndefined();
  });

  it('a lock that is extended: a PATCH with the later time; one that holds longer, or is Locked, is not weakened', async () => {
    const locked = (mode: string, until: string) => () => json(object({ retention: { mode, retainUntilTime: until } }));
    server.answer(locked('Unlocked', '2027-01-01T00:00:00.000Z'));
    await store.locks?.extend('chunks/aa/1', FAR);
    const patch = server.requests.find(({ method }) => method === 'PATCH');
    expect(patch?.url).toContain('/storage/v1/b/vaults/o/m2m/chunks/aa/1');
    expect(JSON.parse(patch?.body ?? '{}')).toMatchObject({
      retention: { mode: 'Unlocked', retainUntilTime: '2100-01-01T00:00:00.000Z' },
    });
    // Never asked for: the right to lift a lock.
    expect(patch?.url).not.toContain('overrideUnlockedRetention');

    server.requests.length = 0;
    server.answer(locked('Locked', '2027-01-01T00:00:00.000Z'));
    await store.locks?.extend('chunks/aa/1', FAR);
    expect(JSON.parse(server.requests.find(({ method }) => method === 'PATCH')?.body ?? '{}')).toMatchObject({
      retention: { mode: 'Locked' },
    });

    server.requests.length = 0;
    server.answer(locked('Unlocked', '2150-01-01T00:00:00.000Z'));
    await store.locks?.extend('chunks/aa/1', FAR);
    expect(server.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  it('a locked object that is to be deleted or replaced: StoreLocked, which is not tried again', async () => {
    server.answer(() => refusal(403, 'retentionPolicyNotMet', 'Object is subject to an active retention.'));
    const locked = { code: 'StoreLocked' };
    await expect(store.delete('chunks/aa/1')).rejects.toMatchObject(locked);
    await expect(store.put('chunks/aa/1', Buffer.from('y'), { createOnly: false })).rejects.toMatchObject(locked);
    await expect(store.versions?.delete('chunks/aa/1', '17')).rejects.toMatchObject(locked);
    expect(server.requests.map(({ method }) => method)).toEqual(['DELETE', 'POST', 'DELETE']);
    expect(server.requests[2]?.url).toContain('generation=17');
  });

  it('no right to lock, or to replace what is there: denied, or taken; neither is told as a lock', async () => {
    const right = 'storage.objects.setRetention';
    const said = `holdfast does not have ${right} access to the object. Permission '${right}' denied on resource.`;
    const denied = refusal(403, 'forbidden', said);
    server.answer(({ method }) => (method === 'POST' ? denied : refusal(404, 'notFound', 'No such object')));
    const put = () => store.put('backups/p/a', Buffer.from('y'), { createOnly: true });
    await expect(put()).rejects.toMatchObject({ code: 'StoreDenied' });
    const taken = refusal(403, 'forbidden', 'holdfast does not have storage.objects.delete access to the object.');
    server.answer(({ method }) => (method === 'POST' ? taken : json(object())));
    expect(await put()).toBe('exists');
  });

  it('an overload that says how long to wait: is waited out', async () => {
    let asked = 0;
    server.answer(() => {
      asked += 1;
      return asked === 1 ? { status: 429, headers: { 'retry-after': '1' } } : json(object());
    });
    const before = performance.now();
    expect(await store.head('chunks/aa/1')).toMatchObject({ sizeBytes: 1 });
    expect(performance.now() - before).toBeGreaterThanOrEqual(900);
  });

  it('a service account: signs in with its key at the address Google documents; nothing else is accepted', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const account = {
      type: 'service_account',
      client_email: 'holdfast@project.iam.gserviceaccount.com',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    };
    const config = { name: 'g', kind: 'gcs', bucket: 'b', prefix: '', credentials: { env: 'X' } } as const;
    const accepted = await openGcsStore(config, () => Promise.resolve(JSON.stringify(account)));
    await accepted.close();
    const external = { ...account, type: 'external_account', credential_source: { executable: { command: 'id' } } };
    const refused = openGcsStore(config, () => Promise.resolve(JSON.stringify(external)));
    await expect(refused).rejects.toMatchObject({ code: 'BadInput' });
  });
});
