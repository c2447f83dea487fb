/**
 * The server that runs on a data directory: stopped so that its directory can be exchanged, and started again the way it
 * ran. What ran is written down before it is stopped, so that a repeat after a crash knows it.
 */
import { execFile, spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DockerHost } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import { pidFile, postmasterOf, saysReady } from '../../postgres/pid-file.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import { readJson, removeDurably, writeJsonDurably } from '../durable.ts';
import { runningContainers } from './container-place.ts';

const run = promisify(execFile);
const STOP_LIMIT_MS = 300_000;
const START_LIMIT_MS = 300_000;
const POLL_MS = 100;
const SYSTEMCTL_LIMIT_MS = 600_000;

/** How the server ran. */
interface Ran {
  readonly format: 1;
  /** Its systemd unit; then systemd stops and starts it. */
  readonly unit: string | null;
  readonly command: readonly string[];
  readonly uid: number;
  readonly gid: number;
  /** The file that its messages went to. */
  readonly output: string | null;
}

/** Of the live cluster. */
export interface ClusterServer {
  stop(signal: AbortSignal): Promise<void>;
  /** Throws VolumeInUse. */
  mustBeStopped(): Promise<void>;
  startAgain(signal: AbortSignal): Promise<void>;
  forget(): Promise<void>;
}

/** Its container is one of those that the restore stops, writes down and starts again, gated on health. */
export class ServerInContainer implements ClusterServer {
  private readonly component: PostgresBaseComponent;
  private readonly docker: DockerHost;

  constructor(component: PostgresBaseComponent, docker: DockerHost) {
    this.component = component;
    this.docker = docker;
  }

  stop(): Promise<void> {
    return this.mustBeStopped();
  }

  async mustBeStopped(): Promise<void> {
    const [running] = await runningContainers(this.component, this.docker);
    if (running === undefined) return;
    throw new HoldfastError(
      'VolumeInUse',
      `the container ${running.name}, whose cluster is exchanged, is ${running.state}`,
      {
        hint: 'Stop what starts it again by itself, then start the restore again.',
      },
    );
  }

  startAgain(): Promise<void> {
    return Promise.resolve();
  }

  forget(): Promise<void> {
    return Promise.resolve();
  }
}

export class ServerOfDirectory implements ClusterServer {
  private readonly dataDirectory: string;
  private readonly journal: string;

  constructor(dataDirectory: string, stateDirectory: string, id: string) {
    this.dataDirectory = dataDirectory;
    this.journal = join(stateDirectory, 'restores', `${id}.server.json`);
  }

  /** Clients are cut, what they committed is written (`fast`). Nothing to do when it doesn't run. Repeatable. */
  async stop(signal: AbortSignal): Promise<void> {
    const pid = await postmasterOf(this.dataDirectory);
    if (pid === undefined) return;
    const ran = await lookAt(pid);
    if ((await this.ran()) === undefined) await writeJsonDurably(this.journal, ran);
    if (ran.unit !== null) await systemctl('stop', ran.unit);
    else process.kill(pid, 'SIGINT');
    await this.until(signal, STOP_LIMIT_MS, 'stop', async () => (await postmasterOf(this.dataDirectory)) === undefined);
  }

  /** Nobody started it since. Throws VolumeInUse. */
  async mustBeStopped(): Promise<void> {
    const pid = await postmasterOf(this.dataDirectory);
    if (pid === undefined) return;
    throw new HoldfastError(
      'VolumeInUse',
      `Something started the server on ${this.dataDirectory} again (process ${pid})`,
      {
        hint: 'Stop what supervises the server, or let systemd run it, then start the restore again.',
      },
    );
  }

  /** As it ran before it was stopped here; a server that was stopped by others stays so. Repeatable. */
  async startAgain(signal: AbortSignal): Promise<void> {
    const ran = await this.ran();
    if (ran === undefined || (await postmasterOf(this.dataDirectory)) !== undefined) return;
    if (ran.unit !== null) await systemctl('start', ran.unit);
    else launch(ran);
    await this.until(signal, START_LIMIT_MS, 'start', async () => isReady(this.dataDirectory));
  }

  /** The restore is over. Repeatable. */
  async forget(): Promise<void> {
    await removeDurably(this.journal);
  }

  private async ran(): Promise<Ran | undefined> {
    return (await readJson(this.journal)) as Ran | undefined;
  }

  private async until(
    signal: AbortSignal,
    limitMs: number,
    what: string,
    reached: () => Promise<boolean>,
  ): Promise<void> {
    for (const end = Date.now() + limitMs; Date.now() < end;) {
      signal.throwIfAborted();
      if (await reached()) return;
      await delay(POLL_MS);
    }
    throw new HoldfastError(
      'Unhealthy',
      `The server on ${this.dataDirectory} did not ${what} within ${limitMs / 1000} s`,
      {
        hint: 'Look at the log of the server.',
      },
    );
  }
}

async function lookAt(pid: number): Promise<Ran> {
  const [command, cgroup, { uid, gid }, output] = await Promise.all([
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readFile(`/proc/${pid}/cgroup`, 'utf8'),
    stat(`/proc/${pid}`),
    readlink(`/proc/${pid}/fd/2`),
  ]);
  const program = await readlink(`/proc/${pid}/exe`);
  const unit = /([^/\n]*postgres[^/\n]*\.service)$/im.exec(cgroup)?.[1] ?? null;
  const [, ...args] = command.split('\0').slice(0, -1);
  return {
    format: 1,
    unit,
    command: [program, ...args],
    uid,
    gid,
    output: output.startsWith('/') && !output.startsWith('/dev/') ? output.replace(/ \(deleted\)$/, '') : null,
  };
}

async function systemctl(verb: 'start' | 'stop', unit: string): Promise<void> {
  try {
    await run('systemctl', [verb, unit], { timeout: SYSTEMCTL_LIMIT_MS });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? String(error);
    throw new HoldfastError('Unhealthy', `systemctl ${verb} ${unit} failed: ${said}`, { cause: error });
  }
}

/** Outlives this process: it is the production server. */
function launch({ command, uid, gid, output }: Ran): void {
  const [program = '', ...args] = command;
  const to = openSync(output ?? '/dev/null', 'a');
  try {
    const child = spawn(program, args, {
      ...(process.geteuid?.() === 0 ? { uid, gid } : {}),
      cwd: '/',
      detached: true,
      env: { PATH: process.env['PATH'], LC_ALL: process.env['LC_ALL'] ?? 'C.UTF-8' },
      stdio: ['ignore', to, to],
    });
    // That it doesn't come up is seen by what is waited for.
    child.on('error', () => undefined);
    child.unref();
  } finally {
    closeSync(to);
  }
}

async function isReady(dataDirectory: string): Promise<boolean> {
  return saysReady(await pidFile(dataDirectory)) && (await postmasterOf(dataDirectory)) !== undefined;
}
