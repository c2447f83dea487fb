/** Messages and signs of life on a machine that reaches the web by a proxy alone. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createTlsServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { deliver } from '../../src/notify/deliver.ts';
import { tellAlive } from '../../src/status/ping.ts';
import type { SlackChannel } from '../../src/system/notify-types.ts';
import type { System } from '../../src/system/types.ts';
import { temporaryHome } from '../engine/home.ts';
import { startHttpProxy, type HttpProxy } from '../support/http-proxy.ts';
import { NoticeReceiver } from '../support/notice-receiver.ts';
import { NEVER, NOTICE, thrownBy } from './notice.ts';

const chat: SlackChannel = { kind: 'slack', name: 'chat', on: [], url: { env: 'TEST_NOTIFY_URL' } };
/** Exists nowhere: only a proxy can reach it. */
const NAME = 'hooks.holdfast.invalid';
const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

let home: ReturnType<typeof temporaryHome>;
let receiver: NoticeReceiver;
let receiverPort: number;
let port: number;
let proxy: HttpProxy;

beforeAll(async () => {
  home = temporaryHome();
  receiver = await NoticeReceiver.start();
  receiverPort = Number(new URL(receiver.url('/')).port);
  proxy = await startHttpProxy(() => port);
});

afterAll(async () => {
  home[Symbol.dispose]();
  await proxy[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

beforeEach(() => {
  for (const name of VARIABLES) vi.stubEnv(name, undefined);
  port = receiverPort;
});

afterEach(() => {
  vi.unstubAllEnvs();
  proxy.asked.length = 0;
  proxy.refuseWith = undefined;
  receiver.received.length = 0;
});

describe('a machine behind a proxy', () => {
  test('a message to a plain address goes through HTTP_PROXY, and a sign of life as well', async () => {
    vi.stubEnv('HTTP_PROXY', proxy.url);
    vi.stubEnv('TEST_NOTIFY_URL', `http://${NAME}/services/one`);
    await deliver(chat, NOTICE, NEVER);
    const monitor = { ping: { url: { env: 'TEST_NOTIFY_URL' }, everySeconds: 60, tellFailure: true } };
    const system = { name: 'shop', monitor } as unknown as System;
    expect(await tellAlive(system, { broken: true, nowMs: Date.now() })).toBe('told');
    expect(proxy.asked).toEqual([`POST http://${NAME}/services/one`, `POST http://${NAME}/services/one/fail`]);
    expect(receiver.received.map(({ headers }) => headers.host)).toEqual([NAME, NAME]);
    expect(receiver.received[1]?.body).toBe('shop');
  });

  test('a message to https goes through HTTPS_PROXY: the proxy sees a name and nothing of what is said', async () => {
    await using safe = await startSafeReceiver();
    ({ port } = safe);
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1');
    vi.stubEnv('https_proxy', proxy.url);
    vi.stubEnv('TEST_NOTIFY_URL', `https://${NAME}/services/secret`);
    const before = getCACertificates('default');
    expect((await thrownBy(deliver(chat, NOTICE, NEVER))).message).toContain('SELF_SIGNED');
    setDefaultCACertificates([...before, safe.certificate]);
    try {
      await deliver(chat, NOTICE, NEVER);
    } finally {
      setDefaultCACertificates(before);
    }
    expect(safe.paths).toEqual(['/services/secret']);
    expect(proxy.asked).toEqual([`CONNECT ${NAME}:443`, `CONNECT ${NAME}:443`]);
  });

  test('what NO_PROXY names, and this machine itself, are reached directly', async () => {
    vi.stubEnv('HTTP_PROXY', proxy.url);
    vi.stubEnv('TEST_NOTIFY_URL', receiver.url('/here'));
    await deliver(chat, NOTICE, NEVER);
    // An address that is this machine's without saying so.
    vi.stubEnv('TEST_NOTIFY_URL', `http://0.0.0.0:${receiverPort}/there`);
    await deliver(chat, NOTICE, NEVER);
    expect(proxy.asked).toEqual([`POST http://0.0.0.0:${receiverPort}/there`]);
    vi.stubEnv('NO_PROXY', 'example.net,0.0.0.0');
    await deliver(chat, NOTICE, NEVER);
    expect(proxy.asked).toHaveLength(1);
    expect(receiver.received.map(({ path: asked }) => asked)).toEqual(['/here', '/there', '/there']);
  });

  test.each([
    ['http', 407, 'ChannelRefused'],
    ['http', 502, 'ChannelUnreachable'],
    ['https', 407, 'ChannelUnreachable'],
  ])('a proxy that refuses %s with %i: %s, and neither address is told', async (scheme, status, wanted) => {
    const withAccount = proxy.url.replace('//', '//user:hunter2@');
    vi.stubEnv(`${scheme.toUpperCase()}_PROXY`, withAccount);
    vi.stubEnv('TEST_NOTIFY_URL', `${scheme}://${NAME}/services/secret`);
    proxy.refuseWith = status;
    const { code, all } = await thrownBy(deliver(chat, NOTICE, NEVER));
    expect(code).toBe(wanted);
    expect(all).not.toMatch(/hunter2|secret|invalid/);
  });

  test('a proxy that is none: said without it', async () => {
    vi.stubEnv('HTTP_PROXY', 'nonsense://user:hunter2@proxy');
    vi.stubEnv('TEST_NOTIFY_URL', `http://${NAME}/services/secret`);
    const { code, all } = await thrownBy(deliver(chat, NOTICE, NEVER));
    expect(code).toBe('ChannelUnreachable');
    expect(all).not.toMatch(/hunter2|secret|invalid/);
  });
});

interface SafeReceiver extends AsyncDisposable {
  readonly port: number;
  readonly certificate: string;
  readonly paths: string[];
}

/** Takes messages over TLS, under the name that only the proxy knows. */
async function startSafeReceiver(): Promise<SafeReceiver> {
  const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-proxy-'));
  const [key, cert] = [path.join(directory, 'key.pem'), path.join(directory, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const named = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`];
  execFileSync('openssl', ['req', '-x509', ...curve, ...named, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const certificate = readFileSync(cert, 'utf8');
  const paths: string[] = [];
  const server: Server = createTlsServer({ key: readFileSync(key), cert: certificate }, (incoming, outgoing) => {
    paths.push(incoming.url ?? '');
    incoming.resume();
    outgoing.writeHead(204).end();
  });
  rmSync(directory, { recursive: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    certificate,
    paths,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
