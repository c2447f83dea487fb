/** A whole stack that is rehearsed in isolation: of no drill anything is left, and the live one is never touched. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { DockerCorner } from '../../test/support/docker.ts';
import { composeProject } from './compose-project.ts';
import { digestOf, LARGE_FILES, makeTree, replaceLarge } from './content.ts';
import { DRILL, DRILL_ROUNDS, drillsLeft } from './drill-lane.ts';
import { DATABASE, inApp, leftOnServer, scratchServersLeft, startLaneServer } from './lane-server.ts';
import type { Lane, LaneStore } from './lane.ts';

const LARGE_BYTES = 512 * 1024;

export async function drillStackLane(
  name: string,
  base: string,
  store: LaneStore,
  corner: DockerCorner,
): Promise<Lane> {
  const config = path.join(base, 'config');
  mkdirSync(base, { recursive: true });
  makeTree(config, 1024);
  const volume = await corner.volume();
  const { Mountpoint: data } = await corner.raw.getVolume(volume).inspect();
  makeTree(data, LARGE_BYTES);
  const { server, described } = await startLaneServer(path.join(base, 'server'));
  await server.sql('CREATE TABLE orders (id bigserial PRIMARY KEY, words text)', inApp);
  const project = await composeProject(corner, base, [
    { name: 'ledger', script: ':', healthy: 'test -f /data/large-0.bin', binds: [`${volume}:/data`] },
    { name: 'web', script: ':', healthy: 'test -d /config/small', binds: [`${config}:/config:ro`], after: 'ledger' },
  ]);
  const runs = new Set<string>();
  let live: string[] = [];
  const digest = async (): Promise<string> => {
    const orders = String(await server.value("SELECT string_agg(id || words, ',' ORDER BY id) FROM orders", inApp));
    return createHash('sha256')
      .update([digestOf(data), digestOf(config), orders].join('\n'))
      .digest('hex');
  };
  const touched = async (): Promise<string[]> => {
    const now = await project.starts();
    return now.join() === live.join() ? [] : [`the live stack is ${now.join('; ')} and was ${live.join('; ')}`];
  };
  return {
    name,
    system: {
      system: name,
      hosts: [name],
      stores: { vault: store.config },
      components: {
        data: { kind: 'volume', volume, quiesce: 'none', tier: 'critical' },
        config: { kind: 'files', path: config },
        orders: { kind: 'postgres', server: described, databases: [DATABASE] },
        stack: project.component,
      },
      plans: { now: { components: ['data', 'config', 'orders', 'stack'], stores: ['vault'], keep: { last: 1000 } } },
      checks: {
        orders: { sql: { component: 'orders', query: 'select count(*) from orders', atLeast: 1 } },
        data: { command: ['test', '-f', '/data/large-1.bin'], service: 'ledger' },
      },
    },
    rounds: DRILL_ROUNDS,
    errand: DRILL,
    hard: true,
    runs,
    usesDocker: false,
    chunkDirectory: store.chunkDirectory,
    change: async (part) => {
      replaceLarge(data, Math.floor(part * LARGE_FILES), LARGE_BYTES);
      await server.sql(`INSERT INTO orders (words) VALUES ('changed ${String(part)}')`, inApp);
      // A daemon that was restarted beside this lane has started them anew.
      live = await project.starts();
      return digest();
    },
    lose: () => Promise.resolve(undefined),
    digest,
    troubles: async () => [
      ...(await drillsLeft(name, corner, runs)),
      ...(await leftOnServer(server)),
      ...scratchServersLeft(name),
      ...(await project.troubles()),
      ...(await touched()),
    ],
    forget: () => Promise.resolve(),
    close: async () => {
      await project.close();
      await server.dispose();
    },
  };
}
