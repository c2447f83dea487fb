/** A volume that is backed up and rehearsed: whatever is struck, no drill leaves anything on the machine. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { DRILL_LABEL } from '../../src/sources/kinds/volume-place.ts';
import { stateDirectory } from '../../src/system/home.ts';
import type { DockerCorner } from '../../test/support/docker.ts';
import type { Lane, LaneStore } from './lane.ts';
import { volumeLane } from './volume-lane.ts';

/** What tells of something that a drill has made, in the state of a system. */
const ROOMS = ['drills', 'restores', 'runs'];

export async function drillLane(name: string, base: string, store: LaneStore, corner: DockerCorner): Promise<Lane> {
  const lane = await volumeLane(name, base, store, corner);
  return {
    ...lane,
    rounds: [['backup', 'drill']],
    // Nothing is lost: a drill must not need it, and must not touch what is live.
    lose: () => Promise.resolve(undefined),
    troubles: async () => [...(await lane.troubles()), ...(await leftInEngine(corner)), ...leftInState(name)],
  };
}

async function leftInEngine(corner: DockerCorner): Promise<string[]> {
  const filters = { label: [DRILL_LABEL] };
  const [containers, networks, { Volumes }] = await Promise.all([
    corner.raw.listContainers({ all: true, filters }),
    corner.raw.listNetworks({ filters }),
    corner.raw.listVolumes({ filters }),
  ]);
  return [
    ...containers.flatMap(({ Names }) => Names.map((one) => `a drill left the container ${one}`)),
    ...networks.map(({ Name }) => `a drill left the network ${Name}`),
    ...Volumes.map(({ Name }) => `a drill left the volume ${Name}`),
  ];
}

function leftInState(name: string): string[] {
  return ROOMS.flatMap((room) => {
    const directory = path.join(stateDirectory(name), room);
    return existsSync(directory) ? readdirSync(directory).map((file) => `a drill left ${room}/${file}`) : [];
  });
}
