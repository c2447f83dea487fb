import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/failures.ts';
import type { Store } from '../../src/stores/index.ts';
import type { RetryPolicy } from '../../src/stores/retry.ts';
import { openSftpStore } from '../../src/stores/sftp.ts';
import { sftpSecrets, sftpStoreConfig, startSftpServer } from '../support/sftp-server.ts';
import type { SftpServer } from '../support/sftp-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { keys, sha256, text } from './conformance.ts';
import { methodsWith } from './http-faults.ts';

const RETRIES: RetryPolicy = { attempts: 5, firstPauseMs: 2, longestPauseMs: 20, silenceMs: 60_000 };
const HASTY: RetryPolicy = { ...RETRIES, silenceMs: 3_000 };
const BODY = Buffer.alloc(300_000, 'what must come back whole ');

let server: SftpServer;
let proxy: TcpProxy;
let direct: Store;
const opened: Store[] = [];

beforeAll(async () => {
  server = await startSftpServer();
  proxy = await startTcpProxy(server.port);
  direct = await openSftpStore(sftpStoreConfig(server, { directory: 'faults' }), sftpSecrets(server));
  await direct.put('there', BODY, { createOnly: true });
});

afterEach(async () => {
  proxy.cut(undefined);
  proxy.refuse(0);
  await Promise.all(opened.splice(0).map((store) => store.close()));
});

afterAll(async () => {
  await direct.close();
  await proxy.close();
  await server.stop();
});

/** One session, so that the bytes of a call are its own. */
async function through(retries = RETRIES): Promise<Store> {
  const config = { ...sftpStoreConfig(server, { directory: 'faults', port: proxy.port }), parallelism: 1 };
  const store = await openSftpStore(config, sftpSecrets(server), retries);
  opened.push(store);
  return store;
}

/** A store whose connection stands, and whose directories are made. */
async function connected(retries = RETRIES): Promise<Store> {
  const store = await through(retries);
  await store.put('warm', Buffer.from('x'), { createOnly: false });
  return store;
}

const METHODS = methodsWith(BODY);

describe('an SFTP store on a bad network [M10]', () => {
  it.each(METHODS)('%s: succeeds when connections are cut as they are made', async (name, call, expected) => {
    proxy.refuse(2);
    expect(await call(await through(), `refused-${name.replaceAll(' ', '-')}`)).toEqual(expected);
  });

  it.each(METHODS)('%s: succeeds when its connection is cut before its first answer', async (name, call, expected) => {
    const store = await connected();
    proxy.cut({ direction: 'down', afterBytes: 0 });
    expect(await call(store, `lost-${name.replaceAll(' ', '-')}`)).toEqual(expected);
  });

  it('a create-only put cut anywhere, answers lost or requests: written once, whole, and never half under its name', async () => {
    const store = await connected();
    const before = { ...proxy.passed };
    await store.put('measure', BODY, { createOnly: true });
    const sent = proxy.passed.up - before.up;
    const answered = proxy.passed.down - before.down;
    const up = [0.3, 0.98, 0.995].map((part) => ({ direction: 'up', afterBytes: sent * part }) as const);
    const connections = proxy.connections;
    const down = Array.from({ length: 7 }, (_, at) => {
      return { direction: 'down', afterBytes: Math.floor(answered * (0.5 + at / 14)) } as const;
    });
    for (const [index, cut] of [...up, ...down].entries()) {
      const key = `cut/${index}`;
      proxy.cut({ ...cut, afterBytes: Math.floor(cut.afterBytes) });
      expect(await store.put(key, BODY, { createOnly: true }), JSON.stringify(cut)).toBe('written');
      expect(sha256(await direct.get(key))).toBe(sha256(BODY));
      expect(await store.put(key, Buffer.from('other'), { createOnly: true })).toBe('exists');
    }
    // Most of the cuts hit: the last bytes of a call may be those that nobody waits for.
    expect(proxy.connections - connections).toBeGreaterThanOrEqual(5);
  });

  it('a get cut anywhere: gives the whole object, or what is missing once more', async () => {
    const store = await connected();
    for (const afterBytes of [100, 40_000, 299_000]) {
      proxy.cut({ direction: 'down', afterBytes });
      expect(sha256(await store.get('there'))).toBe(sha256(BODY));
    }
  });

  it('a listing cut anywhere: is whole and in order', async () => {
    const names = Array.from(
      { length: 40 },
      (_, index) => `some/${String(index % 4)}/${String(index).padStart(2, '0')}`,
    );
    await Promise.all(names.map((key) => direct.put(key, Buffer.from(key), { createOnly: true })));
    const store = await connected();
    for (const afterBytes of [50, 1_500]) {
      proxy.cut({ direction: 'down', afterBytes });
      expect(await keys(store, 'some/')).toEqual([...names].sort());
    }
  });

  it('a lost answer to a create-only put, with the bytes of somebody else there: says that it exists', async () => {
    await direct.put('theirs', Buffer.from('their bytes'), { createOnly: true });
    const store = await connected();
    proxy.cut({ direction: 'down', afterBytes: 200 });
    expect(await store.put('theirs', Buffer.from('our bytes!!'), { createOnly: true })).toBe('exists');
    expect(text(await direct.get('theirs'))).toBe('their bytes');
  });

  it('every method: notices that the server hangs, and tries again on another connection', async () => {
    const store = await connected(HASTY);
    proxy.freeze();
    const results = await Promise.all(METHODS.map(([, call], index) => call(store, `hang-${index}`)));
    expect(results).toEqual(METHODS.map(([, , expected]) => expected));
  });

  it('an abort while the server hangs: rejects with its reason, without waiting for the silence to end', async () => {
    const store = await connected();
    proxy.freeze();
    const abort = new AbortController();
    const reason = new Error('operator pressed stop');
    const { signal } = abort;
    const calls = [store.get('there', { signal }), store.put('never', BODY, { createOnly: true, signal })];
    abort.abort(reason);
    for (const call of calls) await expect(call).rejects.toBe(reason);
    expect(await direct.head('never')).toBeUndefined();
  });

  it('a server that is not there: StoreUnreachable after as many attempts as the policy says, and waiting helps', async () => {
    const before = proxy.connections;
    proxy.refuse(100);
    const store = await through();
    const cause = (await store.head('there').catch((error: unknown) => error)) as HoldfastError;
    expect(cause).toMatchObject({ code: 'StoreUnreachable', waitingHelps: true });
    expect(proxy.connections - before).toBe(RETRIES.attempts);
  });

  it('after all of it: nothing lies under a name that was not asked for', async () => {
    const found = await keys(direct, '');
    expect(found.filter((key) => !/^(there|warm|measure|theirs|(put|replace|cut|some)\/.*)$/.test(key))).toEqual([]);
    expect(await readdir(join(server.data, 'faults'))).toContain('.tmp');
  });
});
