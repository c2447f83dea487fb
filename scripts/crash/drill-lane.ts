/** A volume that is backed up and rehearsed: whatever is struck, no drill leaves anything on the machine. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { DRILL_LABEL } from '../../src/sources/kinds/volume-place.ts';
import { stateDirectory } from '../../src/system/home.ts';
import { WORKFLOWS, type DrillResult } from '../../src/workflows/contract.ts';
import type { DockerCorner } from '../../test/support/docker.ts';
import type { Errand, Lane, LaneStore, Round } from './lane.ts';
import { volumeLane } from './volume-lane.ts';

/** What tells of something that a drill has made, in the state of a system. */
const ROOMS = ['drills', 'restores', 'runs'];

/** Half of the rounds rehearse twice: it is the drill that is to be struck. */
export const DRILL_ROUNDS: readonly Round[] = [
  ['backup', 'errand'],
  ['errand', 'second errand'],
];

export async function drillLane(name: string, base: string, store: LaneStore, corner: DockerCorner): Promise<Lane> {
  const lane = await volumeLane(name, base, store, corner);
  const runs = new Set<string>();
  return {
    ...lane,
    rounds: DRILL_ROUNDS,
    errand: DRILL,
    hard: true,
    runs,
    // Nothing is lost: a drill must not need it, and must not touch what is live.
    lose: () => Promise.resolve(undefined),
    troubles: async () => [...(await lane.troubles()), ...(await drillsLeft(name, corner, runs))],
  };
}

export const DRILL: Errand = {
  workflow: WORKFLOWS.drill,
  wrong: (result) => {
    const { outcome, why } = result as DrillResult;
    return outcome === 'passed' ? undefined : `${outcome}: ${why ?? ''}`;
  },
};

/** What the drills of these runs have left in the engine, and any drill of this system on disk. */
export async function drillsLeft(system: string, corner: DockerCorner, runs: ReadonlySet<string>): Promise<string[]> {
  return [...(await leftInEngine(corner, runs)), ...leftInState(system)];
}

async function leftInEngine(corner: DockerCorner, runs: ReadonlySet<string>): Promise<string[]> {
  const filters = { label: [DRILL_LABEL] };
  const [containers, networks, { Volumes }] = await Promise.all([
    corner.raw.listContainers({ all: true, filters }),
    corner.raw.listNetworks({ filters }),
    corner.raw.listVolumes({ filters }),
  ]);
  const isOwn = ({ Labels }: { Labels?: Record<string, string> | undefined }): boolean =>
    runs.has(Labels?.[DRILL_LABEL] ?? '');
  return [
    ...containers.filter(isOwn).flatMap(({ Names }) => Names.map((one) => `a drill left the container ${one}`)),
    ...networks.filter(isOwn).map(({ Name }) => `a drill left the network ${Name}`),
    ...Volumes.filter(isOwn).map(({ Name }) => `a drill left the volume ${Name}`),
  ];
}

function leftInState(name: string): string[] {
  return ROOMS.flatMap((room) => {
    const directory = path.join(stateDirectory(name), room);
    return existsSync(directory) ? readdirSync(directory).map((file) => `a drill left ${room}/${file}`) : [];
  });
}
