/** A way from this host into one port of a container whose networks have none: nobody else can use it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import type { DockerHost } from './types.ts';

export interface Door {
  /** Holds a socket of the name that clients of PostgreSQL look for, closed to other users. */
  readonly directory: string;
  /** Such as `http://127.0.0.1:40123`. */
  readonly origin: string;
  close(): Promise<void>;
}

const OPEN_LIMIT_MS = 20_000;

/**
 * Listens on a free loopback port until it is closed, and passes connections on to `port` of the container's own loopback.
 * Throws ToolMissing without `nsenter`, PermissionDenied where this user may not enter, ContainerMissing when it is down.
 */
export async function openDoor(docker: DockerHost, container: string, port: number): Promise<Door> {
  const pid = (await docker.describe(container))?.State.Pid;
  if (pid === undefined || pid === 0) throw new HoldfastError('ContainerMissing', `${container} does not run`);
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-door-'));
  const socket = path.join(directory, `.s.PGSQL.${port}`);
  const child = spawn(
    'nsenter',
    [
      `--net=/proc/${pid}/ns/net`,
      process.execPath,
      path.join(import.meta.dirname, 'door-child.ts'),
      socket,
      String(port),
    ],
    { cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] },
  );
  child.stdin.on('error', () => undefined);
  try {
    await opened(child);
    const server = createServer((from) => {
      const to = connect({ path: socket });
      from.on('error', () => to.destroy());
      to.on('error', () => from.destroy());
      from.pipe(to);
      to.pipe(from);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const own = typeof address === 'object' ? (address?.port ?? 0) : 0;
    return {
      directory,
      origin: `http://127.0.0.1:${own}`,
      close: async () => {
        server.close();
        await ended(child, directory);
      },
    };
  } catch (error) {
    await ended(child, directory);
    throw error;
  }
}

async function opened(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-500)));
  const signal = AbortSignal.timeout(OPEN_LIMIT_MS);
  const ends = new Promise<never>((_, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const isMissing = cause.code === 'ENOENT';
      const what = isMissing ? 'there is no nsenter on this host' : `nsenter: ${cause.message}`;
      reject(
        new HoldfastError(isMissing ? 'ToolMissing' : 'PermissionDenied', what, { cause, hint: 'Install util-linux.' }),
      );
    });
    child.once('exit', () =>
      reject(new HoldfastError('PermissionDenied', `the network of the container can't be entered: ${said.trim()}`)),
    );
  });
  const stdout = child.stdout;
  if (stdout === null) throw new HoldfastError('Internal', 'nsenter was started without an output');
  await Promise.race([once(stdout, 'data', { signal }), ends]);
}

async function ended(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
  await rm(directory, { recursive: true, force: true });
}
