import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/failures.ts';
import { openGcsStore } from '../../src/stores/gcs.ts';
import type { Store } from '../../src/stores/index.ts';
import type { RetryPolicy } from '../../src/stores/retry.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import type { Fault, FaultProxy } from '../support/fault-proxy.ts';
import { gcsStoreConfig, startGcsServer } from '../support/gcs-server.ts';
import type { GcsServer } from '../support/gcs-server.ts';
import { keys, sha256, text } from './conformance.ts';

const RETRIES: RetryPolicy = { attempts: 5, firstPauseMs: 2, longestPauseMs: 20, silenceMs: 60_000 };
const HASTY: RetryPolicy = { ...RETRIES, silenceMs: 2_000 };
const BUSY: Fault = { kind: 'status', status: 503 };
const HTML: Fault = { kind: 'status', status: 502, body: '<html><body>Bad Gateway</body></html>' };
const BODY = Buffer.alloc(15_000, 'what must come back whole ');
const noSecrets = () => Promise.reject(new Error('no secret is needed here'));

let server: GcsServer;
let proxy: FaultProxy;
let direct: Store;
let store: Store;
let hasty: Store;

beforeAll(async () => {
  server = await startGcsServer();
  proxy = await startFaultProxy(server.url);
  const config = gcsStoreConfig(server, { prefix: 'faults' });
  direct = await openGcsStore(config, noSecrets);
  store = await openGcsStore({ ...config, endpoint: proxy.url }, noSecrets, RETRIES);
  hasty = await openGcsStore({ ...config, endpoint: proxy.url }, noSecrets, HASTY);
  await direct.put('there', BODY, { createOnly: true });
});

afterAll(async () => {
  await Promise.all([direct.close(), store.close(), hasty.close()]);
  await proxy.close();
  await server.stop();
});

beforeEach(() => {
  proxy.always(undefined);
});

/** Every method, and what it must give however often the network failed before. */
const METHODS: readonly [string, (store: Store, name: string) => Promise<unknown>, unknown][] = [
  ['a create-only put', (on, name) => on.put(`put/${name}`, BODY, { createOnly: true }), 'written'],
  ['a replacing put', (on, name) => on.put(`replace/${name}`, BODY, { createOnly: false }), 'written'],
  ['get', async (on) => sha256(await on.get('there')), sha256(BODY)],
  ['head', async (on) => (await on.head('there'))?.sizeBytes, BODY.length],
  ['head of nothing', (on) => on.head('not-there'), undefined],
  ['list', (on) => keys(on, 'there'), ['there']],
  ['delete', (on, name) => on.delete(`gone/${name}`), undefined],
];

describe('a Google store on a bad network [M10]', () => {
  it.each(METHODS)(
    '%s: succeeds after overload, a reset and a gateway that answers in HTML',
    async (_, call, expected) => {
      proxy.next(BUSY, { kind: 'reset' }, HTML);
      expect(await call(store, 'overload')).toEqual(expected);
    },
  );

  it.each(METHODS)('%s: succeeds when the answer to its first attempt was lost', async (_, call, expected) => {
    proxy.next({ kind: 'lose-answer' });
    expect(await call(store, 'lost-answer')).toEqual(expected);
  });

  it.each(METHODS)('%s: does not take the page of a login portal for an answer', async (name, call, expected) => {
    // A DELETE has an empty answer, which nothing can tell from another one.
    if (name !== 'delete') proxy.next({ kind: 'status', status: 200, body: '<html><body>Welcome</body></html>' });
    expect(await call(store, 'portal')).toEqual(expected);
  });

  it('every method: notices that the server hangs, and tries again', async () => {
    proxy.next(...METHODS.map(() => ({ kind: 'hang' }) as const));
    const results = await Promise.all(METHODS.map(([, call]) => call(hasty, 'hang')));
    expect(results).toEqual(METHODS.map(([, , expected]) => expected));
  });

  it.each<[string, Fault]>([
    ['cut short', { kind: 'cut', part: 0.5 }],
    ['cut before its first byte', { kind: 'cut', part: 0 }],
    ['stopping halfway', { kind: 'stall', part: 0.5 }],
  ])('a body %s: is never taken for the object; it is fetched again', async (_, fault) => {
    proxy.next(fault);
    expect(sha256(await hasty.get('there'))).toBe(sha256(BODY));
  });

  it('a lost answer to a create-only put, with the bytes of somebody else there: says that it exists', async () => {
    await direct.put('theirs', Buffer.from('their bytes'), { createOnly: true });
    proxy.next({ kind: 'lose-answer' });
    expect(await store.put('theirs', Buffer.from('our bytes!!'), { createOnly: true })).toBe('exists');
    expect(text(await direct.get('theirs'))).toBe('their bytes');
  });

  it('a lost answer, where the rights to read are missing: the listing tells that the bytes are ours', async () => {
    proxy.next({ kind: 'lose-answer' });
    proxy.always(({ method, url }) =>
      method === 'GET' && /\/o\/[^?]/.test(url) ? { kind: 'status', status: 403 } : undefined,
    );
    expect(await store.put('write-only', BODY, { createOnly: true })).toBe('written');
    expect(await store.put('write-only', BODY, { createOnly: true })).toBe('exists');
  });

  it('overload without end: StoreUnreachable after as many attempts as the policy says, and waiting helps', async () => {
    const before = proxy.seen.length;
    proxy.always(() => BUSY);
    const cause = (await store.head('there').catch((error: unknown) => error)) as HoldfastError;
    expect(cause).toMatchObject({ code: 'StoreUnreachable', waitingHelps: true });
    expect(cause.message).toContain('503');
    expect(proxy.seen.length - before).toBe(RETRIES.attempts);
  });

  it.each([
    [403, 'StoreDenied'],
    [401, 'StoreDenied'],
    [501, 'StoreUnfit'],
  ])('the answer %i: is not tried again', async (status, expected) => {
    const before = proxy.seen.length;
    proxy.always(() => ({ kind: 'status', status }));
    await expect(store.put('denied', BODY, { createOnly: true })).rejects.toMatchObject({ code: expected });
    // Whether the name is taken may be asked once as well.
    const writes = proxy.seen.slice(before).filter(({ method }) => method === 'POST');
    expect(writes).toHaveLength(1);
  });

  it('an abort while the server hangs: rejects with its reason, without waiting for the silence to end', async () => {
    proxy.always(() => ({ kind: 'hang' }));
    const abort = new AbortController();
    const reason = new Error('operator pressed stop');
    const before = proxy.seen.length;
    const { signal } = abort;
    const calls = [store.get('there', { signal }), store.put('never', BODY, { createOnly: true, signal })];
    await expect.poll(() => proxy.seen.length, { timeout: 30_000 }).toBe(before + 2);
    abort.abort(reason);
    for (const call of calls) await expect(call).rejects.toBe(reason);
  });
});
