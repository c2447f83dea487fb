/** The two ways to run TigerBeetle's own program on a scratch copy: a binary of this host, or an image. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

import { ownIdentity, printIdentity } from '../../docker/process-identity.ts';
import { CHECK_LABEL, OWNER_LABEL } from '../../docker/run.ts';
import type { DockerHost } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import { runProgram, startProgram } from './program.ts';

export interface Answer {
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  readonly output: string;
}

export interface RunningServer extends AsyncDisposable {
  readonly address: string;
  output(): Promise<string>;
  /** True while it runs. */
  alive(): Promise<boolean>;
  query(args: readonly string[], timeoutMs: number): Promise<Answer>;
}

export interface TigerBeetleRunner {
  /** The scratch file's path as the program sees it. */
  readonly file: string;
  run(args: readonly string[], timeoutMs: number): Promise<Answer>;
  /** `{address}` in the arguments is replaced by the loopback address that was chosen. */
  serve(args: readonly string[]): Promise<RunningServer>;
}

export function binaryRunner(binary: string, file: string, signal: AbortSignal): TigerBeetleRunner {
  const run = async (args: readonly string[], timeoutMs: number): Promise<Answer> => {
    const { exitCode, timedOut, output } = await runProgram([binary, ...args], { timeoutMs, signal });
    return { exitCode, timedOut, output };
  };
  return {
    file,
    run,
    async serve(args) {
      // Port 0 would turn off the multiversion binary, which an older file may need.
      const address = `127.0.0.1:${await freePort()}`;
      const command = [binary, ...args.map((word) => word.replace('{address}', address))];
      const server = await startProgram(command, { timeoutMs: Infinity, signal });
      let running = true;
      const ended = server.ended.then(
        () => undefined,
        () => undefined,
      );
      void ended.then(() => (running = false));
      return {
        address,
        output: () => Promise.resolve(server.output()),
        alive: () => Promise.resolve(running),
        query: run,
        async [Symbol.asyncDispose]() {
          server.kill();
          await ended;
        },
      };
    },
  };
}

/** Containers without a network; the query shares the server's own loopback. */
export function imageRunner(docker: DockerHost, image: string, file: string, signal: AbortSignal): TigerBeetleRunner {
  const inside = '/check/scratch.tigerbeetle';
  const binds = [`${file}:${inside}`];
  const labels = { [CHECK_LABEL]: 'tigerbeetle' };
  // io_uring is not in the default list of newer engines.
  const securityOptions = ['seccomp=unconfined'];
  const run = async (
    args: readonly string[],
    timeoutMs: number,
    network: 'none' | `container:${string}` = 'none',
  ): Promise<Answer> => {
    try {
      const answer = await docker.run({
        image,
        command: args,
        binds,
        labels,
        network,
        securityOptions,
        timeoutMs,
        signal,
      });
      return { ...answer, timedOut: false };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'CheckFailed') throw error;
      return { exitCode: undefined, timedOut: true, output: error.message };
    }
  };
  return {
    file: inside,
    run,
    async serve(args) {
      const address = '127.0.0.1:3000';
      const id = await docker.createContainer({
        name: `holdfast-${randomBytes(6).toString('hex')}`,
        Image: image,
        Cmd: args.map((word) => word.replace('{address}', address)),
        Labels: { ...labels, [OWNER_LABEL]: printIdentity(ownIdentity()) },
        HostConfig: { Binds: binds, NetworkMode: 'none', SecurityOpt: securityOptions },
      });
      try {
        await docker.start(id);
      } catch (error) {
        await docker.removeContainer(id);
        throw error;
      }
      return {
        address,
        output: () => docker.logTail(id, 2000),
        alive: async () => (await docker.inspect(id))?.state === 'running',
        query: (query, timeoutMs) => run(query, timeoutMs, `container:${id}`),
        async [Symbol.asyncDispose]() {
          await docker.removeContainer(id);
        },
      };
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}
