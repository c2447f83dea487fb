/** A snapshot of files as a commit in a bare git repository, by git's own fast-import: no working tree, no user's settings. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { HoldfastError } from '../../failures.ts';
import type { TextFile } from './text-files.ts';

export interface Snapshot {
  readonly branch: string;
  readonly files: readonly TextFile[];
  readonly message: string;
  /** A name for what is made on the way, such as the backup's id. */
  readonly id: string;
}

export interface Committed {
  readonly commit: string;
  /** The branch showed just this before. */
  readonly unchanged: boolean;
}

const run = promisify(execFile);
const PUSH_LIMIT_MS = 60_000;
const AUTHOR = 'Holdfast <holdfast@localhost>';

/**
 * Nothing asks at a terminal, no hook of a template runs, and no settings of the machine change a commit. What git itself
 * reads from the environment would send it to another repository: of that it gets nothing but how to reach a remote.
 */
function environment(): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_') || REACHING.has(name));
  const own = { GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', GIT_TEMPLATE_DIR: '', LC_ALL: 'C' };
  return { ...Object.fromEntries(others), ...own };
}

const REACHING = new Set(['GIT_SSH', 'GIT_SSH_COMMAND', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH', 'GIT_ASKPASS']);

/** Of the repository, and no hook of it. */
function inside(repository: string): string[] {
  return ['--git-dir', repository, '-c', 'core.hooksPath=/dev/null'];
}

async function git(
  repository: string,
  args: readonly string[],
  signal: AbortSignal,
  limitMs?: number,
): Promise<string> {
  const options = { env: environment(), signal, ...(limitMs === undefined ? {} : { timeout: limitMs }) };
  try {
    const { stdout } = await run('git', [...inside(repository), ...args], options);
    return stdout.trim();
  } catch (error) {
    signal.throwIfAborted();
    throw gitFailure(args[0] ?? '', error);
  }
}

function gitFailure(what: string, error: unknown): HoldfastError {
  const { code, stderr, killed } = error as {
    code?: unknown;
    stderr?: unknown;
    killed?: unknown;
  };
  if (code === 'ENOENT') {
    return new HoldfastError('ToolMissing', 'git is not installed on this host', {
      hint: 'Install git.',
    });
  }
  const ended = typeof code === 'number' || typeof code === 'string' ? `it ended with ${code}` : 'it was ended';
  const end = killed === true ? 'it took too long' : ended;
  const said = typeof stderr === 'string' && stderr !== '' ? stderr.trim().slice(-500) : end;
  // Without the error itself, which has the command line, and so a remote's address with whatever is in it.
  return new HoldfastError('GitFailed', `git ${what} failed: ${said}`);
}

/** Makes the repository when there is none. A repeat changes nothing. */
export async function ensureRepository(repository: string, signal: AbortSignal): Promise<void> {
  try {
    await access(path.join(repository, 'HEAD'));
    return;
  } catch {
    await mkdir(path.dirname(repository), { recursive: true, mode: 0o700 });
  }
  try {
    await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', repository], {
      env: environment(),
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw gitFailure('init', error);
  }
}

/**
 * The branch holds exactly these files afterwards. A repeat finds them and commits nothing. Two at once: the second fails
 * with GitFailed, and finds the first's commit when it is tried again.
 */
export async function commitSnapshot(repository: string, snapshot: Snapshot, signal: AbortSignal): Promise<Committed> {
  const branch = `refs/heads/${snapshot.branch}`;
  const draft = `refs/holdfast/${snapshot.id}`;
  const before = await revision(repository, branch, signal);
  await importCommit(repository, draft, before, snapshot, signal);
  try {
    const commit = await git(repository, ['rev-parse', draft], signal);
    if (
      before !== undefined &&
      (await treeOf(repository, before, signal)) === (await treeOf(repository, commit, signal))
    ) {
      return { commit: before, unchanged: true };
    }
    // Only if it still is what the commit was made on.
    await git(repository, ['update-ref', branch, commit, before ?? '0'.repeat(40)], signal);
    return { commit, unchanged: false };
  } finally {
    await git(repository, ['update-ref', '-d', draft], signal);
  }
}

async function revision(repository: string, ref: string, signal: AbortSignal): Promise<string | undefined> {
  const found = await git(repository, ['for-each-ref', '--format=%(objectname)', ref], signal);
  return found === '' ? undefined : found;
}

function treeOf(repository: string, commit: string, signal: AbortSignal): Promise<string> {
  return git(repository, ['rev-parse', `${commit}^{tree}`], signal);
}

async function importCommit(
  repository: string,
  ref: string,
  before: string | undefined,
  { files, message }: Snapshot,
  signal: AbortSignal,
): Promise<void> {
  const args = [...inside(repository), 'fast-import', '--quiet', '--force', '--done'];
  const child = spawn('git', args, { env: environment(), signal, stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => void (said = (said + chunk.toString()).slice(-2000)));
  // A git that ends early breaks the pipe; why it did is told by its exit.
  child.stdin.on('error', () => undefined);
  const exit = once(child, 'close') as Promise<[number | null]>;
  // It may fail while the files are written: it is asked for afterwards.
  exit.catch(() => undefined);
  const seconds = Math.floor(Date.now() / 1000);
  child.stdin.write(`commit ${ref}\ncommitter ${AUTHOR} ${seconds} +0000\n${data(message)}`);
  if (before !== undefined) child.stdin.write(`from ${before}\n`);
  child.stdin.write('deleteall\n');
  for (const file of files) {
    const mode = file.executable ? '100755' : '100644';
    if (!child.stdin.write(`M ${mode} inline ${file.path}\n${data(file.text)}`)) await drained(child.stdin);
  }
  child.stdin.end('done\n');
  const [code] = await exit.catch((error: unknown) => {
    signal.throwIfAborted();
    throw gitFailure('fast-import', error);
  });
  if (code !== 0) throw gitFailure('fast-import', { stderr: said });
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

async function drained(stream: Writable): Promise<void> {
  // Its end was told already, and nobody will tell it again.
  if (stream.destroyed) return;
  await new Promise<void>((resolve) => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}

/** Throws GitFailed when the remote can't be reached, refuses, or has what this repository lacks. */
export async function push(repository: string, remote: string, branch: string, signal: AbortSignal): Promise<void> {
  await git(
    repository,
    ['push', '--quiet', remote, `refs/heads/${branch}:refs/heads/${branch}`],
    signal,
    PUSH_LIMIT_MS,
  );
}
