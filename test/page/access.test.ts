import { describe, expect, it } from 'vitest';
import { isHostKnown, isLoopback } from '../../src/observe/known-host.ts';
import { judgeAccess, type AccessRules, type RequestFacts } from '../../src/page/access.ts';
import { WrongAttempts } from '../../src/page/attempts.ts';
import { accessRules } from '../../src/page/options.ts';
import { cookieValue, isSession, sessionValue, setCookie } from '../../src/page/session.ts';

const TOKEN = 'a-token-of-some-length';
const secret = () => Promise.resolve(TOKEN);

function request(more: Partial<RequestFacts> = {}): RequestFacts {
  return {
    host: '127.0.0.1:8234',
    localAddress: '127.0.0.1',
    remoteAddress: '127.0.0.1',
    authorization: undefined,
    session: false,
    user: undefined,
    ...more,
  };
}

describe('under which name the page answers', () => {
  const rules = { hosts: ['backups.example.net'] };
  it.each([
    ['127.0.0.1:8234', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['localhost:1', '127.0.0.1'],
    ['LOCALHOST', '::1'],
    ['[::1]:8234', '::1'],
    ['backups.example.net', '10.0.0.7'],
    ['Backups.Example.net.:443', '10.0.0.7'],
    ['10.0.0.7:8234', '::ffff:10.0.0.7'],
  ])('%s at %s: it does', (host, localAddress) => {
    expect(isHostKnown(rules.hosts, { host, localAddress })).toBe(true);
  });
  it.each([
    'evil.example.com',
    'evil.example.com:8234',
    '127.0.0.1.evil.example.com',
    'localhost.evil.example.com',
    '10.0.0.8',
    'evil@127.0.0.1',
    '127.0.0.1:8234/x',
    '',
    undefined,
  ])('%s, which another site may have pointed here: it does not', (host) => {
    expect(isHostKnown(rules.hosts, { host, localAddress: '10.0.0.7' })).toBe(false);
    expect(judgeAccess(rules, request({ host, localAddress: '10.0.0.7' }))).toMatchObject({
      may: 'nothing',
      status: 421,
    });
  });
});

describe('who may look', () => {
  const withToken: AccessRules = { hosts: [], token: TOKEN };
  it('no rules on loopback: everybody who is there', () => {
    expect(judgeAccess({ hosts: [] }, request())).toEqual({ may: 'look' });
  });
  it('a token: who shows it, in whatever way, and nobody else', () => {
    expect(judgeAccess(withToken, request())).toEqual({ may: 'log in' });
    for (const authorization of ['Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, 'Bearer ', TOKEN]) {
      expect(judgeAccess(withToken, request({ authorization }))).toEqual({ may: 'log in' });
    }
    expect(judgeAccess(withToken, request({ authorization: `Bearer ${TOKEN}` }))).toEqual({ may: 'look' });
    expect(judgeAccess(withToken, request({ session: true }))).toEqual({ may: 'look' });
  });
  it('a proxy: believed from its address only, and only when it names somebody', async () => {
    const rules = await accessRules(
      { address: '10.0.0.7', host: ['b.example'], 'proxy-header': 'X-User', 'proxy-from': ['10.1.0.0/16', 'fd00::5'] },
      secret,
    );
    const through = { host: 'b.example', user: 'ana' };
    expect(judgeAccess(rules, request({ ...through, remoteAddress: '10.1.2.3' }))).toEqual({ may: 'look', as: 'ana' });
    expect(judgeAccess(rules, request({ ...through, remoteAddress: '::ffff:10.1.2.3' }))).toMatchObject({
      may: 'look',
    });
    expect(judgeAccess(rules, request({ ...through, remoteAddress: 'fd00::5' }))).toMatchObject({ may: 'look' });
    for (const facts of [
      { ...through, remoteAddress: '10.2.0.1' },
      { ...through, remoteAddress: '127.0.0.1' },
      { ...through, remoteAddress: '10.1.2.3', user: '' },
      { host: 'b.example', remoteAddress: '10.1.2.3' },
    ]) {
      expect(judgeAccess(rules, request(facts))).toMatchObject({ may: 'nothing', status: 403 });
    }
  });
});

describe('how the page may be served', () => {
  it('loopback: without a token', async () => {
    for (const address of ['127.0.0.1', '127.8.0.1', '::1', 'localhost']) {
      expect(isLoopback(address)).toBe(true);
      await expect(accessRules({ address }, secret)).resolves.toEqual({ hosts: [] });
    }
  });
  it.each([
    [{ address: '0.0.0.0' }, 'nobody would be asked'],
    [{ address: '::' }, 'nobody would be asked'],
    [{ address: 'backups.example.net' }, 'no address in figures'],
    [{ address: '0.0.0.0', 'proxy-header': 'X-User' }, 'belong together'],
    [{ address: '0.0.0.0', 'proxy-from': ['10.0.0.1'] }, 'belong together'],
    [{ address: '0.0.0.0', 'proxy-header': 'X-User', 'proxy-from': ['10.0.0.1/33'] }, 'neither an address'],
    [{ address: '0.0.0.0', 'proxy-header': 'X User', 'proxy-from': ['10.0.0.1'] }, 'no name of a header'],
    [{ address: '::1', 'token-file': 'a', 'token-env': 'B' }, 'one too many'],
  ])('%j: refused', async (values, why) => {
    await expect(accessRules(values, secret)).rejects.toMatchObject({
      code: 'BadInput',
      message: expect.stringContaining(why) as string,
    });
  });
  it('a token that can be guessed: refused, without telling it', async () => {
    const short = accessRules({ address: '0.0.0.0', 'token-env': 'T' }, () => Promise.resolve('hunter2'));
    await expect(short).rejects.toMatchObject({ code: 'BadInput' });
    await expect(short).rejects.not.toThrow(/hunter2/);
    await expect(accessRules({ address: '0.0.0.0', 'token-env': 'T' }, secret)).resolves.toEqual({
      hosts: [],
      token: TOKEN,
    });
  });
});

describe('the cookie of who has logged in', () => {
  const nowMs = Date.parse('2026-11-21T12:00:00Z');
  const value = sessionValue(TOKEN, nowMs);
  it('holds for half a day, and for this token alone', () => {
    expect(isSession(TOKEN, value, nowMs + 11 * 3_600_000)).toBe(true);
    expect(isSession(TOKEN, value, nowMs + 13 * 3_600_000)).toBe(false);
    expect(isSession('another-token-of-length', value, nowMs)).toBe(false);
  });
  it('made longer, cut or invented: it does not hold', () => {
    const [until = '', code = ''] = value.split('.');
    for (const forged of [`${Number(until) + 1}.${code}`, `${until}.`, until, `${until}.${code}x`, '', undefined]) {
      expect(isSession(TOKEN, forged, nowMs)).toBe(false);
    }
  });
  it('is out of reach of scripts and of other sites, and found among others', () => {
    expect(setCookie(value, true)).toMatch(/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/);
    expect(cookieValue(`other=1; ${setCookie(value, false)}`)).toBe(value);
    expect(value).not.toContain(TOKEN);
  });
});

it('ten wrong tokens in a minute: that address is not listened to until a minute is over, another one is', () => {
  const attempts = new WrongAttempts();
  for (let count = 0; count < 10; count += 1) {
    expect(attempts.waitMs('10.0.0.1', count * 1000)).toBe(0);
    attempts.add('10.0.0.1', count * 1000);
  }
  expect(attempts.waitMs('10.0.0.1', 10_000)).toBe(50_000);
  expect(attempts.waitMs('10.0.0.2', 10_000)).toBe(0);
  expect(attempts.waitMs('10.0.0.1', 60_001)).toBe(0);
});
