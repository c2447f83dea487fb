/** The Docker engine of this host, over its socket. */
import { Agent } from 'node:http';

import Docker from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';

import { HoldfastError } from '../failures.ts';
import { bounded } from './call.ts';
import { answered } from './errors.ts';
import type { CallSubject } from './errors.ts';
import { startExec } from './exec.ts';
import { containerFacts, matching, PROJECT_LABEL, volumeFacts } from './facts.ts';
import { listen, loadArchive, saveArchive } from './streams.ts';
import { logTail, runToEnd } from './run.ts';
import type { ContainerFacts, DockerHost } from './types.ts';

/** The oldest engine that is supported is 20.10. */
export const API_VERSION = 'v1.41';

export interface ConnectOptions {
  /** Default: DOCKER_HOST, else /var/run/docker.sock. */
  readonly socketPath?: string;
  /** For one call; a stop gets its own patience on top. Default 30 s. */
  readonly timeoutMs?: number;
}

function client(options: ConnectOptions): Docker {
  const place =
    options.socketPath !== undefined
      ? { socketPath: options.socketPath }
      : process.env['DOCKER_HOST'] === undefined
        ? { socketPath: '/var/run/docker.sock' }
        : {};
  // No keep-alive: a connection kept over a restart of the engine fails the first call after it.
  const agent = process.env['DOCKER_TLS_VERIFY'] === undefined ? { agent: new Agent({ keepAlive: false }) } : {};
  return new Docker({ ...place, ...agent, version: API_VERSION });
}

/**
 * Connects lazily: nothing is sent before the first call. Every method throws HoldfastError, DockerUnreachable when no
 * answer comes in time. Stopping what is stopped, starting what runs and removing what is gone are no errors; pausing
 * what is paused is one (DockerRefused, status 409), because then somebody else paused it.
 */
