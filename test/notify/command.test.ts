import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { deliver } from '../../src/notify/deliver.ts';
import type { CommandChannel } from '../../src/system/notify-types.ts';
import { NEVER, NOTICE, thrownBy } from './notice.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-notify-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

afterEach(() => {
  vi.unstubAllEnvs();
});

const channel = (script: string, timeoutSeconds = 30): CommandChannel => ({
  kind: 'command',
  name: 'script',
  on: [],
  command: ['/bin/sh', '-c', script, 'sh', directory],
  timeoutSeconds,
});

/** One that has ended and that nobody has asked for yet does not run. */
async function runs(pid: number): Promise<boolean> {
  const facts = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return facts !== undefined && !/\) Z /.test(facts);
}

describe('a command', () => {
  test('reads the event as JSON, has a few variables, and none of the secrets around', async () => {
    vi.stubEnv('SLACK_URL', 'https://example.net/hunter2');
    await deliver(channel('cat > "$1/event"; env > "$1/env"'), NOTICE, NEVER);
    expect(JSON.parse(await readFile(path.join(directory, 'event'), 'utf8'))).toEqual(NOTICE);
    const variables = await readFile(path.join(directory, 'env'), 'utf8');
    expect(variables).toContain('HOLDFAST_EVENT=incident.escalated\n');
    expect(variables).toContain('HOLDFAST_SYSTEM=shop\n');
    expect(variables).toContain('HOLDFAST_SEVERITY=critical\n');
    expect(variables).not.toContain('hunter2');
  });

  test('it does not read its input: that is its own business', async () => {
    await deliver(channel('exec <&-; exit 0'), { ...NOTICE, text: 'x'.repeat(400_000) }, NEVER);
  });

  test('it fails: tried again, without a word of what it said', async () => {
    const { code, message } = await thrownBy(deliver(channel('echo hunter2 >&2; exit 3'), NOTICE, NEVER));
    expect({ code, message }).toEqual({
      code: 'ChannelUnreachable',
      message: 'script: /bin/sh ended with exit code 3',
    });
  });

  test('there is no such program: refused', async () => {
    const missing = { ...channel(''), command: ['/nowhere/at/all'] };
    expect(await thrownBy(deliver(missing, NOTICE, NEVER))).toMatchObject({
      code: 'ChannelRefused',
      message: 'script: /nowhere/at/all could not be started (ENOENT)',
    });
  });

  test('it takes too long: ended with all that it has started', async () => {
    const { code, message } = await thrownBy(
      deliver(channel('sleep 300 & echo $! > "$1/child"; wait', 0.3), NOTICE, NEVER),
    );
    expect(code).toBe('ChannelUnreachable');
    expect(message).toContain('took longer than 0.3 s');
    const child = Number(await readFile(path.join(directory, 'child'), 'utf8'));
    await vi.waitFor(async () => expect(await runs(child)).toBe(false), { timeout: 30_000 });
  });

  test('what it has started does not heed the request to end: ended all the same', async () => {
    const cancelled = new AbortController();
    const stubborn = `sh -c 'trap "" TERM; echo $$ > "$0/stubborn"; while :; do sleep 1; done' "$1" & sleep 300`;
    const running = deliver(channel(stubborn, 300), NOTICE, cancelled.signal);
    running.catch(() => undefined);
    await vi.waitFor(async () => expect(await readFile(path.join(directory, 'stubborn'), 'utf8')).toMatch(/^\d+\n$/), {
      timeout: 30_000,
    });
    cancelled.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    const child = Number(await readFile(path.join(directory, 'stubborn'), 'utf8'));
    await vi.waitFor(async () => expect(await runs(child)).toBe(false), { timeout: 30_000 });
  });

  test('a cancel ends it', async () => {
    const cancel = new AbortController();
    const running = deliver(channel('echo on > "$1/on"; sleep 300'), NOTICE, cancel.signal);
    running.catch(() => undefined);
    await vi.waitFor(() => readFile(path.join(directory, 'on')), { timeout: 30_000 });
    const gone = new Error('cancelled');
    cancel.abort(gone);
    await expect(running).rejects.toBe(gone);
  });
});
