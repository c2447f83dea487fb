/**
 * A server started on a data directory for ourselves: reachable by one Unix socket in a directory that only root and
 * the data's owner may enter, deaf to the network, silent towards archives, publishers and schedulers that the
 * directory's configuration may name. It is stopped with the caller, also when this process is killed.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import { pidFile, postmasterOf, saysReady } from './pid-file.ts';

export interface PrivateServerOptions {
  /** Owned by the account that the server runs as, which must not be root. */
  readonly dataDirectory: string;
  /** Holds `postgres`, of the data directory's own major version. */
  readonly toolsDirectory: string;
  /** Win over everything that keeps the server private, and over the directory's own configuration. No secrets. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly signal: AbortSignal;
  /** While the server is not ready yet: the newest line of its log. */
  readonly onStarting?: (line: string) => void;
}

export interface PrivateServer {
  /** What `host` of a connection is. Every role may connect without a password. */
  readonly socketDirectory: string;
  readonly port: number;
  /** What the server said, at most its last 64 KiB. */
  log(): string;
  isRunning(): boolean;
  /** A checkpoint, then the end; throws Unhealthy when that takes longer than 5 minutes. A repeat does nothing. */
  stop(): Promise<void>;
}

/** Only a part of the socket's name: no network port is opened. */
const PORT = 5432;
const LOG_CHARACTERS = 65_536;
const POLL_MS = 50;
const STOP_LIMIT_MS = 300_000;
const ABORT_LIMIT_MS = 30_000;

/**
 * What keeps it private. Given on the command line, so that it wins over postgresql.conf and postgresql.auto.conf. The
 * configuration files are our own: those of the cluster may lie elsewhere, or name the production data directory.
 */
const ISOLATION: Readonly<Record<string, string | number | boolean>> = {
  port: PORT,
  listen_addresses: '',
  unix_socket_permissions: '0700',
  ssl: false,
  archive_mode: 'off',
  logging_collector: false,
  log_destination: 'stderr',
  shared_preload_libraries: '',
  session_preload_libraries: '',
  local_preload_libraries: '',
  // A copied subscription would take changes away from the real subscriber.
  max_logical_replication_workers: 0,
  autovacuum: false,
  huge_pages: 'off',
  // In the data directory instead of /dev/shm, where it would outlive a SIGKILL.
  dynamic_shared_memory_type: 'mmap',
};

/**
 * Starts it and waits until it takes connections, however long recovery lasts; a server that an earlier, killed attempt
 * left on the same directory is stopped first. The caller stops it, in a `finally`.
 * Throws ToolMissing, PermissionDenied (owner root, or another's), CheckFailed with the end of the server's log when it
 * does not come up, and the signal's reason.
 */
export async function startPrivateServer(given: PrivateServerOptions): Promise<PrivateServer> {
  given.signal.throwIfAborted();
  // The kernel knows the server's working directory by its real name.
  const dataDirectory = await realpath(given.dataDirectory);
  const options = { ...given, dataDirectory };
  const program = join(options.toolsDirectory, 'postgres');
  if (!existsSync(program)) {
    throw new HoldfastError('ToolMissing', `There is no ${program} to start a copy of the cluster with`, {
      hint: 'Install the PostgreSQL server of the same major version on this host, or name its directory in `tools`.',
    });
  }
  const account = await accountOf(dataDirectory);
  await stopLeftOver(dataDirectory);
  // Short, since the path of a socket has room for 107 bytes.
  const socketDirectory = await mkdtemp(socketPrefix());
  // From the first moment there is something to remove.
  const heir = appointHeir(dataDirectory, socketDirectory);
  try {
    await configure(socketDirectory, account);
  } catch (error) {
    heir.kill('SIGKILL');
    await rm(socketDirectory, { recursive: true, force: true });
    throw error;
  }
  const child = spawn(program, argumentsOf(options, socketDirectory), {
    ...account,
    cwd: '/',
    // A group of its own: Ctrl-C at a terminal ends this process, which then stops the server in an orderly way.
    detached: true,
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const running = new Running(child, dataDirectory, socketDirectory, heir);
  try {
    await running.ready(options);
    return running;
  } catch (error) {
    await running.abandon();
    throw error;
  }
}

/** Starts it, hands it over, and stops it whatever happens. */
export async function withPrivateServer<T>(
  options: PrivateServerOptions,
  use: (server: PrivateServer) => Promise<T>,
): Promise<T> {
  const server = await startPrivateServer(options);
  let answer: T;
  try {
    answer = await use(server);
  } catch (error) {
    // What went wrong first is what is told.
    await server.stop().catch(() => undefined);
    throw error;
  }
  await server.stop();
  return answer;
}

type Account = Readonly<{ uid?: number; gid?: number }>;

/** The owner of the directory, when this process may become it. */
async function accountOf(dataDirectory: string): Promise<Account> {
  const { uid, gid } = await stat(dataDirectory);
  const own = process.geteuid?.();
  if (uid === 0) {
    throw new HoldfastError(
      'PermissionDenied',
      `${dataDirectory} belongs to root, which PostgreSQL refuses to run as`,
      {
        hint: 'Give the directory to an account of its own, such as postgres.',
      },
    );
  }
  if (own === 0) return { uid, gid };
  if (own === uid) return {};
  throw new HoldfastError(
    'PermissionDenied',
    `${dataDirectory} belongs to user ${uid}, whom this process cannot act as`,
  );
}

async function configure(directory: string, account: Account): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    'postgresql.conf': '# Everything is on the command line.\n',
    'pg_hba.conf': 'local all all trust\nlocal replication all trust\n',
    'pg_ident.conf': '',
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    await give(path, account);
  }
  await chmod(directory, 0o700);
  await give(directory, account);
}

