import { request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { healthOf, type Knowledge } from '../../src/page/facts.ts';
import { createPageServer } from '../../src/page/server.ts';
import type { AccessRules } from '../../src/page/access.ts';
import { known, NOW_MS } from './known.ts';

const TOKEN = 'a-token-of-some-length';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function listen(rules: AccessRules): Promise<Server> {
  const server = createPageServer({ rules, look: () => known(), glance: () => known() });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function ask(server: Server, path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

let open: Server;
let closed: Server;
beforeAll(async () => {
  open = await listen({ hosts: [] });
  closed = await listen({ hosts: [], token: TOKEN });
});
afterAll(async () => {
  for (const server of [open, closed]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

describe('a page for everybody on this machine', () => {
  it('every address that there is, and a page for those that are not', async () => {
    for (const path of ['/', '/systems/shop', '/systems/shop/backups/aaaaaaaaaaaa', '/?refresh=10']) {
      const { status, text } = await ask(open, path);
      expect([path, status]).toEqual([path, 200]);
      expect(text).toContain('shop');
    }
    for (const path of [
      '/systems/none',
      '/systems/shop/',
      '/systems/shop/backups/none',
      '/%ff',
      '//',
      '/x/../systems',
    ]) {
      expect([path, (await ask(open, path)).status]).toEqual([path, 404]);
    }
  });

  it('nothing of it may run scripts of others, be framed, or be kept by caches', async () => {
    const { headers, text } = await ask(open, '/');
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
    expect(headers['cache-control']).toContain('no-cache');
    expect(headers['set-cookie']).toBeUndefined();
    expect(text).not.toMatch(/<script(?![^>]* src="\/assets\/)|\son\w+=|style="|<style/i);
    expect(text).not.toMatch(/(?:src|href)="(?!\/|#|http:\/\/127\.0\.0\.1:8233)/);
  });

  it('another method than reading: refused, whatever the address', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      for (const path of ['/', '/systems/shop', '/login', '/healthz']) {
        const { status, headers } = await ask(open, path, { method });
        expect([method, path, status]).toEqual([method, path, 405]);
        expect(headers.allow).toBe('GET, HEAD');
      }
    }
    const { status, text, headers } = await ask(open, '/', { method: 'HEAD' });
    expect([status, text]).toEqual([200, '']);
    expect(Number(headers['content-length'])).toBeGreaterThan(1000);
  });

  it('a name that another site has pointed here: nothing is told', async () => {
    const { status, text } = await ask(open, '/', { headers: { host: 'evil.example.com' } });
    expect(status).toBe(421);
    expect(text).not.toContain('shop');
  });

  it('the same page again: not sent again', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW_MS });
    try {
      const { headers } = await ask(open, '/');
      const again = await ask(open, '/', { headers: { 'if-none-match': headers.etag ?? '' } });
      expect([again.status, again.text]).toEqual([304, '']);
      vi.setSystemTime(NOW_MS + 3_600_000);
      expect((await ask(open, '/', { headers: { 'if-none-match': headers.etag ?? '' } })).status).toBe(200);
      const script = /src="(\/assets\/[^"]+)"/.exec((await ask(open, '/')).text)?.[1] ?? '';
      expect((await ask(open, script)).headers['cache-control']).toContain('immutable');
    } finally {
      vi.useRealTimers();
    }
  });

  it('programs learn whether the page is at work: not when it has not looked at the engine for long', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW_MS });
    try {
      expect(await ask(open, '/healthz')).toMatchObject({ status: 200, text: '{"status":"ok"}\n' });
      vi.setSystemTime(NOW_MS + 3_600_000);
      const { status, text } = await ask(open, '/healthz');
      expect(status).toBe(503);
      expect(JSON.parse(text)).toMatchObject({ status: 'stuck', waitsFor: 'engine' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('the first look hangs: the page says that it starts, since when and what it waits for; later that it is stuck', () => {
    const { engine, ...rest } = known();
    const { lookedAtMs: unused, ...unseen } = engine;
    expect(unused).toBeDefined();
    const since = new Date(NOW_MS).toISOString();
    const health = (knowledge: Knowledge, seconds: number) => healthOf(knowledge, NOW_MS, NOW_MS + seconds * 1000);
    const first = { ...rest, engine: unseen };
    expect(health(first, 60)).toEqual({ status: 'starting', since, waitsFor: 'engine' });
    expect(health(first, 121)).toEqual({ status: 'stuck', since, waitsFor: 'engine' });
    const stores = { systems: [], engine };
    expect(health(stores, 600)).toEqual({ status: 'starting', since, waitsFor: 'stores' });
    expect(health(stores, 901)).toEqual({ status: 'stuck', since, waitsFor: 'stores' });
    expect(health(known(), 1)).toEqual({ status: 'ok' });
  });
});

describe('a page behind a token', () => {
  const form = (token: string): Asked => ({ method: 'POST', body: new URLSearchParams({ token }).toString() });

  it('without it: the form and nothing else; to programs only that the page is at work', async () => {
    for (const path of ['/', '/systems/shop', '/systems/none']) {
      const { status, text, headers } = await ask(closed, path);
      expect([path, status]).toEqual([path, 401]);
      expect(text).toContain('type="password"');
      expect(text).not.toContain('shop');
      expect(headers['www-authenticate']).toBe('Bearer');
    }
    expect((await ask(closed, '/', { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    expect((await ask(closed, '/healthz')).text).not.toContain('shop');
  });

  it('with it: the page, by header, or by a cookie from the form', async () => {
    const bearer = await ask(closed, '/', { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(bearer.status).toBe(200);
    const login = await ask(closed, '/login', form(TOKEN));
    expect([login.status, login.headers.location]).toEqual([303, '/']);
    const cookie = login.headers['set-cookie']?.[0] ?? '';
    expect(cookie).toContain('HttpOnly');
    const page = await ask(closed, '/systems/shop', { headers: { cookie: cookie.split(';')[0] ?? '' } });
    expect(page.status).toBe(200);
    const logout = await ask(closed, '/logout', { method: 'POST' });
    expect(logout.headers['set-cookie']?.[0]).toContain('Max-Age=0');
  });

  it('a form on another site: not listened to', async () => {
    const asked = { ...form(TOKEN), headers: { 'sec-fetch-site': 'cross-site' } };
    expect((await ask(closed, '/login', asked)).status).toBe(403);
  });

  it('wrong tokens one after another: first refused, then not listened to, also when one is right', async () => {
    const statuses: number[] = [];
    for (let count = 0; count < 11; count += 1)
      statuses.push((await ask(closed, '/login', form(`wrong ${count}`))).status);
    expect(statuses).toEqual([...Array<number>(10).fill(401), 429]);
    const right = await ask(closed, '/login', form(TOKEN));
    expect([right.status, right.headers['set-cookie']]).toEqual([429, undefined]);
    expect(Number(right.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask(closed, '/login', { method: 'POST', body: 'token='.padEnd(10_000, 'x') })).status).toBe(429);
  });

  it('wrong tokens in the header: not listened to either, and who has logged in by the form is not kept out', async () => {
    const server = await listen({ hosts: [], token: TOKEN });
    try {
      const login = await ask(server, '/login', form(TOKEN));
      const cookie = login.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
      const shown = async (token: string) =>
        (await ask(server, '/', { headers: { authorization: `Bearer ${token}` } })).status;
      const statuses: number[] = [];
      for (let count = 0; count < 10; count += 1) statuses.push(await shown(`wrong-${count}`));
      expect([...statuses, await shown(TOKEN)]).toEqual([...Array<number>(10).fill(401), 429]);
      expect((await ask(server, '/', { headers: { cookie } })).status).toBe(200);
      expect((await ask(server, '/login', form(TOKEN))).status).toBe(303);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
