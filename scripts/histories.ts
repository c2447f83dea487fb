/**
 * Records histories of every workflow, finished and open, into test/histories/<name>.json. Run after a deliberate change
 * of the workflows with a new name for what changed (see docs/decisions); the old files stay, because runs like them may
 * still be open somewhere.
 *
 *   npm run histories            records those that are missing
 *   npm run histories -- --all   records all of them again (before a first release only)
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { historyToPlain } from '../test/histories/history-json.ts';
import { Play } from '../test/workflows/play.ts';
import { devServer } from '../test/workflows/stage.ts';
import type { Scene } from './histories/scene.ts';
import { SCENES } from './histories/scenes.ts';
import { runMain } from './setup.ts';

const DIRECTORY = path.resolve(import.meta.dirname, '../test/histories');
const ROOT = path.resolve(import.meta.dirname, '..');

/** Without who recorded it and where: the replay needs neither. */
function withoutMachine(history: unknown): string {
  const text = JSON.stringify(
    history,
    (key, value: unknown) => {
      if (key === 'stackTrace') return '';
      // Workers name themselves, and the queue of their own, by process and machine.
      return typeof value === 'string' ? value.replaceAll(`${process.pid}@${hostname()}`, 'worker') : value;
    },
    1,
  );
  for (const own of [ROOT, `@${hostname()}`, homedir()]) {
    if (text.includes(own)) throw new Error(`the history would name this machine: ${own}`);
  }
  return `${text}\n`;
}

async function record(play: Play, scene: Scene): Promise<void> {
  const file = path.join(DIRECTORY, `${scene.name}.json`);
  const history = await play.inWorld(scene.world, (world, workers) => scene.act(play, world, workers));
  await writeFile(file, withoutMachine(historyToPlain(history)));
  console.log(`recorded ${path.relative(ROOT, file)} (${history.events?.length ?? 0} events)`);
}

const USAGE = `npm run histories -- [options]
  --all  records all of them again (before a first release only); default: those that are missing`;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { all: { type: 'boolean', default: false } } });
  const env = await devServer();
  try {
    const play = new Play(() => env);
    for (const scene of SCENES) {
      if (values.all || !existsSync(path.join(DIRECTORY, `${scene.name}.json`))) await record(play, scene);
    }
  } finally {
    await env.teardown();
  }
  return 0;
}

await runMain(main, USAGE);