export function connectDocker(options: ConnectOptions = {}): DockerHost {
  const docker = client(options);
  const timeoutMs = options.timeoutMs ?? 30_000;
  const ask = <T>(subject: CallSubject, call: (signal: AbortSignal) => Promise<T>, ms = timeoutMs): Promise<T> =>
    bounded(subject, { timeoutMs: ms }, call);
  const about = (id: string, doing: string): CallSubject => ({
    kind: 'container',
    doing: `${doing} container ${shortName(id)}`,
  });
  const orMissing = async <T>(answer: Promise<T>): Promise<T | undefined> => {
    try {
      return await answer;
    } catch (error) {
      if (answered(error, 404)) return undefined;
      throw error;
    }
  };
  const ignoring = async (status: number, answer: Promise<unknown>): Promise<void> => {
    try {
      await answer;
    } catch (error) {
      if (!answered(error, status)) throw error;
    }
  };
  const describe = (id: string): Promise<ContainerInspectInfo | undefined> =>
    orMissing(ask(about(id, 'inspect'), (abortSignal) => docker.getContainer(id).inspect({ abortSignal })));
  const inspect = async (id: string): Promise<ContainerFacts | undefined> => {
    const info = await describe(id);
    return info === undefined ? undefined : containerFacts(info);
  };

  return {
    describe,
    inspect,
    async containersOf(filter) {
      const filters: Record<string, string[]> = {};
      if (filter.volume !== undefined) filters['volume'] = [filter.volume];
      if (filter.project !== undefined) filters['label'] = [`${PROJECT_LABEL}=${filter.project}`];
      const listed = await ask({ kind: 'engine', doing: 'list containers' }, (abortSignal) =>
        docker.listContainers({ all: true, filters, abortSignal }),
      );
      const wanted = matching(listed, filter);
      const facts = await Promise.all(wanted.map((info) => inspect(info.Id)));
      return facts.filter((found) => found !== undefined);
    },
    async volume(name) {
      const subject: CallSubject = { kind: 'volume', doing: `inspect volume ${name}` };
      const info = await orMissing(ask(subject, (abortSignal) => docker.getVolume(name).inspect({ abortSignal })));
      return info === undefined ? undefined : volumeFacts(info);
    },
    async createVolume(name, { labels, like }) {
      const subject: CallSubject = { kind: 'volume', doing: `create volume ${name}` };
      const spec = { Name: name, Labels: labels, Driver: like?.driver ?? 'local', DriverOpts: { ...like?.options } };
      await ask(subject, () => docker.createVolume(spec));
      const info = await ask(subject, (abortSignal) => docker.getVolume(name).inspect({ abortSignal }));
      return volumeFacts(info);
    },
    async removeVolume(name) {
      await ignoring(
        404,
        ask({ kind: 'volume', doing: `remove volume ${name}` }, () => docker.getVolume(name).remove()),
      );
    },
    async stop(id, timeoutSeconds) {
      const patience = timeoutSeconds * 1000 + timeoutMs;
      await ignoring(
        304,
        ask(about(id, 'stop'), () => docker.getContainer(id).stop({ t: timeoutSeconds }), patience),
      );
    },
    async start(id) {
      await ignoring(
        304,
        ask(about(id, 'start'), () => docker.getContainer(id).start()),
      );
    },
    async neverRestart(id) {
      const update = { RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } };
      await ask(about(id, 'update'), () => docker.getContainer(id).update(update));
    },
    async pause(id) {
      await ask(about(id, 'pause'), () => docker.getContainer(id).pause());
    },
    async unpause(id) {
      await ask(about(id, 'unpause'), () => docker.getContainer(id).unpause());
    },
    logTail: (id, lines) => ask(about(id, 'read the log of'), () => logTail(docker, id, lines)),
    run: (spec) => runToEnd(docker, spec, timeoutMs),
    exec: (id, spec) => startExec(docker, id, spec, timeoutMs),
    async version() {
      const answer = await ask({ kind: 'engine', doing: 'ask for the version' }, () => docker.version());
      return { engine: answer.Version, api: answer.ApiVersion };
    },
    describeImage: (reference) =>
      orMissing(
        ask({ kind: 'image', doing: `inspect image ${reference}` }, () => docker.getImage(reference).inspect()),
      ),
    networksOf: (project) =>
      ask({ kind: 'network', doing: `list the networks of ${project}` }, () =>
        docker.listNetworks({ filters: { label: [`${PROJECT_LABEL}=${project}`] } }),
      ),
    async createNetwork(name, { driver, internal, labels, driverOptions = {} }) {
      await ask({ kind: 'network', doing: `create network ${name}` }, () =>
        docker.createNetwork({
          Name: name,
          Driver: driver,
          Internal: internal,
          Labels: labels,
          Options: driverOptions,
          CheckDuplicate: true,
        }),
      );
    },
    async removeNetwork(id) {
      await ignoring(
        404,
        ask({ kind: 'network', doing: `remove network ${shortName(id)}` }, () => docker.getNetwork(id).remove()),
      );
    },
    async labelled(label, value) {
      const filters = { label: [`${label}=${value}`] };
      const doing = `list what is labelled ${label}`;
      const [containers, networks, volumes] = await Promise.all([
        ask({ kind: 'engine', doing }, (abortSignal) => docker.listContainers({ all: true, filters, abortSignal })),
        ask({ kind: 'engine', doing }, () => docker.listNetworks({ filters })),
        ask({ kind: 'engine', doing }, () => docker.listVolumes({ filters })),
      ]);
      return {
        containers: containers.map(({ Id }) => Id),
        networks: networks.map(({ Id }) => Id),
        networkNames: networks.map(({ Name }) => Name),
        // The engine says null for none.
        volumes: ((volumes.Volumes as { Name: string }[] | null) ?? []).map(({ Name }) => Name),
      };
    },
    async joinNetwork(network, container, endpoint) {
      const subject: CallSubject = { kind: 'network', doing: `join ${container} to network ${network}` };
      const joined = ask(subject, () =>
        docker.getNetwork(network).connect({ Container: container, EndpointConfig: { ...endpoint } }),
      );
      try {
        await joined;
      } catch (error) {
        if (!(error instanceof HoldfastError) || !/already exists in network/i.test(error.message)) throw error;
      }
    },
    async createContainer(spec) {
      const subject: CallSubject = { kind: 'container', doing: `create container ${spec.name}` };
      return (await ask(subject, () => docker.createContainer(spec))).id;
    },
    async renameContainer(id, name) {
      await ask(about(id, `rename to ${name}:`), () => docker.getContainer(id).rename({ name }));
    },
    async removeContainer(id) {
      await ignoring(
        404,
        ask(about(id, 'remove'), () => docker.getContainer(id).remove({ force: true, v: true })),
      );
    },
    async removeImage(reference) {
      const removal = ask({ kind: 'image', doing: `remove image ${reference}` }, () =>
        docker.getImage(reference).remove(),
      );
      await ignoring(409, ignoring(404, removal));
    },
    saveImages: (references, signal) => saveArchive(docker, references, timeoutMs, signal),
    loadImages: (archive, signal) => loadArchive(docker, archive, signal),
    events: (filter) => listen(docker, filter, timeoutMs),
    close() {
      // Connections are not kept; nothing is open between calls.
    },
  };
}

/** True when DOCKER_HOST names an engine that is not reached by a socket of this machine's filesystem. */
export function isRemoteEngine(): boolean {
  const host = process.env['DOCKER_HOST'];
  if (host === undefined || host === '' || host.startsWith('unix://') || host.startsWith('/')) return false;
  return !/^(tcp:\/\/)?(localhost|127\.0\.0\.1|\[::1\])(:|$)/.test(host);
}

function shortName(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id;
}
