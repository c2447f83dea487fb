/**
 * PostgreSQL in containers for one test file, alone or as a service of a Compose project, with its own tools reached
 * through `docker exec`. What is made is labelled, and removed by `cleanUp`.
 */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { dockerCorner, TEST_LABEL } from './docker.ts';
import type { DockerCorner } from './docker.ts';
import { CONTAINER_DATA, postgresImage } from './postgres/image.ts';

export { CONTAINER_DATA } from './postgres/image.ts';

const START_LIMIT_MS = 180_000;
/** Of the role `postgres` for connections that don't come by the socket. */
export const CONTAINER_PASSWORD = 'it\'s in a "box" \\ %40';

export interface PostgresContainerOptions {
  readonly name?: string;
  /** As `docker compose up` labels what it makes, and names it in its network. */
  readonly compose?: { readonly project: string; readonly service: string };
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** A volume's name for the cluster; an anonymous one, removed with the container, otherwise. */
  readonly volume?: string;
  readonly binds?: readonly string[];
  /** The name of a network; without one it is reached by `docker exec` only. */
  readonly network?: string;
}

export interface Executed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PostgresContainer {
  readonly id: string;
  readonly name: string;
  /** What a program in the container printed, as root unless said otherwise. */
  exec(command: readonly string[], options?: { user?: string; env?: readonly string[] }): Promise<Executed>;
  /** Runs SQL by the container's own psql; rows are lines of `|`-separated columns. Throws with what psql said. */
  sql(query: string, database?: string): Promise<string>;
  /** Waits until it takes connections. */
  ready(): Promise<void>;
  /** Starts it again after a stop or kill, and waits until it is ready. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL to everything in it. */
  kill(): Promise<void>;
}

export interface PostgresCorner extends DockerCorner {
  readonly postgresImage: string;
  /** Started and ready. */
  postgres(options?: PostgresContainerOptions): Promise<PostgresContainer>;
}

/** Fails with the next step when no engine answers or PostgreSQL is missing. `newer`: a tree with release 17. */
export async function postgresCorner(newer?: string): Promise<PostgresCorner> {
  const corner = await dockerCorner();
  const image = await postgresImage(corner.raw, corner.id, newer).catch(async (error: unknown) => {
    await corner.cleanUp();
    throw error;
  });
  let count = 0;
  return {
    ...corner,
    postgresImage: image,
    async postgres(options = {}) {
      count += 1;
      const name = options.name ?? `hf-${corner.id}-pg${count}`;
      const made = await corner.raw.createContainer(specOf(options, { name, image, id: corner.id }));
      const container = containerOn(corner, made.id, name);
      await container.start();
      return container;
    },
    async cleanUp() {
      await corner.cleanUp();
      await corner.raw.getImage(image).remove({ force: true });
    },
  };
}

function specOf(options: PostgresContainerOptions, as: { name: string; image: string; id: string }) {
  const settings = { fsync: 'off', shared_buffers: '32MB', max_connections: 40, ...options.settings };
  const compose = options.compose;
  return {
    name: as.name,
    Image: as.image,
    StopSignal: 'SIGINT',
    Cmd: Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    Env: [`POSTGRES_PASSWORD=${CONTAINER_PASSWORD}`],
    Labels: {
      ...options.labels,
      ...(compose === undefined ? {} : composeLabels(compose)),
      [TEST_LABEL]: as.id,
    },
    HostConfig: {
      Binds: [
        ...(options.volume === undefined ? [] : [`${options.volume}:${CONTAINER_DATA}`]),
        ...(options.binds ?? []),
      ],
      NetworkMode: options.network ?? 'none',
    },
    ...(compose === undefined || options.network === undefined
      ? {}
      : { NetworkingConfig: { EndpointsConfig: { [options.network]: { Aliases: [as.name, compose.service] } } } }),
  };
}

function composeLabels({ project, service }: { project: string; service: string }): Record<string, string> {
  return {
    'com.docker.compose.project': project,
    'com.docker.compose.service': service,
    'com.docker.compose.container-number': '1',
    'com.docker.compose.oneoff': 'False',
  };
}

function containerOn({ raw }: DockerCorner, id: string, name: string): PostgresContainer {
  const made = raw.getContainer(id);
  const container: PostgresContainer = {
    id,
    name,
    async exec(command, options = {}) {
      const exec = await made.exec({
        Cmd: [...command],
        Env: [...(options.env ?? [])],
        AttachStdout: true,
        AttachStderr: true,
        ...(options.user === undefined ? {} : { User: options.user }),
      });
      const stream = await exec.start({});
      const [out, err] = [new PassThrough(), new PassThrough()];
      raw.modem.demuxStream(stream, out, err);
      stream.once('end', () => [out, err].forEach((each) => each.end()));
      const [stdout, stderr] = await Promise.all([text(out), text(err)]);
      const { ExitCode } = await exec.inspect();
      return { code: ExitCode ?? -1, stdout, stderr };
    },
    async sql(query, database = 'postgres') {
      const command = ['psql', '-X', '-At', '-v', 'ON_ERROR_STOP=1', '-U', 'postgres', '-d', database, '-c', query];
      const { code, stdout, stderr } = await container.exec(command);
      if (code !== 0) throw new Error(`psql in ${name}: ${stderr.trim()}`);
      return stdout.trimEnd();
    },
    async ready() {
      const end = Date.now() + START_LIMIT_MS;
      while (Date.now() < end) {
        const { State } = await made.inspect();
        if (!State.Running) throw new Error(`PostgreSQL in ${name} ended: ${await logTail()}`);
        if ((await container.exec(['pg_isready', '-q', '-U', 'postgres'])).code === 0) return;
        await delay(100);
      }
      throw new Error(`PostgreSQL in ${name} was not ready: ${await logTail()}`);
    },
    async start() {
      await made.start();
      await container.ready();
    },
    async stop() {
      await made.stop({ t: 30 });
    },
    async kill() {
      await made.kill();
    },
  };
  const logTail = async () => (await made.logs({ stdout: true, stderr: true })).toString('utf8').slice(-2000);
  return container;
}
