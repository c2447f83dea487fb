import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { containerOptions, interpolate, readCompose, startOrder } from '../../sample/stack/compose-file.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import { lastOpening } from '../../scripts/demo/docker-scene.ts';
import { ClaimFailed, Story } from '../../scripts/demo/story.ts';

const LIMIT_MS = 240_000;
let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'holdfast-demo-test-'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

interface Running {
  readonly child: ChildProcess;
  output(): string;
  readonly ended: Promise<number | null>;
}

/** Its temporary files lie in a directory of the test's own, by which its processes are known too. */
function startDemo(...args: string[]): Running {
  const child = spawn(process.execPath, ['scripts/demo.ts', ...args], {
    env: { ...process.env, TMPDIR: scratch, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, output: () => output, ended };
}

/** Command lines and environments of living processes that name the test's directory. */
function processesOfDemo(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return `${words}${readFileSync(`/proc/${pid}/environ`, 'utf8')}`.includes(scratch) ? [`${pid} ${words}`] : [];
      } catch {
        // It ended in between.
        return [];
      }
    });
}

async function expectNothingLeft(): Promise<void> {
  await waitFor('the last process to end', LIMIT_MS, () =>
    Promise.resolve(processesOfDemo().length === 0 ? true : undefined),
  ).catch(() => expect(processesOfDemo()).toEqual([]));
  expect(readdirSync(scratch)).toEqual([]);
}

test('the whole story without Docker: every claim holds, it says what it is, and nothing is left', async () => {
  const demo = startDemo('--without-docker');
  expect(await demo.ended, demo.output()).toBe(0);
  expect(demo.output()).toContain('claims held');
  expect(demo.output()).toContain('Shown without Docker');
  expect(demo.output()).toContain('SIGKILL');
  expect(demo.output()).not.toContain('✗');
  await expectNothingLeft();
}, 360_000);

test('Ctrl-C in the middle: it cleans up and leaves nothing', async () => {
  const demo = startDemo('--without-docker');
  await waitFor('the engine', LIMIT_MS, () =>
    Promise.resolve(demo.output().includes('workers are at work') ? true : undefined),
  );
  demo.child.kill('SIGINT');
  expect(await demo.ended, demo.output()).toBe(130);
  await expectNothingLeft();
}, 360_000);

test('a claim that does not hold: it is told with what was seen, and ends the story', () => {
  const story = new Story();
  expect(() => story.claim('all is well', false, 'it is not')).toThrow(new ClaimFailed('all is well: it is not'));
});

test('the words of a ledger that opened twice: the last count', () => {
  const line = (records: number) => `\u0001\u0000{"listening":3000,"records":${records},"head":"h${records}"}\n`;
  expect(lastOpening(`${line(1)}noise\n${line(2)}`)).toMatchObject({ records: 2, head: 'h2' });
  expect(lastOpening('never opened')).toBeUndefined();
});

test('the sample’s Compose file: services in order, Compose’s labels, named volume, loopback only', () => {
  const values = {
    PROJECT: 'p',
    IMAGE: 'i:1',
    DIRECTORY: '/d',
    VOLUME: 'v',
    LEDGER_MIB: '8',
    LEDGER_LOAD: '1',
    LEDGER_SEED: '2',
  };
  const text = readFileSync('sample/m2m/docker-compose.yml', 'utf8');
  expect(() => interpolate(text, {})).toThrow(/wants a value for/);
  const file = readCompose(interpolate(text, values));
  expect(startOrder(file)).toEqual(['ledger', 'connector']);
  const ledger = containerOptions(file, 'ledger', { directory: '/d' }, 'n');
  expect(ledger.HostConfig?.Binds).toEqual(['v:/data']);
  const connector = containerOptions(file, 'connector', { directory: '/d' }, 'n');
  expect(connector.Labels).toMatchObject({
    'com.docker.compose.project': 'p',
    'com.docker.compose.service': 'connector',
    'com.docker.compose.depends_on': 'ledger:service_healthy:true',
  });
  expect(connector.HostConfig?.PortBindings).toEqual({ '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] });
});
