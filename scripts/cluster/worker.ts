/** The container of the workers as deploy/Dockerfile says to run it, a small stack beside it, and the command line in it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { interrupted, type ClusterDocker } from './docker.ts';

const CONTAINER = 'holdfast';
const NETWORK = 'holdfast-temporal_default';
export const SYSTEM = 'shop';
const LIMIT_MS = 5 * 60_000;

/** Asks until the answer is not undefined; throws with `what` and the last refusal after five minutes. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const end = Date.now() + LIMIT_MS;
  let refusal = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      refusal = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (interrupted.aborted) throw new Error('interrupted');
    if (Date.now() > end) throw new Error(`waited ${LIMIT_MS / 60_000} minutes in vain until ${what}${refusal}`);
    await sleep(250);
  }
}

/** A volume that a container writes to without end, a file tree, and the system file that protects both. */
export async function makeStack(docker: ClusterDocker, directory: string, image: string): Promise<void> {
  for (const name of ['etc', 'store', 'srv']) mkdirSync(path.join(directory, name));
  writeFileSync(path.join(directory, 'srv', 'prices.csv'), 'apple,3\npear,4\n', { mode: 0o640 });
  writeFileSync(path.join(directory, 'etc', 'holdfast.env'), 'TEMPORAL_ADDRESS=temporal:7233\n', { mode: 0o600 });
  const file = {
    system: SYSTEM,
    hosts: ['connector-1'],
    stores: { nas: { kind: 'directory', path: '/backups' } },
    components: {
      data: { kind: 'volume', volume: 'shop-data', quiesce: { mode: 'pause', budget: '120s' } },
      config: { kind: 'files', path: '/srv/shop' },
    },
    plans: {
      nightly: {
        components: ['data', 'config'],
        schedule: '0 2 * * *',
        stores: ['nas'],
        keep: { daily: 7 },
        rpo: '26h',
      },
    },
    maintenance: { verify: '0 4 * * *' },
  };
  writeFileSync(path.join(directory, 'etc', 'shop.yaml'), stringify(file));
  await docker.run('volume', 'create', 'shop-data');
  const script = 'head -c 300000000 /dev/urandom > /data/big; while :; do date >> /data/log; sleep 1; done';
  const words = ['--name', 'shop-app', '-v', 'shop-data:/data', '--entrypoint', 'sh', image, '-c', script];
  await docker.run('run', '-d', ...words);
}

export class Worker {
  private readonly docker: ClusterDocker;
  private readonly directory: string;

  constructor(docker: ClusterDocker, directory: string) {
    this.docker = docker;
    this.directory = directory;
  }

  /** What both containers are given: of the host what the system file names, its engine and its volumes. */
  private mounts(etc: 'ro' | 'rw'): string[] {
    const { socket, volumes } = this.docker;
    const mounts = [
      'holdfast-home:/var/lib/holdfast',
      `${path.join(this.directory, 'etc')}:/etc/holdfast:${etc}`,
      `${path.join(this.directory, 'srv')}:/srv/shop`,
      `${path.join(this.directory, 'store')}:/backups`,
      `${socket}:/var/run/docker.sock`,
      `${volumes}:${volumes}`,
    ];
    return mounts.flatMap((mount) => ['-v', mount]);
  }

  async init(image: string): Promise<void> {
    const words = ['init', '/etc/holdfast/shop.yaml', '--kit', '/etc/holdfast/kit.txt'];
    await this.docker.run('run', '--rm', ...this.mounts('rw'), image, ...words);
  }

  async start(image: string): Promise<void> {
    const env = path.join(this.directory, 'etc', 'holdfast.env');
    const where = ['--restart', 'unless-stopped', '--network', NETWORK, '--env-file', env, ...this.mounts('ro')];
    await this.docker.run('run', '-d', '--name', CONTAINER, ...where, image, 'up', '--host', 'connector-1');
    await this.ready();
  }

  async ready(): Promise<void> {
    await until('the workers are ready', async () =>
      /^ready /m.test(await this.docker.logs(CONTAINER)) ? true : undefined,
    );
  }

  /** `holdfast … --json` in the container; exit codes other than those allowed throw with what it said. */
  async ask<T>(args: readonly string[], allowed: readonly number[] = [0]): Promise<T> {
    const words = ['exec', CONTAINER, '/opt/holdfast/bin/holdfast', ...args, '--json'];
    const env = { ...process.env, DOCKER_HOST: `unix://${this.docker.socket}` };
    const child = spawn('docker', words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'close');
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    await ended;
    const code = child.exitCode;
    if (code === null || !allowed.includes(code)) {
      throw new Error(`holdfast ${args.join(' ')} ended with ${code ?? 'a signal'}: ${stderr}${stdout}`);
    }
    return JSON.parse(stdout) as T;
  }

  /** Starts a command and does not wait for it. */
  async begin(...args: readonly string[]): Promise<void> {
    await this.docker.run('exec', '-d', CONTAINER, '/opt/holdfast/bin/holdfast', ...args);
  }

  /** Which captures have written down that they began. */
  captures(): string[] {
    const below = readdirSync(path.join(this.directory, 'store'), { recursive: true, encoding: 'utf8' });
    return below.filter((entry) => /(^|\/)captures\/[^/]+$/.test(entry));
  }

  async backups(): Promise<string[]> {
    const { backups } = await this.ask<{ backups: { backup: string }[] }>(['list', SYSTEM]);
    return backups.map(({ backup }) => backup);
  }
}
