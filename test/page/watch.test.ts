/** What the page knows of stores and hosts, looked at again and again. */
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { NOTHING_KNOWN } from '../../src/page/facts.ts';
import { SystemWatch } from '../../src/page/watch/system-watch.ts';
import { Watch } from '../../src/page/watch/watch.ts';
import { keysDirectory } from '../../src/system/home.ts';
import { registerSystem } from '../../src/system/load.ts';
import { temporaryHome } from '../engine/home.ts';
import { keySection } from '../system/keys.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

it('the rights of a key were too wide and are mended: the page tells it no longer than what is down', async () => {
  using home = temporaryHome();
  const at = (name: string): string => path.join(home.path, name);
  // A store that is missing would be a trouble of its own.
  await mkdir(at('nas'));
  await writeFile(at('shop.yaml'), systemFile('shop', `{ kind: directory, path: ${at('nas')} }`));
  const system = await registerSystem(at('shop.yaml'));
  const key = path.join(keysDirectory('shop'), 'signer');
  await writeFile(key, 'a key\n');
  await chmod(key, 0o644);

  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  const watch = new SystemWatch(
    { name: system.name, system },
    { engine: () => NOTHING_KNOWN.engine, schedulesOf: () => Promise.resolve([]), idleMs: () => 0 },
  );
  const checks = async (): Promise<string[]> => (await watch.look()).findings.map(({ check }) => check);
  expect(await checks()).toContain('rights');

  await chmod(key, 0o600);
  vi.setSystemTime(Date.now() + 15_000);
  expect(await checks()).not.toContain('rights');
});

it('the store of one system hangs: what breaks in another is told all the same', async () => {
  using home = temporaryHome();
  vi.stubEnv('LOGIN', 'anybody');
  const at = (name: string): string => path.join(home.path, name);
  await using store = await startHanging();
  const login = 'accessKeyId: { env: LOGIN }, secretAccessKey: { env: LOGIN }';
  await writeFile(
    at('archive.yaml'),
    systemFile('archive', `{ kind: s3, bucket: b, endpoint: '${store.url}', ${login} }`),
  );
  await writeFile(at('shop.yaml'), systemFile('shop', `{ kind: directory, path: ${at('nas')} }`));
  for (const name of ['archive', 'shop']) await registerSystem(at(`${name}.yaml`));

  const watch = new Watch();
  let nowMs = Date.now();
  /** As somebody who comes back, for whom is looked again at once. */
  const checks = (): string[] => {
    nowMs += 60_000;
    const facts = watch.look(nowMs).systems.find(({ name }) => name === 'shop');
    return facts?.findings.map(({ check }) => check) ?? [];
  };
  const limits = { timeout: 60_000, interval: 100 };
  watch.start();
  try {
    await vi.waitFor(() => expect(checks()).toContain('store'), limits);
    await writeFile(at('shop.yaml'), 'system: [');
    await vi.waitFor(() => expect(checks()).toContain('system-file'), limits);
    expect(store.waiting).toBeGreaterThan(0);
  } finally {
    const stopped = watch.stop();
    store.refuse();
    await stopped;
  }
});

function systemFile(system: string, store: string): string {
  return [
    `system: ${system}`,
    `stores: { nas: ${store} }`,
    'components: { config: { kind: files, path: /etc/hosts } }',
    'plans: { daily: { components: [config], stores: [nas] } }',
    keySection(),
  ].join('\n');
}

/** A server that takes requests and answers none, until it refuses all. */
async function startHanging() {
  const waiting: ServerResponse[] = [];
  let refuses = false;
  const refuse = (response: ServerResponse): unknown => response.writeHead(403).end();
  const server = createServer((_, response) => (refuses ? refuse(response) : waiting.push(response)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get waiting() {
      return waiting.length;
    },
    refuse: () => {
      refuses = true;
      for (const response of waiting.splice(0)) refuse(response);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
