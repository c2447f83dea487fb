/** Programs inside a running container, as streams that hold back and that never outlive their caller. */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import type Docker from 'dockerode';

import { HoldfastError } from '../failures.ts';
import { bounded } from './call.ts';
import { answered, dockerFailure } from './errors.ts';
import type { CallSubject } from './errors.ts';
import { Frames } from './frames.ts';
import type { ExecOptions, RunningExec } from './types.ts';

/** How long a program may take to end after it was asked to, before it is killed. */
const TERM_SECONDS = 10;
const EXIT_POLL_MS = 50;
const EXIT_PATIENCE_MS = 30_000;

/**
 * The engine cannot kill what it started in a container, and lets it live on when its caller is gone: a dump would hold
 * its snapshot and its locks for ever. So a shell watches its own standard input, which the engine closes when the
 * caller goes away, and ends the program then. The shell waits for both of its children: what is left without a parent
 * falls to the container's first process, and PostgreSQL as that one takes an unknown child's death by a signal for a
 * crash of the server.
 */
const LIFELINE = `
exec 3<&0 </dev/null
"$@" 3<&- &
tool=$!
{
  while read -r ignored <&3; do :; done
  kill -TERM "$tool"
  n=0
  while [ "$n" -lt ${TERM_SECONDS} ] && kill -0 "$tool"; do sleep 1; n=$((n + 1)); done
  kill -KILL "$tool"
} >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$tool"
code=$?
kill "$watch" 2>/dev/null
wait "$watch" 2>/dev/null
exit "$code"
`;

/** Its input is its own, so that the number of its process is told first, by which it is ended when need be. */
const WITH_INPUT = 'echo "$$" >&2; exec "$@"';
const KILL = `kill -TERM "$1" || exit 0
n=0
while [ "$n" -lt ${TERM_SECONDS} ] && kill -0 "$1"; do sleep 1; n=$((n + 1)); done
kill -KILL "$1"
exit 0`;

/** Starts it; the container needs a POSIX shell. Throws ContainerMissing, DockerRefused, DockerUnreachable. */
export async function startExec(
  docker: Docker,
  id: string,
  options: ExecOptions,
  timeoutMs: number,
): Promise<RunningExec> {
  const program = options.command[0] ?? '';
  const subject: CallSubject = { kind: 'container', doing: `run ${program} in container ${id.slice(0, 12)}` };
  options.signal.throwIfAborted();
  const container = docker.getContainer(id);
  const script = options.stdin === undefined ? LIFELINE : WITH_INPUT;
  const exec = await bounded(subject, { timeoutMs }, () =>
    container.exec({
      Cmd: ['sh', '-c', script, 'sh', ...options.command],
      Env: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      ...(options.user === undefined ? {} : { User: options.user }),
    }),
  );
  const stream = await bounded(subject, { timeoutMs }, () => exec.start({ hijack: true, stdin: true }));
  return new ExecRun(docker, id, exec, stream, subject, options, timeoutMs).begin();
}

class ExecRun {
  private readonly docker: Docker;
  private readonly container: string;
  private readonly exec: Docker.Exec;
  private readonly stream: Duplex;
  private readonly subject: CallSubject;
  private readonly options: ExecOptions;
  private readonly timeoutMs: number;
  private readonly frames: Frames;
  private readonly ended = Promise.withResolvers<{ exitCode: number; stderr: string }>();
  private settled = false;

  constructor(
    docker: Docker,
    container: string,
    exec: Docker.Exec,
    stream: Duplex,
    subject: CallSubject,
    options: ExecOptions,
    timeoutMs: number,
  ) {
    this.docker = docker;
    this.container = container;
    this.exec = exec;
    this.stream = stream;
    this.subject = subject;
    this.options = options;
    this.timeoutMs = timeoutMs;
    this.frames = new Frames(options.stdin === undefined ? 0 : 1);
  }

  begin(): RunningExec {
    // Looked at by whoever reads; a reset before that is no uncaught error.
    this.stream.on('error', () => undefined);
    this.ended.promise.catch(() => undefined);
    this.options.signal.addEventListener('abort', this.stop, { once: true });
    if (this.options.signal.aborted) this.stop();
    if (this.options.stdin !== undefined) void this.feed(this.options.stdin);
    return { stdout: this.read(), ended: this.ended.promise };
  }

  private readonly stop = (): void => {
    if (this.options.stdin === undefined) this.stream.end();
    else void this.kill();
    this.fail(abortReason(this.options.signal));
  };

  private async *read(): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of this.stream) {
        for (const piece of this.frames.push(bytes as Buffer)) yield piece;
      }
      this.options.signal.throwIfAborted();
      this.settle(await this.exitCode());
    } catch (error) {
      this.fail(this.options.signal.aborted ? abortReason(this.options.signal) : dockerFailure(error, this.subject));
    } finally {
      // A reader that leaves early ends the program: nobody would take what it writes.
      if (!this.settled) this.leave();
      this.options.signal.removeEventListener('abort', this.stop);
    }
    await this.ended.promise;
  }

  private leave(): void {
    if (this.options.stdin === undefined) this.stream.end();
    else void this.kill();
    this.stream.destroy();
    this.fail(new HoldfastError('DockerRefused', `${this.subject.doing}: its output was not read to the end`));
  }

  private settle(exitCode: number): void {
    this.settled = true;
    this.ended.resolve({ exitCode, stderr: this.frames.stderr() });
  }

  private fail(error: Error): void {
    this.settled = true;
    this.ended.reject(error);
  }

  /** The stream may end a moment before the engine knows how the program did. */
  private async exitCode(): Promise<number> {
    const until = performance.now() + EXIT_PATIENCE_MS;
    for (;;) {
      const facts = await bounded(this.subject, { timeoutMs: this.timeoutMs }, () => this.exec.inspect());
      if (!facts.Running && facts.ExitCode !== null) return facts.ExitCode;
      if (performance.now() > until) {
        throw new HoldfastError('DockerUnreachable', `${this.subject.doing}: its output ended before it did`);
      }
      await sleep(EXIT_POLL_MS);
    }
  }

  private async feed(input: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const bytes of input) {
        if (this.settled || this.stream.destroyed) return;
        if (!this.stream.write(bytes)) await drained(this.stream);
      }
      this.stream.end();
    } catch (error) {
      // Its end would look like the end of the input: it is ended before it can act on half of it.
      await this.kill();
      this.fail(error instanceof Error ? error : new Error(String(error)));
      this.stream.destroy();
    }
  }

  private async kill(): Promise<void> {
    const pid = this.frames.heading();
    try {
      if (pid === undefined || !/^\d+$/.test(pid) || !(await this.exec.inspect()).Running) return;
      const killer = await this.docker.getContainer(this.container).exec({ Cmd: ['sh', '-c', KILL, 'sh', pid] });
      await killer.start({ Detach: true });
    } catch (error) {
      // A container that is gone, or stopped, has no processes left.
      if (!answered(dockerFailure(error, this.subject), 404) && !answered(dockerFailure(error, this.subject), 409)) {
        this.fail(dockerFailure(error, this.subject));
      }
    } finally {
      if (this.options.signal.aborted) this.stream.destroy();
    }
  }
}

/** Resolves when the stream takes more, or never will. */
function drained(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.once('drain', done);
    stream.once('close', done);
  });
}

function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
