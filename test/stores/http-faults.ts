/** What every store over HTTP must do on a bad network, whatever its service is. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/failures.ts';
import type { Store } from '../../src/stores/index.ts';
import type { RetryPolicy } from '../../src/stores/retry.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import type { Fault, FaultProxy } from '../support/fault-proxy.ts';
import { keys, sha256, text } from './conformance.ts';

const RETRIES: RetryPolicy = { attempts: 5, firstPauseMs: 2, longestPauseMs: 20, silenceMs: 60_000 };

type Call = (store: Store, name: string) => Promise<unknown>;
type Status = Extract<Fault, { kind: 'status' }>;

/** Every method, and what it must give however often the network failed before. */
export function methodsWith(body: Uint8Array): readonly (readonly [string, Call, unknown])[] {
  return [
    ['a create-only put', (on, name) => on.put(`put/${name}`, body, { createOnly: true }), 'written'],
    ['a replacing put', (on, name) => on.put(`replace/${name}`, body, { createOnly: false }), 'written'],
    ['get', async (on) => sha256(await on.get('there')), sha256(body)],
    ['head', async (on) => (await on.head('there'))?.sizeBytes, body.length],
    ['head of nothing', (on) => on.head('not-there'), undefined],
    ['list', (on) => keys(on, 'there'), ['there']],
    ['delete', (on, name) => on.delete(`gone/${name}`), undefined],
  ];
}

export interface HttpService {
  /** Such as `an S3 store`. */
  readonly name: string;
  /** Its object `there`. */
  readonly body: Uint8Array;
  readonly busy: Status;
  /** How it forbids, such as with a code of its own. */
  readonly forbidden: Status;
  /** Answers that no further attempt is made after: the status, the service's own code, and ours for it. */
  readonly final: readonly (readonly [status: number, theirs: string | undefined, ours: string])[];
  /** After how long without a word a handle that is hasty tries again. */
  readonly silenceMs: number;
  /** Whether a request reads what is there, which rights may not allow. */
  readonly reads: (request: { readonly method: string; readonly url: string }) => boolean;
  /** Whether a request writes; those that do not may come beside one that is refused. */
  readonly writes: (request: { readonly method: string }) => boolean;
  readonly more?: readonly (readonly [string, Call, unknown])[];
  /** The address of its server. */
  start(): Promise<string>;
  /** A handle by way of this address. */
  open(url: string, retries?: RetryPolicy): Promise<Store>;
  stop(): Promise<void>;
}

/** What is alike at services that say most by the status alone. */
export const PLAIN_ANSWERS = {
  silenceMs: 2_000,
  body: Buffer.alloc(15_000, 'what must come back whole '),
  busy: { kind: 'status', status: 503 },
  forbidden: { kind: 'status', status: 403 },
  final: [
    [403, undefined, 'StoreDenied'],
    [401, undefined, 'StoreDenied'],
    [501, undefined, 'StoreUnfit'],
  ],
} as const satisfies Partial<HttpService>;

/** What a service's own tests use of the same place. */
export interface BadNetwork {
  readonly proxy: FaultProxy;
  /** Not through the proxy. */
  readonly direct: Store;
  readonly store: Store;
  /** Notices silence soon. */
  readonly hasty: Store;
}

export const HTML: Fault = { kind: 'status', status: 502, body: '<html><body>Bad Gateway</body></html>' };

