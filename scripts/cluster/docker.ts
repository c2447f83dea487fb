/** The Docker engine of the suite of the cluster, by its command line and by Docker Compose, as the documents have it. */
import path from 'node:path';
import { ownDockerEngine, type OwnDocker } from '../crash/own-docker.ts';
import { dockerCompose } from '../setup/cluster.ts';
import { findProgram, run } from '../setup/run.ts';

const LIMIT_MS = 20 * 60_000;

export interface ClusterDocker extends AsyncDisposable {
  /** The engine's socket, and where it keeps its volumes. */
  readonly socket: string;
  readonly volumes: string;
  /** Runs a program in the network that the engine's ports are published in; returns what it printed. */
  inNetwork(...command: readonly string[]): Promise<string>;
  /** `docker …`; returns what it printed, throws with its last lines. */
  run(...args: readonly string[]): Promise<string>;
  /** The end of what a container wrote, errors too. */
  logs(container: string): Promise<string>;
  /** `docker compose …` with these variables beside. */
  compose(...args: readonly string[]): Promise<string>;
  composeWith(variables: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string>;
}

const interruption = new AbortController();
/** Aborted when a person wants no more of it. */
export const interrupted: AbortSignal = interruption.signal;

/** Starts the engine; disposing ends it, and all that it ran and kept is gone. */
export async function clusterDocker(): Promise<ClusterDocker> {
  const docker = await onEngine(await ownDockerEngine({ network: 'outside' }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Without its engine every step fails, and what is cleaned up at the end is.
    process.once(signal, () => {
      interruption.abort();
      void docker[Symbol.asyncDispose]();
    });
  }
  return docker;
}

/** An engine whose data lie beside its socket, in `data`. */
export async function onEngine(engine: Pick<OwnDocker, 'host' | 'pid' | 'close'>): Promise<ClusterDocker> {
  const [compose = '', ...words] = await dockerCompose();
  const docker = findProgram('docker') ?? 'docker';
  const socket = engine.host.slice('unix://'.length);
  const env = { DOCKER_HOST: engine.host, DOCKER_BUILDKIT: '1', COMPOSE_MENU: 'false' };
  const composeWith = (variables: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string> =>
    run(compose, [...words, ...args], { env: { ...env, ...variables }, timeoutMs: LIMIT_MS });
  return {
    socket,
    volumes: path.join(path.dirname(socket), 'data', 'volumes'),
    run: (...args) => run(docker, args, { env, timeoutMs: LIMIT_MS }),
    inNetwork: (...command) => run('nsenter', ['--target', String(engine.pid()), '--net', ...command]),
    logs: (container) => run('sh', ['-c', 'exec "$0" logs --tail 100 "$1" 2>&1', docker, container], { env }),
    compose: (...args) => composeWith({}, ...args),
    composeWith,
    [Symbol.asyncDispose]: () => engine.close(),
  };
}
