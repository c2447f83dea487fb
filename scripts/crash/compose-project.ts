/** A small Compose project, made by the Engine API as Compose makes one. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEPENDS_ON_LABEL } from '../../src/docker/order.ts';
import { TEST_LABEL, type DockerCorner } from '../../test/support/docker.ts';

const PROJECT_LABEL = 'com.docker.compose.project';
const SERVICE_LABEL = 'com.docker.compose.service';
const HEALTHY_LIMIT_MS = 120_000;
/** In nanoseconds. The engine remembers few events, and each look at the health is three. */
const HEALTH = { Interval: 1e9, Timeout: 5e9, Retries: 50 };

export interface Service {
  readonly name: string;
  /** What busybox' sh runs before the service idles. */
  readonly script: string;
  /** Healthy when it succeeds. */
  readonly healthy: string;
  readonly binds: readonly string[];
  readonly after?: string;
}

export interface LaneProject {
  /** For the system file. */
  readonly component: object;
  readonly directory: string;
  /** The container of a service. */
  container(service: string): Promise<string>;
  /** Lets its program end with an error, and waits until it is down. */
  fall(container: string): Promise<void>;
  remove(container: string): Promise<void>;
  /** What is not as it has to be: each service once, but for those `gone`, running, on one network. */
  troubles(gone?: readonly string[]): Promise<string[]>;
  /** Of each container which one it is, and since when it runs: a line each. */
  starts(): Promise<string[]>;
  /** To be called before the corner is cleaned up. */
  close(): Promise<void>;
}

/** `base` gets the project's directory. */
export async function composeProject(
  corner: DockerCorner,
  base: string,
  services: readonly Service[],
): Promise<LaneProject> {
  const project = `hfcrash${corner.id}`;
  const network = `${project}_default`;
  const directory = path.join(base, 'project');
  mkdirSync(directory, { recursive: true });
  const images = services.map(({ name }) => `  ${name}: { image: '${corner.image}' }`);
  writeFileSync(path.join(directory, 'compose.yaml'), ['services:', ...images, ''].join('\n'));
  await corner.raw.createNetwork({
    Name: network,
    Labels: { [PROJECT_LABEL]: project, 'com.docker.compose.network': 'default', [TEST_LABEL]: corner.id },
  });
  for (const service of services) await start(corner, { project, network, service });

  const filters = { label: [`${PROJECT_LABEL}=${project}`] };
  const all = () => corner.raw.listContainers({ all: true, filters });
  const container = async (service: string): Promise<string> => {
    const found = (await all()).find(({ Labels }) => Labels[SERVICE_LABEL] === service);
    if (found === undefined) throw new Error(`${project} has no container of ${service}`);
    return found.Id;
  };
  return {
    component: { kind: 'compose', project, directory, healthTimeout: '30s' },
    directory,
    container,
    fall: async (id) => {
      const one = corner.raw.getContainer(id);
      await one.kill({ signal: 'SIGUSR1' });
      await one.wait();
    },
    remove: async (id) => {
      await corner.raw.getContainer(id).remove({ force: true });
    },
    async troubles(gone = []) {
      const there = await all();
      const wanted = services
        .map(({ name }) => name)
        .filter((name) => !gone.includes(name))
        .toSorted();
      const names = there.map(({ Labels }) => Labels[SERVICE_LABEL] ?? '').toSorted();
      return [
        ...(names.join() === wanted.join() ? [] : [`the services are ${names.join()} instead of ${wanted.join()}`]),
        ...there
          .filter(({ State }) => State !== 'running')
          .map(({ Names, State }) => `the container ${Names.join()} is ${State}`),
        ...(await corner.raw.listNetworks({ filters }))
          .filter(({ Name }) => Name !== network)
          .map(({ Name }) => `the network ${Name} is left`),
      ];
    },
    starts: async () => {
      const facts = await Promise.all((await all()).map(({ Id }) => corner.raw.getContainer(Id).inspect()));
      return facts.map(({ Name, Id, State }) => `${Name} ${Id} since ${State.StartedAt}`).toSorted();
    },
    close: async () => {
      for (const { Id } of await all()) await corner.raw.getContainer(Id).remove({ force: true, v: true });
      await corner.raw.getNetwork(network).remove();
    },
  };
}

async function start(
  { raw, image, id }: DockerCorner,
  { project, network, service }: { readonly project: string; readonly network: string; readonly service: Service },
): Promise<void> {
  const { name, script, healthy, binds, after } = service;
  const made = await raw.createContainer({
    name: `${project}-${name}-1`,
    Image: image,
    // Ends at once when it is stopped.
    Cmd: ['sh', '-c', `trap 'exit 0' TERM INT; trap 'exit 3' USR1; ${script}; while :; do sleep 1 & wait; done`],
    Healthcheck: { Test: ['CMD-SHELL', healthy], ...HEALTH },
    Labels: {
      [TEST_LABEL]: id,
      [PROJECT_LABEL]: project,
      [SERVICE_LABEL]: name,
      ...(after === undefined ? {} : { [DEPENDS_ON_LABEL]: `${after}:service_healthy:false` }),
    },
    HostConfig: { Binds: [...binds], NetworkMode: network },
  });
  await made.start();
  const end = Date.now() + HEALTHY_LIMIT_MS;
  // Before that its script may not have run.
  while ((await made.inspect()).State.Health?.Status !== 'healthy') {
    if (Date.now() > end) throw new Error(`${project}: ${name} does not become healthy`);
    await sleep(100);
  }
}