/** Runs the suite, and what the service adds to it, on one server. */
export function onBadNetwork(service: HttpService, own?: (at: () => BadNetwork) => void): void {
  describe(`${service.name} on a bad network [M10]`, () => {
    const { body, busy } = service;
    const methods = [...methodsWith(body), ...(service.more ?? [])];
    let proxy: FaultProxy;
    let direct: Store;
    let store: Store;
    let hasty: Store;

    beforeAll(async () => {
      const url = await service.start();
      proxy = await startFaultProxy(url);
      direct = await service.open(url);
      store = await service.open(proxy.url, RETRIES);
      hasty = await service.open(proxy.url, { ...RETRIES, silenceMs: service.silenceMs });
      await direct.put('there', body, { createOnly: true });
    });

    afterAll(async () => {
      await Promise.all([direct.close(), store.close(), hasty.close()]);
      await proxy.close();
      await service.stop();
    });

    beforeEach(() => {
      proxy.always(undefined);
    });

    it.each(methods)(
      '%s: succeeds after overload, a reset and a gateway that answers in HTML',
      async (_, call, expected) => {
        proxy.next(busy, { kind: 'reset' }, HTML);
        expect(await call(store, 'overload')).toEqual(expected);
      },
    );

    it.each(methods)('%s: succeeds when the answer to its first attempt was lost', async (_, call, expected) => {
      proxy.next({ kind: 'lose-answer' });
      expect(await call(store, 'lost-answer')).toEqual(expected);
    });

    it.each(methods)('%s: does not take the page of a login portal for an answer', async (name, call, expected) => {
      // A DELETE has an empty answer, which nothing can tell from another one.
      if (name !== 'delete') proxy.next({ kind: 'status', status: 200, body: '<html><body>Welcome</body></html>' });
      expect(await call(store, 'portal')).toEqual(expected);
    });

    it('every method: notices that the server hangs, and tries again', async () => {
      proxy.next(...methods.map(() => ({ kind: 'hang' }) as const));
      const results = await Promise.all(methods.map(([, call]) => call(hasty, 'hang')));
      expect(results).toEqual(methods.map(([, , expected]) => expected));
    });

    it.each<[string, Fault]>([
      ['cut short', { kind: 'cut', part: 0.5 }],
      ['cut before its first byte', { kind: 'cut', part: 0 }],
      ['stopping halfway', { kind: 'stall', part: 0.5 }],
    ])('a body %s: is never taken for the object; it is fetched again', async (_, fault) => {
      proxy.next(fault);
      expect(sha256(await hasty.get('there'))).toBe(sha256(body));
    });

    it('a lost answer to a create-only put, with the bytes of somebody else there: says that it exists', async () => {
      await direct.put('theirs', Buffer.from('their bytes'), { createOnly: true });
      proxy.next({ kind: 'lose-answer' });
      expect(await store.put('theirs', Buffer.from('our bytes!!'), { createOnly: true })).toBe('exists');
      expect(text(await direct.get('theirs'))).toBe('their bytes');
    });

    it('a lost answer, where the rights to read are missing: the listing tells that the bytes are ours', async () => {
      proxy.next({ kind: 'lose-answer' });
      proxy.always((request) => (service.reads(request) ? service.forbidden : undefined));
      expect(await store.put('write-only', body, { createOnly: true })).toBe('written');
      expect(await store.put('write-only', body, { createOnly: true })).toBe('exists');
    });

    it.each<[string, Call]>([
      ['head', (on) => on.head('there')],
      ['get', (on) => on.get('there')],
    ])(
      '%s, overload without end: StoreUnreachable after as many attempts as the policy says, and waiting helps',
      async (_, call) => {
        const before = proxy.seen.length;
        proxy.always(() => busy);
        const cause = (await call(store, '').catch((error: unknown) => error)) as HoldfastError;
        expect(cause).toMatchObject({ code: 'StoreUnreachable', waitingHelps: true });
        expect(cause.message).toContain('503');
        expect(proxy.seen.length - before).toBe(RETRIES.attempts);
      },
    );

    it.each(service.final)('the answer %i %s: is not tried again', async (status, theirs, ours) => {
      const before = proxy.seen.length;
      proxy.always(() => ({ kind: 'status', status, ...(theirs === undefined ? {} : { code: theirs }) }));
      await expect(store.put('denied', body, { createOnly: true })).rejects.toMatchObject({ code: ours });
      expect(proxy.seen.slice(before).filter(service.writes)).toHaveLength(1);
    });

    it('an abort while the server hangs: rejects with its reason, without waiting for the silence to end', async () => {
      proxy.always(() => ({ kind: 'hang' }));
      const abort = new AbortController();
      const reason = new Error('operator pressed stop');
      const before = proxy.seen.length;
      const { signal } = abort;
      const calls = [store.get('there', { signal }), store.put('never', body, { createOnly: true, signal })];
      await expect.poll(() => proxy.seen.length, { timeout: 30_000 }).toBe(before + 2);
      abort.abort(reason);
      for (const call of calls) await expect(call).rejects.toBe(reason);
    });

    it('a server that is not there: StoreUnreachable', async () => {
      const gone = await startFaultProxy(proxy.url);
      await gone.close();
      const lost = await service.open(gone.url, { ...RETRIES, attempts: 2 });
      await expect(lost.head('there')).rejects.toMatchObject({ code: 'StoreUnreachable' });
      await lost.close();
    });

    own?.(() => ({ proxy, direct, store, hasty }));
  });
}
