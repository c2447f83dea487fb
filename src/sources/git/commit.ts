/** A snapshot of files as a commit in a bare git repository, by git's own fast-import: no working tree, no user's settings. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir } from 'node:fs/promises';
import path from 'node:path';
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

/** Nothing asks at a terminal, no hook of a template runs, and no settings of the machine or its user change a commit. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', GIT_TEMPLATE_DIR: '', LC_ALL: 'C' };
}

async function git(
  repository: string,
  args: readonly string[],
  signal: AbortSignal,
  limitMs?: number,
): Promise<string> {
  const options = { env: environment(), signal, ...(limitMs === undefined ? {} : { timeout: limitMs }) };
  try {
    const { stdout } = await run('git', ['--git-dir', repository, '-c', 'core.hooksPath=/dev/null', ...args], options);
    return stdout.trim();
  } catch (error) {
    signal.throwIfAborted();
    throw gitFailure(args[0] ?? '', error);
  }
}

function gitFailure(what: string, error: unknown): HoldfastError {
  const { code, stderr } = error as { code?: unknown; stderr?: unknown };
  if (code === 'ENOENT') {
    return new HoldfastError('ToolMissing', 'git is not installed on this host', {
      hint: 'Install git.',
      cause: error,
    });
  }
  // The error's own message has the command line, in which a remote may have a password.
  const silent = `it said nothing${typeof code === 'number' ? ` (exit ${code})` : ' and was ended'}`;
  const said = typeof stderr === 'string' && stderr !== '' ? stderr.trim().slice(-500) : silent;
  return new HoldfastError('GitFailed', `git ${what} failed: ${said}`, { cause: error });
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
  const args = ['--git-dir', repository, 'fast-import', '--quiet', '--force', '--done'];
  const child = spawn('git', args, { env: environment(), signal, stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => void (said = (said + chunk.toString()).slice(-2000)));
  // A git that ends early breaks the pipe; why it did is told by its exit.
  child.stdin.on('error', () => undefined);
  const exit = once(child, 'exit') as Promise<[number | null]>;
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

async function drained(stream: NodeJS.WritableStream): Promise<void> {
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
