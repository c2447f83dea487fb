/** A stack of which something falls over: started again, with nothing else touched. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { WORKFLOWS, type RestartResult } from '../../src/workflows/contract.ts';
import type { DockerCorner } from '../../test/support/docker.ts';
import { composeProject } from './compose-project.ts';
import { digestOf, LARGE_FILES, makeTree, replaceLarge } from './content.ts';
import { laneSystem, type Lane, type LaneStore } from './lane.ts';

const LARGE_BYTES = 16 * 1024;
const SERVICES = ['ledger', 'web'] as const;

export async function restartLane(name: string, base: string, store: LaneStore, corner: DockerCorner): Promise<Lane> {
  const tree = path.join(base, 'tree');
  mkdirSync(base, { recursive: true });
  makeTree(tree, LARGE_BYTES);
  const [ledger, web] = SERVICES;
  const service = { script: ':', healthy: 'test -d /data/small', binds: [`${tree}:/data`] };
  const project = await composeProject(corner, base, [
    { ...service, name: ledger },
    { ...service, name: web, after: ledger },
  ]);
  let losses = 0;
  /** Of what has not fallen. */
  let up: string[] = [];
  return {
    name,
    system: laneSystem(name, store, project.component),
    rounds: [['errand', 'second errand']],
    errand: {
      workflow: WORKFLOWS.restart,
      wrong: (result) => {
        const { outcome, left, next } = result as RestartResult;
        // An attempt that failed at its very end may have done all of it; whether anything is down, the engine tells.
        return left.length > 0 || outcome === 'unhealthy'
          ? `${outcome}: ${JSON.stringify(left)} ${next ?? ''}`
          : undefined;
      },
    },
    hard: true,
    usesDocker: false,
    chunkDirectory: store.chunkDirectory,
    change: (part) => {
      replaceLarge(tree, Math.floor(part * LARGE_FILES), LARGE_BYTES);
      return Promise.resolve(digestOf(tree));
    },
    lose: async () => {
      losses += 1;
      const fallen = await project.container(SERVICES[losses % SERVICES.length] ?? ledger);
      await project.fall(fallen);
      up = (await project.starts()).filter((line) => !line.includes(fallen));
      return undefined;
    },
    digest: () => Promise.resolve(digestOf(tree)),
    troubles: async () => {
      const now = await project.starts();
      const again = up.filter((line) => !now.includes(line));
      return [...(await project.troubles()), ...again.map((line) => `${line} was not down and is not so any more`)];
    },
    forget: () => Promise.resolve(),
    close: () => project.close(),
  };
}
