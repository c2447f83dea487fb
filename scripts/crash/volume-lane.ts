/** A Docker volume with a container that uses it, paused for every backup and stopped for every restore. */
import type { DockerCorner } from '../../test/support/docker.ts';
import { treeLane } from './lane.ts';
import type { Lane, LaneStore } from './lane.ts';

/** The corner owns container and volume and removes them. */
export async function volumeLane(name: string, base: string, store: LaneStore, corner: DockerCorner): Promise<Lane> {
  const volume = await corner.volume();
  const { Mountpoint: tree } = await corner.raw.getVolume(volume).inspect();
  const container = await corner.container({ binds: [`${volume}:/data`] });
  // As a person would have it: back after a restart of the daemon, unless somebody stopped it.
  await corner.raw.getContainer(container).update({ RestartPolicy: { Name: 'unless-stopped' } });
  const lane = treeLane({
    name,
    base,
    store,
    tree,
    component: { kind: 'volume', volume, quiesce: { mode: 'pause', budget: '60s' } },
  });
  return {
    ...lane,
    usesDocker: true,
    troubles: async () => {
      const state = await corner.state(container);
      return state === 'running' ? [] : [`the container is ${state}`];
    },
    forget: async (aside) => {
      await lane.forget(aside);
      const { Volumes } = await corner.raw.listVolumes();
      const kept = Volumes.filter(({ Name }) => Name !== volume && aside.some((place) => place.includes(Name)));
      for (const { Name } of kept) await corner.raw.getVolume(Name).remove();
    },
  };
}
