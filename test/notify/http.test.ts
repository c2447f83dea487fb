import { createHmac } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { deliver } from '../../src/notify/deliver.ts';
import { post, retryAfterSeconds } from '../../src/notify/post.ts';
import type { SlackChannel, WebhookChannel } from '../../src/system/notify-types.ts';
import { NoticeReceiver } from '../support/notice-receiver.ts';
import { NEVER, NOTICE, thrownBy, without } from './notice.ts';

const SECRET_PATH = '/services/T0SECRET/hunter2';
const KEY = `whsec_${Buffer.from('a signing key of 32 bytes, or so').toString('base64')}`;

const slack: SlackChannel = { kind: 'slack', name: 'chat', on: [], url: { env: 'TEST_NOTIFY_URL' } };
const webhook: WebhookChannel = {
  kind: 'webhook',
  name: 'pager',
  on: [],
  url: { env: 'TEST_NOTIFY_URL' },
  signingKey: { env: 'TEST_NOTIFY_KEY' },
};

let receiver: NoticeReceiver;

beforeAll(async () => {
  receiver = await NoticeReceiver.start();
});

afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
});

beforeEach(() => {
  vi.stubEnv('TEST_NOTIFY_URL', receiver.url(SECRET_PATH));
  vi.stubEnv('TEST_NOTIFY_KEY', KEY);
});

afterEach(() => {
  vi.unstubAllEnvs();
  receiver.received.length = 0;
  receiver.replies = [];
});

/** As a receiver checks it, by the specification. */
function isSigned({ headers, body }: NoticeReceiver['received'][number]): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = headers;
  const key = Buffer.from(KEY.slice('whsec_'.length), 'base64');
  const wanted = createHmac('sha256', key)
    .update(`${String(id)}.${String(at)}.${body}`)
    .digest('base64');
  return signature === `v1,${wanted}`;
}

describe('a webhook', () => {
  test('a message arrives signed, with its type, time and facts; a repeat has the same id and body', async () => {
    await deliver(webhook, NOTICE, NEVER);
    await deliver(webhook, NOTICE, NEVER);
    const [first, second] = receiver.received;
    if (first === undefined || second === undefined) throw new Error('two messages should have come');
    expect([first, second].map(isSigned)).toEqual([true, true]);
    expect(isSigned({ ...first, body: first.body.replace('shop', 'shed') })).toBe(false);
    expect(first.path).toBe(SECRET_PATH);
    expect(first.headers['content-type']).toBe('application/json');
    const { id, system, severity, title, text, facts } = NOTICE;
    expect(JSON.parse(first.body)).toEqual({
      type: 'incident.escalated',
      timestamp: NOTICE.at,
      data: { id, system, severity, title, text, facts },
    });
    expect([second.headers['webhook-id'], second.body]).toEqual([NOTICE.id, first.body]);
    expect(Math.abs(Number(first.headers['webhook-timestamp']) * 1000 - Date.now())).toBeLessThan(300_000);
  });

  test('without a key: not signed', async () => {
    await deliver(without(webhook, 'signingKey'), NOTICE, NEVER);
    expect(receiver.received[0]?.headers['webhook-signature']).toBeUndefined();
  });

  test('a template: its text comes along', async () => {
    await deliver({ ...webhook, template: '{system}/{incident} {level}: {title} {unknown}' }, NOTICE, NEVER);
    const { data } = JSON.parse(receiver.received[0]?.body ?? '') as { data: { message: string } };
    expect(data.message).toBe(`shop/freshness/hourly L2: ${NOTICE.title} {unknown}`);
  });
});

describe('Slack', () => {
  test('title and text, with nothing in them that Slack would read as markup', async () => {
    await deliver(slack, { ...NOTICE, title: '<!channel> & co' }, NEVER);
    const { text } = JSON.parse(receiver.received[0]?.body ?? '') as { text: string };
    expect(text).toContain('*&lt;!channel&gt; &amp; co*');
    expect(text).toContain('look &lt;here&gt; &amp; there');
  });

  test("a template: the operator's own markup stays, values are text", async () => {
    await deliver({ ...slack, template: '<!here> {title}: {text}' }, NOTICE, NEVER);
    const { text } = JSON.parse(receiver.received[0]?.body ?? '') as { text: string };
    expect(text).toMatch(/^<!here> shop: escalated/);
    expect(text).toContain('&lt;here&gt;');
  });
});

