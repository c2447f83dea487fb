import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../src/stores/index.ts';
import { resolveS3Secret, s3StoreConfig, startS3Server } from '../support/s3-server.ts';
import type { S3Server } from '../support/s3-server.ts';
import { text } from './conformance.ts';

let server: S3Server;
const passed: string[] = [];

/** A forward proxy, which knows where a name leads that nobody else knows. */
const proxy = createServer((incoming, answer) => {
  const { pathname, search, host } = new URL(incoming.url ?? '');
  passed.push(host);
  const { hostname, port } = new URL(server.url);
  const onward = { hostname, port, path: pathname + search, method: incoming.method, headers: incoming.headers };
  const outgoing = request(onward, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  outgoing.on('error', () => answer.destroy());
  incoming.pipe(outgoing);
});

beforeAll(async () => {
  server = await startS3Server();
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(async () => {
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  await server.stop();
});

describe('an S3 store behind a proxy', () => {
  it('HTTP_PROXY: requests go through it, but for the names in NO_PROXY', async () => {
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    vi.stubEnv('NO_PROXY', '127.0.0.1');
    const far = await openStore(
      s3StoreConfig(server, { prefix: 'far', endpoint: 'http://storage.example.test' }),
      resolveS3Secret,
    );
    expect(await far.put('a', Buffer.from('through'), { createOnly: true })).toBe('written');
    expect(text(await far.get('a'))).toBe('through');
    expect(passed).toEqual(['storage.example.test', 'storage.example.test']);
    const near = await openStore(s3StoreConfig(server, { prefix: 'far' }), resolveS3Secret);
    expect(text(await near.get('a'))).toBe('through');
    expect(passed).toHaveLength(2);
    await Promise.all([far.close(), near.close()]);
  });
});