async function give(path: string, { uid, gid }: Account): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
}

function argumentsOf({ dataDirectory, settings }: PrivateServerOptions, socketDirectory: string): string[] {
  const all: Record<string, string | number | boolean> = {
    ...ISOLATION,
    ...settings,
    config_file: join(socketDirectory, 'postgresql.conf'),
    hba_file: join(socketDirectory, 'pg_hba.conf'),
    ident_file: join(socketDirectory, 'pg_ident.conf'),
    data_directory: dataDirectory,
    unix_socket_directories: socketDirectory,
  };
  return ['-D', dataDirectory, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${String(value)}`])];
}

class Running implements PrivateServer {
  readonly socketDirectory: string;
  readonly port = PORT;
  private readonly child: ChildProcess;
  private readonly dataDirectory: string;
  private readonly heir: ChildProcess;
  private readonly ended: Promise<unknown>;
  private text = '';
  private spawnProblem: Error | undefined;

  constructor(child: ChildProcess, dataDirectory: string, socketDirectory: string, heir: ChildProcess) {
    this.child = child;
    this.dataDirectory = dataDirectory;
    this.socketDirectory = socketDirectory;
    this.heir = heir;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.text = (this.text + text).slice(-LOG_CHARACTERS);
    });
    child.on('error', (error) => (this.spawnProblem = error));
    // 'close' comes after the last line of the log.
    this.ended = Promise.race([once(child, 'close'), once(child, 'error')]).catch(() => undefined);
  }

  log(): string {
    return this.text;
  }

  isRunning(): boolean {
    const { pid, exitCode, signalCode } = this.child;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  /** Line 8 of postmaster.pid says so (src/include/utils/pidfile.h). */
  async ready({ signal, onStarting }: PrivateServerOptions): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (!this.isRunning()) {
        await this.ended;
        throw notUp(this.dataDirectory, this.spawnProblem, this.text);
      }
      const lines = await pidFile(this.dataDirectory);
      if (lines[0] === String(this.child.pid) && saysReady(lines)) return;
      const line = this.text.trimEnd().split('\n').at(-1);
      if (line !== undefined && line !== '') onStarting?.(line);
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    if (this.isRunning()) {
      this.child.kill('SIGINT');
      if (!(await this.endsWithin(STOP_LIMIT_MS))) {
        throw new HoldfastError('Unhealthy', `The server on ${this.dataDirectory} did not stop within 5 minutes`);
      }
    }
    await this.clear();
  }

  /** Without a checkpoint: what it was started for has failed. */
  async abandon(): Promise<void> {
    if (this.isRunning()) {
      this.child.kill('SIGQUIT');
      if (!(await this.endsWithin(ABORT_LIMIT_MS))) this.child.kill('SIGKILL');
    }
    await this.ended;
    await this.clear();
  }

  private async endsWithin(limitMs: number): Promise<boolean> {
    const limit = new AbortController();
    const late = delay(limitMs, false, { signal: limit.signal }).catch(() => false);
    const inTime = await Promise.race([this.ended.then(() => true), late]);
    limit.abort();
    return inTime;
  }

  private async clear(): Promise<void> {
    this.heir.kill('SIGKILL');
    await rm(this.socketDirectory, { recursive: true, force: true });
  }
}

function notUp(dataDirectory: string, problem: Error | undefined, log: string): HoldfastError {
  const said = log
    .split('\n')
    .filter((line) => /\b(FATAL|PANIC|ERROR|HINT|DETAIL):|LOG: .*(invalid|error|could not)/.test(line))
    .slice(-6);
  const words = problem?.message ?? (said.length > 0 ? said.join('; ') : log.trim().split('\n').slice(-3).join('; '));
  return new HoldfastError('CheckFailed', `PostgreSQL did not come up on ${dataDirectory}: ${words}`, {
    ...(problem === undefined ? {} : { cause: problem }),
  });
}

/**
 * A shell that sees the end of this process by a closed pipe, stops the server then, asking the kernel whose process it
 * is, and removes the socket's directory.
 */
function appointHeir(dataDirectory: string, socketDirectory: string): ChildProcess {
  const script = `cat > /dev/null
    pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || pid=
    if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1" ]; then
      kill -INT "$pid"
      for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ -d "/proc/$pid" ] && sleep 1; done
      [ -d "/proc/$pid" ] && kill -QUIT "$pid"
    fi
    rm -rf "$2"`;
  const heir = spawn('sh', ['-c', script, 'sh', dataDirectory, socketDirectory], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  heir.on('error', () => undefined);
  heir.unref();
  return heir;
}

/** Of an attempt that was killed together with its heir. */
async function stopLeftOver(dataDirectory: string): Promise<void> {
  const pid = await postmasterOf(dataDirectory);
  if (pid === undefined) return;
  const mine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(socketPrefix());
  if (!mine) throw new HoldfastError('VolumeInUse', `A server runs on ${dataDirectory} already (process ${pid})`);
  const [, , , , sockets] = await pidFile(dataDirectory);
  process.kill(pid, 'SIGQUIT');
  for (let waitedMs = 0; waitedMs < ABORT_LIMIT_MS; waitedMs += POLL_MS) {
    if ((await postmasterOf(dataDirectory)) === undefined) return removeSockets(sockets);
    await delay(POLL_MS);
  }
  throw new HoldfastError('VolumeInUse', `A server that was left on ${dataDirectory} (process ${pid}) does not stop`);
}

function socketPrefix(): string {
  return join(tmpdir(), 'holdfast-pg-');
}

/** The socket directory of a server that has ended, as the fifth line of its postmaster.pid names it, when it is ours. */
export async function removeSockets(directory: string | undefined): Promise<void> {
  if (directory?.startsWith(socketPrefix()) === true) await rm(directory, { recursive: true, force: true });
}
