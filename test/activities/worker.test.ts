/** The worker as a process: how it refuses, and how it ends. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeSite, type Site } from './site.ts';

const WORKER = path.resolve(import.meta.dirname, '../../src/worker.ts');

let site: Site;

beforeAll(async () => {
  site = await makeSite((data) =>
    [
      'components:',
      '  config:',
      '    kind: files',
      `    path: ${data('config')}`,
      'plans:',
      '  daily: { components: [config], stores: [disk], keep: { last: 5 } }',
    ].join('\n'),
  );
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

interface Ended {
  readonly code: number;
  readonly stderr: string;
}

async function endOf(args: string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  try {
    const env = { ...process.env, ...environment };
    const { stderr } = await promisify(execFile)(process.execPath, [WORKER, ...args], { env });
    return { code: 0, stderr };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { code, stderr };
  }
}

describe('the worker process', () => {
  test('without a role or a host: the usage, exit 1', async () => {
    for (const args of [
      ['--role', 'host'],
      ['--role', 'cook'],
    ]) {
      const { code, stderr } = await endOf(args);
      expect(code).toBe(1);
      expect(stderr).toContain('--role orchestration | --role host --host NAME');
    }
  });

  test('no server at the address: exit 1 instead of waiting for ever', async () => {
    const { code } = await endOf(['--role', 'orchestration'], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(code).toBe(1);
  });

  test.each(['orchestration', 'host'] as const)(
    'SIGTERM to the %s worker: it ends gracefully, exit 0',
    async (role) => {
      const worker = await site.startWorker(role);
      const ended = once(worker, 'exit');
      worker.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    },
  );
});
