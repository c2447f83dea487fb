/**
 * `npm run cluster`: temporal-docker-compose.yml and deploy/Dockerfile, really run. A Docker engine of its own builds and
 * starts them, the workers of the image make backups, and server and database are killed, restarted and made anew
 * meanwhile. Minutes, and a quarter of an hour more the first time, when Temporal is built from source.
 */
import { parseArgs } from 'node:util';
import { tellStory } from './cluster/story.ts';
import { prepare, runMain } from './setup.ts';

const USAGE = `npm run cluster -- [options]
  --published    with the images of the registry, where one answers; otherwise they are made here,
                 which docs/cluster.md tells apart`;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { published: { type: 'boolean', default: false } } });
  await using prepared = await prepare('cluster');
  Object.assign(process.env, prepared.environment);
  await tellStory({ published: values.published, say: (line) => process.stdout.write(`${line}\n`) });
  process.stdout.write('1 passed, 0 failed\n');
  return 0;
}

await runMain(() => main(process.argv.slice(2)), USAGE);