describe('a receiver in trouble', () => {
  test.each([500, 502, 503, 408, 425])('%i: it is tried again later', async (status) => {
    receiver.replies = [{ status }];
    const { code, all } = await thrownBy(deliver(slack, NOTICE, NEVER));
    expect(code).toBe('ChannelUnreachable');
    expect(all).toContain(String(status));
    expect(all).not.toContain('hunter2');
  });

  test('429 with Retry-After: it is left alone for so long', async () => {
    receiver.replies = [{ status: 429, headers: { 'retry-after': '7' } }];
    const error = await deliver(slack, NOTICE, NEVER).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ChannelUnreachable', details: { status: 429, retryAfterSeconds: 7 } });
  });

  test.each([400, 401, 403, 404, 410])('%i: refused, and not tried again', async (status) => {
    receiver.replies = [{ status }];
    const { code, all } = await thrownBy(deliver(slack, NOTICE, NEVER));
    expect(code).toBe('ChannelRefused');
    expect(all).not.toContain('hunter2');
  });

  test('another address: not followed, since the message is for the one of the file', async () => {
    receiver.replies = [{ status: 302, headers: { location: receiver.url('/elsewhere') } }];
    expect(await thrownBy(deliver(webhook, NOTICE, NEVER))).toMatchObject({ code: 'ChannelRefused' });
    expect(receiver.received).toHaveLength(1);
  });

  test('the connection breaks, or nobody listens: tried again, and the address is in no error', async () => {
    receiver.replies = ['reset'];
    const reset = await thrownBy(deliver(webhook, NOTICE, NEVER));
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    vi.stubEnv('TEST_NOTIFY_URL', `http://127.0.0.1:${port}${SECRET_PATH}`);
    const nobody = await thrownBy(deliver(webhook, NOTICE, NEVER));
    for (const { code, all } of [reset, nobody]) {
      expect(code).toBe('ChannelUnreachable');
      expect(all).not.toContain('hunter2');
    }
    expect(nobody.message).toContain('ECONNREFUSED');
  });

  test('no answer in time: given up; a cancel ends it at once', async () => {
    receiver.replies = ['hang', 'hang'];
    const body = '{}';
    const options = { channel: 'chat', headers: {}, body };
    const late = await thrownBy(post(receiver.url(SECRET_PATH), { ...options, signal: NEVER, limitMs: 100 }));
    expect(late).toMatchObject({ code: 'ChannelUnreachable', message: 'chat gave no answer in 0.1 s' });
    const cancel = new AbortController();
    const waiting = post(receiver.url(SECRET_PATH), { ...options, signal: cancel.signal });
    const gone = new Error('cancelled');
    cancel.abort(gone);
    await expect(waiting).rejects.toBe(gone);
  });

  test.each(['', 'hunter2', 'ftp://example.net/hunter2', 'https://user:hunter2@example.net/'])(
    'an address that is none: said without it',
    async (url) => {
      vi.stubEnv('TEST_NOTIFY_URL', url);
      const { code, all } = await thrownBy(deliver(slack, NOTICE, NEVER));
      expect(code).toBe('SecretMissing');
      expect(all).not.toContain('hunter2');
    },
  );

  test('Retry-After as seconds, as a date, as nonsense, as far too long', () => {
    const now = Date.UTC(2026, 10, 21);
    const at = (header: string | undefined) => retryAfterSeconds(header, now);
    expect([at('0'), at('120'), at('99999999')]).toEqual([0, 120, 3600]);
    expect(at(new Date(now + 90_000).toUTCString())).toBe(90);
    expect(at(new Date(now - 90_000).toUTCString())).toBe(0);
    expect([at(undefined), at('soon'), at('-3')]).toEqual([undefined, undefined, undefined]);
  });
});
