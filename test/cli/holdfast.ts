/** Runs the real command line with a home of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Settings of the person who runs the tests must not reach the program. */
function environment(home: string, own: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_HO|TEMPORAL_|AWS_|FORCE_COLOR)/.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: '1', HOLDFAST_HOME: home, ...own };
}

export async function holdfast(
  home: string,
  args: readonly string[],
  own: Record<string, string> = {},
): Promise<Ended> {
  const child = spawn(PROGRAM, args, { env: environment(home, own), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Commands as a person pastes them, in one shell that stops at the first that fails, with the real program in its path. */
export async function inShell(home: string, script: string, own: Record<string, string> = {}): Promise<Ended> {
  const env = environment(home, own);
  const bin = fileURLToPath(new URL('../../bin', import.meta.url));
  const child = spawn('sh', ['-euc', script], {
    env: { ...env, PATH: `${bin}:${env['PATH'] ?? ''}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Presses Ctrl-C as soon as the command has said these words. */
export async function interrupted(home: string, args: readonly string[], words: string): Promise<Ended> {
  const child = spawn(PROGRAM, args, { env: environment(home, {}), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let pressed = false;
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    if (!pressed && stderr.includes(words)) pressed = child.kill('SIGINT');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** The one JSON document of a command. Throws with everything it said when the exit code is another. */
export async function holdfastJson<T>(
  home: string,
  args: readonly string[],
  code = 0,
  own: Record<string, string> = {},
): Promise<T> {
  const ended = await holdfast(home, [...args, '--json'], own);
  if (ended.code !== code) throw new Error(`exit ${String(ended.code)}: ${ended.stdout}\n${ended.stderr}`);
  return JSON.parse(ended.stdout) as T;
}

export interface RunningUp {
  stop(): Promise<number | null>;
}

/** `holdfast up`, at work when this resolves. */
export async function up(
  home: string,
  args: readonly string[] = [],
  own: Record<string, string> = {},
): Promise<RunningUp> {
  const page = args.includes('--page-port') ? [] : ['--no-page'];
  const child: ChildProcess = spawn(PROGRAM, ['up', '--no-ui', '--no-schedules', '--port', '0', ...page, ...args], {
    env: environment(home, own),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  const closed = once(child, 'close') as Promise<[number | null]>;
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('ready ')) resolve();
    });
    void closed.then(() => reject(new Error(`up ended before it was ready: ${said}`)));
  });
  return {
    async stop() {
      if (child.exitCode === null) child.kill('SIGINT');
      const [code] = await closed;
      return code;
    },
  };
}
