import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { unlessRefused } from '../../src/engine/refused.ts';

it('nothing listens any more: told long before the client would; what listens and is slow is waited for', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const target = { address, from: 'this machine' } as const;
  const slow = new Promise<string>((resolve) => setTimeout(() => resolve('said'), 900));
  expect(await unlessRefused(target, 100, slow)).toBe('said');
  await new Promise((resolve) => server.close(resolve));
  const never = new Promise<string>(() => undefined);
  await expect(unlessRefused(target, 100, never)).rejects.toMatchObject({ code: 'EngineUnreachable' });
  await expect(unlessRefused(target, 100, Promise.reject(new Error('its own')))).rejects.toThrow('its own');
});
