import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { deliver } from '../../src/notify/deliver.ts';
import type { EmailChannel } from '../../src/system/notify-types.ts';
import { MAIL_CA, startMailServer, type MailServerOptions } from '../support/mail-server.ts';
import { NEVER, NOTICE, thrownBy, without } from './notice.ts';

const ACCOUNT = { user: 'holdfast', password: 'hunter2-in-the-mail' };

const channel = (port: number, change: Partial<EmailChannel> = {}): EmailChannel => ({
  kind: 'email',
  name: 'mail',
  on: [],
  server: '127.0.0.1',
  port,
  tls: 'starttls',
  caFile: MAIL_CA,
  user: ACCOUNT.user,
  password: { env: 'TEST_MAIL_PASSWORD' },
  from: 'Holdfast <holdfast@example.net>',
  to: ['ops@example.net', 'Lead <lead@example.net>'],
  ...change,
});

beforeEach(() => {
  vi.stubEnv('TEST_MAIL_PASSWORD', ACCOUNT.password);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

async function failureWith(options: MailServerOptions, change: Partial<EmailChannel> = {}) {
  await using server = await startMailServer(options);
  const thrown = await thrownBy(deliver(channel(server.port, change), NOTICE, NEVER));
  expect(thrown.all).not.toContain(ACCOUNT.password);
  expect(server.mails).toEqual([]);
  return thrown;
}

describe('mail', () => {
  test('STARTTLS and an account: taken, with subject, text and the id by which a repeat can be told', async () => {
    await using server = await startMailServer({ account: ACCOUNT });
    await deliver(channel(server.port), NOTICE, NEVER);
    const [mail] = server.mails;
    expect(mail).toMatchObject({
      from: 'holdfast@example.net',
      to: ['ops@example.net', 'lead@example.net'],
      secure: true,
      user: ACCOUNT.user,
    });
    expect(mail?.text).toContain(`Subject: ${NOTICE.title}\r\n`);
    expect(mail?.text).toContain(`Message-ID: <${NOTICE.id}@holdfast.shop>`);
    expect(mail?.text).toContain('Auto-Submitted: auto-generated');
    expect(mail?.text).toContain('the newest backup is 3 h old');
  });

  test('TLS from the first byte, with words of the operator: a line break in them adds no header', async () => {
    await using server = await startMailServer({ account: ACCOUNT, secure: true });
    const own = { tls: 'tls', subject: '[{severity}] {system}\r\nBcc: all@example.net', template: '{title}!' } as const;
    await deliver(channel(server.port, own), NOTICE, NEVER);
    const [mail] = server.mails;
    expect(mail?.text).toContain('Subject: [critical] shop Bcc: all@example.net\r\n');
    expect(mail?.to).toHaveLength(2);
    expect(mail?.text).toContain(`${NOTICE.title}!`);
  });

  test('no encryption, as the file says: sent in the clear to a server that needs no account', async () => {
    await using server = await startMailServer({ hideSTARTTLS: true, disabledCommands: ['AUTH'] });
    await deliver(without(channel(server.port, { tls: 'none' }), 'user', 'password'), NOTICE, NEVER);
    expect(server.mails).toMatchObject([{ secure: false }]);
  });

  test('a wrong password: refused, and neither it nor the words of the server are told', async () => {
    const { code, message } = await failureWith({ account: { ...ACCOUNT, password: 'another' } });
    expect(code).toBe('ChannelRefused');
    expect(message).toContain('EAUTH 535');
  });

  test('no STARTTLS where it is wanted: nothing is sent in the clear', async () => {
    expect((await failureWith({ account: ACCOUNT, hideSTARTTLS: true, disabledCommands: ['STARTTLS'] })).code).toMatch(
      /^Channel/,
    );
  });

  test('a certificate that nobody vouches for: not sent', async () => {
    await using server = await startMailServer({ account: ACCOUNT });
    const untrusting = without(channel(server.port), 'caFile');
    expect((await thrownBy(deliver(untrusting, NOTICE, NEVER))).code).toMatch(/^Channel/);
    expect(server.mails).toEqual([]);
  });

  test('recipients refused for good, or for now (greylisting): not tried again, or tried again', async () => {
    expect((await failureWith({ account: ACCOUNT, refuse: 550 })).code).toBe('ChannelRefused');
    expect((await failureWith({ account: ACCOUNT, refuse: 450 })).code).toBe('ChannelUnreachable');
  });

  test('some recipients are refused for good: the others have it, and who has not is told', async () => {
    const refuse = (address: string): number | undefined => (address.startsWith('lead') ? 550 : undefined);
    await using server = await startMailServer({ account: ACCOUNT, refuse });
    const { refused } = await deliver(channel(server.port), NOTICE, NEVER);
    expect(refused).toBe('the server refuses 1 of 2 recipients: lead@example.net (550)');
    expect(server.mails.map(({ to }) => to)).toEqual([['ops@example.net']]);
  });

  test('one is to come again, one is gone, one has it: only the first is asked again, until all have said their word', async () => {
    const codes: Record<string, number> = { lead: 451, left: 550 };
    const refuse = (address: string): number | undefined => codes[address.split('@')[0] ?? ''];
    await using server = await startMailServer({ account: ACCOUNT, refuse });
    const to = ['ops@example.net', 'Lead <lead@example.net>', '"Left, Al" <left@example.net>'];
    const three = channel(server.port, { to });
    let kept: readonly string[] = [];
    const attempt = () => deliver(three, NOTICE, NEVER, { kept, keep: (words) => (kept = words) });
    for (let n = 1; n <= 2; n += 1) {
      const { code, message } = await thrownBy(attempt());
      expect(code).toBe('ChannelUnreachable');
      expect(message).toContain('come again for 1 of 3 recipients: lead@example.net (451)');
      expect(message).toContain('refused: left@example.net (550)');
    }
    delete codes['lead'];
    expect(await attempt()).toEqual({ refused: 'the server refuses 1 of 3 recipients: left@example.net (550)' });
    expect(server.mails.map((mail) => mail.to)).toEqual([['ops@example.net'], ['lead@example.net']]);
    const [first, second] = server.mails.map(({ text }) => /^Message-ID: .*$/m.exec(text)?.[0]);
    expect(second).toBe(first);
  });

  test('nobody listens: tried again', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect((await thrownBy(deliver(channel(port), NOTICE, NEVER))).code).toBe('ChannelUnreachable');
  });

  test('a server that says nothing: a cancel ends it at once', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
      const cancel = new AbortController();
      const sending = deliver(channel((server.address() as AddressInfo).port), NOTICE, cancel.signal);
      const gone = new Error('cancelled');
      const socket = await connected;
      cancel.abort(gone);
      await expect(sending).rejects.toBe(gone);
      socket.destroy();
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
