/** PostgreSQL's programs on this host: which release of them, and how they are run. */
import { execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../failures.ts';
import type { ToolEnd } from './errors.ts';
import { withPasswordFile } from './password-file.ts';

const run = promisify(execFile);
const VERSION_LIMIT_MS = 20_000;
const STDERR_LIMIT = 16 * 1024;
const KILL_AFTER_MS = 10_000;
const SETPRIV = '/usr/bin/setpriv';

/** `150018` as `15`, `90624` as `9.6`. */
export function majorOf(versionNumber: number): string {
  const major = Math.floor(versionNumber / 10_000);
  return major >= 10 ? String(major) : `${major}.${Math.floor(versionNumber / 100) % 100}`;
}

/** Where Debian's and PostgreSQL's own packages put releases, then the search path. */
async function candidates(): Promise<string[]> {
  const debian = await namesIn('/usr/lib/postgresql');
  const redhat = (await namesIn('/usr')).filter((name) => /^pgsql-\d+$/.test(name));
  return [
    ...debian.map((name) => `/usr/lib/postgresql/${name}/bin`),
    ...redhat.map((name) => `/usr/${name}/bin`),
    ...(process.env['PATH'] ?? '').split(path.delimiter).filter((each) => path.isAbsolute(each)),
  ];
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * The directory with this tool of the oldest release that is at least as new as the server (a dump of an old tool's
 * format is the one that most servers take back); with `directory`, that one, or PostgresVersion when it is too old.
 */
export async function findTool(tool: string, serverVersion: number, directory?: string): Promise<string> {
  const server = Math.floor(serverVersion / 10_000);
  const found: { directory: string; major: number }[] = [];
  for (const each of directory === undefined ? await candidates() : [directory]) {
    const major = await releaseOf(path.join(each, tool));
    if (major !== undefined) found.push({ directory: each, major });
  }
  const [best] = found.filter(({ major }) => major >= server).sort((a, b) => a.major - b.major);
  if (best !== undefined) return best.directory;
  const where = directory === undefined ? 'on this host' : `in ${directory}`;
  const there = found.map((each) => `${each.directory} has ${each.major}`).join(', ');
  throw new HoldfastError(
    'PostgresVersion',
    `the server is PostgreSQL ${majorOf(serverVersion)} and there is no ${tool} of it or newer ${where}` +
      (there === '' ? '' : ` (${there})`),
    { hint: `Install the client programs of PostgreSQL ${majorOf(serverVersion)}, or use those of its container.` },
  );
}

/** Releases by program: a program doesn't change while a process runs often enough to ask again and again. */
const known = new Map<string, number>();

async function releaseOf(program: string): Promise<number | undefined> {
  if (!executable(program)) return undefined;
  const remembered = known.get(program);
  if (remembered !== undefined) return remembered;
  try {
    const { stdout } = await run(program, ['--version'], { timeout: VERSION_LIMIT_MS, env: baseEnvironment() });
    const major = parseRelease(stdout);
    if (major !== undefined) known.set(program, major);
    return major;
  } catch {
    // Debian's wrappers on the search path fail where no cluster is configured: not a tool that can be used.
    return undefined;
  }
}

/** `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)` is 15. */
export function parseRelease(text: string): number | undefined {
  const match = /\(PostgreSQL\) (\d+)/.exec(text);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Messages that can be recognised, and nothing of what this process was told about other servers. */
export function baseEnvironment(): Record<string, string> {
  const { PATH, HOME } = process.env;
  return {
    ...(PATH === undefined ? {} : { PATH }),
    // Certificates of clients lie there.
    ...(HOME === undefined ? {} : { HOME }),
    LC_ALL: 'C',
    TZ: 'UTC',
  };
}

export interface HostRun {
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly ended: Promise<ToolEnd>;
}

export interface HostToolSpec {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly password: string | undefined;
  readonly stdin: AsyncIterable<Uint8Array> | undefined;
  readonly signal: AbortSignal;
}

/** Without a shell, in a process group of its own; ended when the signal aborts, and by the kernel when this process is. */
export async function startOnHost(spec: HostToolSpec): Promise<HostRun> {
  const { program, args, signal } = spec;
  signal.throwIfAborted();
  const wrapper = executable(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : [];
  const [file = program, ...all] = [...wrapper, program, ...args];
  const child = await withPasswordFile(spec.password, (extra, passfile) =>
    spawn(file, all, {
      detached: true,
      cwd: '/',
      env: { ...baseEnvironment(), ...spec.env, ...passfile },
      stdio: [spec.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...extra],
    }),
  );
  const { stdin, stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new HoldfastError('Internal', `${program} was started without output`);
  let said = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-STDERR_LIMIT);
  });
  const end = (): void => {
    signalGroup(child.pid, 'SIGTERM');
    setTimeout(() => {
      if (child.exitCode === null && child.signalCode === null) signalGroup(child.pid, 'SIGKILL');
    }, KILL_AFTER_MS).unref();
  };
  // Told to who reads it; and unread output would keep the tool's end from being seen.
  stdout.on('error', () => undefined);
  const aborted = (): void => {
    end();
    stdout.destroy(reasonOf(signal));
  };
  signal.addEventListener('abort', aborted, { once: true });
  let inputError: unknown;
  const ended = new Promise<ToolEnd>((resolve, reject) => {
    child.once('error', (error) => {
      signal.removeEventListener('abort', aborted);
      reject(new HoldfastError('PostgresVersion', `could not run ${program}: ${error.message}`, { cause: error }));
    });
    child.once('close', (exitCode, killedBy) => {
      signal.removeEventListener('abort', aborted);
      if (signal.aborted) reject(reasonOf(signal));
      else if (inputError !== undefined) reject(inputError instanceof Error ? inputError : new Error('no input'));
      else resolve({ exitCode: exitCode ?? undefined, killedBy: killedBy ?? undefined, stderr: said });
    });
  });
  // Looked at when the output was read; a rejection before that is no crash.
  ended.catch(() => undefined);
  if (spec.stdin !== undefined && stdin !== null) {
    feed(stdin, spec.stdin).catch((error: unknown) => {
      // The end of the input would look like its intended end.
      inputError = error;
      signalGroup(child.pid, 'SIGKILL');
    });
  }
  return { stdout: reading(stdout, () => child.exitCode === null && child.signalCode === null, end), ended };
}

/** A reader that leaves early ends the tool: nobody would take what it writes. */
async function* reading(
  stdout: AsyncIterable<Uint8Array>,
  running: () => boolean,
  end: () => void,
): AsyncGenerator<Uint8Array> {
  let whole = false;
  try {
    for await (const bytes of stdout) yield bytes;
    whole = true;
  } finally {
    if (!whole && running()) end();
  }
}

async function feed(to: NodeJS.WritableStream, input: AsyncIterable<Uint8Array>): Promise<void> {
  const gone = new AbortController();
  // A broken pipe is all that can go wrong with it.
  for (const event of ['error', 'close']) {
    to.on(event, () => {
      gone.abort();
    });
  }
  for await (const bytes of input) {
    // A tool that has what it needs stops reading; whether that was right its exit code says.
    if (gone.signal.aborted) return;
    // Until it is written, so that the bytes are their giver's again when the next are asked for.
    await new Promise<void>((resolve) => to.write(bytes, () => resolve()));
  }
  to.end();
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
