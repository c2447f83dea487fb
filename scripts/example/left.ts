/** What a run of an example may have made beyond its project, and how a person removes all of it if it could not. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { PROJECT_LABEL } from '../../sample/stack/project.ts';
import { DRILL_LABEL } from '../../src/sources/kinds/volume-place.ts';
import type { Stage } from './example.ts';

/** Containers, networks and volumes that a drill made and that are there still. */
export async function leftOfDrill(docker: Docker, drillId: string): Promise<string[]> {
  const { containers, networks, volumes } = await labelled(docker, drillId);
  return [...containers, ...networks, ...volumes].map(({ name }) => name);
}

async function labelled(docker: Docker, drillId: string) {
  const filters = { label: [`${DRILL_LABEL}=${drillId}`] };
  const { Volumes } = await docker.listVolumes({ filters });
  return {
    containers: (await docker.listContainers({ all: true, filters })).map(({ Id: id, Names: [name = id] }) => ({
      id,
      name,
    })),
    networks: (await docker.listNetworks({ filters })).map(({ Id: id, Name: name }) => ({ id, name })),
    volumes: Volumes.map(({ Name: name }) => ({ id: name, name })),
  };
}

/** When engine and workers end in the middle of a drill, there is no next worker here that would remove what it made. */
export async function removeDrills(docker: Docker, home: string, system: string): Promise<void> {
  const notes = join(home, 'state', system, 'drills');
  const names = await readdir(notes).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  for (const drillId of new Set(names.map((name) => name.replace(/\.json$/, '')))) {
    const { containers, networks, volumes } = await labelled(docker, drillId);
    for (const { id } of containers) await docker.getContainer(id).remove({ force: true, v: true });
    for (const { id } of networks) await docker.getNetwork(id).remove();
    for (const { id } of volumes) await docker.getVolume(id).remove({ force: true });
  }
}

/** For a run that was killed, or that is left up: commands that remove what it made. */
export function removalCommands(stage: Pick<Stage, 'directory' | 'suffix'>, system: string, upPid: number): string[] {
  const project = `example-${system}-${stage.suffix}`;
  const all = `--filter label=${PROJECT_LABEL}=${project}`;
  return [
    `kill ${process.pid}   # undoes everything, as Ctrl-C does; what follows only if it is gone already`,
    `kill ${upPid}`,
    `docker ps -aq ${all} | xargs -r docker rm -fv`,
    `docker network ls -q ${all} | xargs -r docker network rm`,
    `docker volume ls -q --filter name=${project} | xargs -r docker volume rm`,
    `rm -r ${stage.directory}`,
  ];
}
