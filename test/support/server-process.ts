/** Server programs for tests: on a free loopback port, waited for, stopped by process id, also when the test is killed. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../src/engine/ports.ts';

const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 10_000;
const PORT_ATTEMPTS = 5;

export interface ServerProcess {
  readonly port: number;
  readonly pid: number;
  /** What it has printed so far. */
  log(): string;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

export interface ServerProgram {
  readonly program: string;
  readonly args: (port: number) => readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Removed when it has ended. */
  readonly directory: string;
  /** Before each start, such as for a configuration that names the port. */
  readonly prepare?: (port: number) => Promise<void>;
  /** Whether it is ready; when it takes connections unless said otherwise. */
  readonly answers?: (port: number) => Promise<boolean>;
}

/** Starts it and waits until it is ready. A port that was free may be taken meanwhile: then another one is tried. */
export async function startServerProcess(server: ServerProgram): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    await server.prepare?.(port);
    const child = spawn(server.program, [...server.args(port)], {
      env: { PATH: process.env['PATH'], ...server.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => lines.push(data.toString()));
    child.on('error', (cause) => lines.push(String(cause)));
    const log = () => lines.join('').slice(-20_000);
    const { pid } = child;
    if (pid !== undefined && (await becomesReady(child, () => (server.answers ?? takesConnections)(port)))) {
      const heir = appointHeir(pid, server.directory);
      const stop = async () => {
        heir.kill('SIGKILL');
        await terminate(child);
        await rm(server.directory, { recursive: true, force: true });
      };
      return { port, pid, log, stop };
    }
    await terminate(child);
    if (attempt >= PORT_ATTEMPTS) {
      await rm(server.directory, { recursive: true, force: true });
      throw new Error(`${server.program} did not start: ${log()}`);
    }
  }
}

async function becomesReady(child: ChildProcess, answers: () => Promise<boolean>): Promise<boolean> {
  const end = Date.now() + START_LIMIT_MS;
  while (Date.now() < end && isRunning(child)) {
    if ((await answers()) && isRunning(child)) return true;
    await delay(50);
  }
  return false;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** A test process that is killed cannot tidy up: a shell that sees its end by a closed pipe does it then. */
function appointHeir(pid: number, directory: string): ChildProcess {
  const script = 'cat > /dev/null; kill -9 "$1"; rm -rf "$2"';
  const heir = spawn('sh', ['-c', script, 'sh', String(pid), directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  heir.on('error', () => undefined);
  heir.unref();
  return heir;
}

async function terminate(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended;
  clearTimeout(hard);
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
