/**
 * A Compose project brought up by the Engine API with Compose's labels, because the Compose plug-in can't be had
 * everywhere. Every container, volume and network carries the sample's label and the project's name.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { containerOptions, startOrder, volumeName } from './compose-file.ts';
import type { ComposeFile, ComposePlace } from './compose-file.ts';
import { SAMPLE_LABEL } from './labels.ts';

export const PROJECT_LABEL = 'com.docker.compose.project';
const HEALTH_LIMIT_MS = 180_000;

/** Resolves when every service is healthy, or runs where nothing says how to tell. What failed is left for `removeProject`. */
export async function createProject(docker: Docker, file: ComposeFile, place: ComposePlace): Promise<void> {
  const labels = { [SAMPLE_LABEL]: 'stack', [PROJECT_LABEL]: file.name };
  await docker.createNetwork({ Name: networkOf(file.name), Labels: labels });
  for (const volume of Object.keys(file.volumes ?? {})) {
    const Name = volumeName(file, volume);
    await docker.createVolume({ Name, Labels: { ...labels, 'com.docker.compose.volume': volume } });
  }
  for (const service of startOrder(file)) {
    const container = await docker.createContainer(containerOptions(file, service, place, networkOf(file.name)));
    await container.start();
    await waitHealthy(docker, container.id, service);
  }
}

export function networkOf(project: string): string {
  return `${project}_default`;
}

/** Resolves when the container is healthy, or runs where it has no health check. Throws with its last words. */
export async function waitHealthy(docker: Docker, id: string, service: string): Promise<void> {
  const until = Date.now() + HEALTH_LIMIT_MS;
  for (;;) {
    const { State } = await docker.getContainer(id).inspect();
    if (State.Running && (State.Health === undefined || State.Health.Status === 'healthy')) return;
    if (!State.Running || Date.now() > until) {
      const log = await docker.getContainer(id).logs({ stdout: true, stderr: true, tail: 20 });
      throw new Error(`${service} is ${State.Status}, not healthy: ${log.toString('utf8')}`);
    }
    await sleep(200);
  }
}

/** Where a container's first published port answers at present: it changes with every start. */
export async function publishedUrl(docker: Docker, container: string): Promise<string> {
  const facts = await docker.getContainer(container).inspect();
  const ports = Object.values(facts.NetworkSettings.Ports) as ({ HostPort: string }[] | null)[];
  const port = ports.flatMap((bindings) => bindings ?? [])[0]?.HostPort;
  if (port === undefined) throw new Error(`${container} is ${facts.State.Status} and has no port`);
  return `http://127.0.0.1:${port}`;
}

function isGone(error: unknown): boolean {
  return (error as { statusCode?: number }).statusCode === 404;
}

async function ignoreGone(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/**
 * Removes the project's containers, networks and volumes, also what a restore kept aside under the project's name. Images
 * stay for the next time. Safe to repeat.
 */
export async function removeProject(docker: Docker, project: string): Promise<void> {
  const filters = { label: [`${PROJECT_LABEL}=${project}`] };
  for (const { Id } of await docker.listContainers({ all: true, filters })) {
    await ignoreGone(docker.getContainer(Id).remove({ force: true, v: true }));
  }
  for (const { Id } of await docker.listNetworks({ filters })) await ignoreGone(docker.getNetwork(Id).remove());
  const { Volumes } = await docker.listVolumes();
  for (const { Name } of Volumes) {
    if (Name.startsWith(project)) await ignoreGone(docker.getVolume(Name).remove({ force: true }));
  }
}
