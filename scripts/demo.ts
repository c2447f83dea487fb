/** `npm run demo`: a stack is backed up while it works, its worker is killed, its ledger destroyed, and it comes back. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { Holdfast } from '../sample/stack/holdfast.ts';
import type { Up } from '../sample/stack/holdfast.ts';
import { Cleanup } from './cleanup.ts';
import { DockerScene } from './demo/docker-scene.ts';
import { FilesScene } from './demo/files-scene.ts';
import { keep, stopKept } from './demo/kept.ts';
import { play } from './demo/plot.ts';
import type { Scene } from './demo/scene.ts';
import { ClaimFailed, Story } from './demo/story.ts';
import { dockerIsPossible } from './setup/docker.ts';
import { prepare, runMain } from './setup.ts';

const HELP = `npm run demo -- [options]
  --keep            leave everything up, and say where the Temporal UI is
  --stop            end what an earlier --keep left up
  --without-docker  the same story on files and SQLite`;

interface Options {
  readonly keep: boolean;
  readonly withoutDocker: boolean;
}

async function chooseDocker(options: Options, story: Story): Promise<boolean> {
  if (options.withoutDocker) {
    story.say('Without Docker, as asked: the same story on files and SQLite. Nothing can be frozen here.');
    return false;
  }
  if (await dockerIsPossible()) return true;
  story.say(
    'There is no Docker engine here, and no right to install one: start it with `sudo systemctl start docker`,',
  );
  story.say(
    'or run this as root on Debian. Until then the same story on files and SQLite. Nothing can be frozen here.',
  );
  return false;
}

async function demo(options: Options, cleanup: Cleanup): Promise<number> {
  const story = new Story();
  story.title('Holdfast: a stack is backed up, loses its worker, loses its ledger, and comes back');
  const withDocker = await chooseDocker(options, story);
  const prepared = await prepare(withDocker ? 'demo' : 'demo-without-docker');
  cleanup.add(async () => prepared[Symbol.asyncDispose]());

  const directory = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const home = join(directory, 'home');
  await mkdir(home);
  const suffix = randomBytes(3).toString('hex');
  const place = join(directory, 'stack');
  const scene: Scene = withDocker
    ? new DockerScene(new Docker(), place, suffix, (text) => story.say(text))
    : new FilesScene(place);
  cleanup.add(() => scene.end());
  // What Node compiles is cached here as well, so that nothing stays behind, unless there is a place for it already.
  const caches = { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(directory, 'compiled') };
  const holdfast = new Holdfast(home, { ...prepared.environment, ...caches });
  let running: Up | undefined;
  const onUp = (up: Up): void => {
    running = up;
    cleanup.add(() => up.stop());
  };
  try {
    await play({ story, scene, holdfast, directory, onUp });
  } catch (error) {
    if (running !== undefined && !(error instanceof ClaimFailed)) console.error(running.output());
    throw error;
  }
  story.summary();
  if (!withDocker) console.log('Shown without Docker: on files and SQLite, with nothing frozen.');
  if (!options.keep || running === undefined || !(scene instanceof DockerScene)) return 0;
  await keep({ directory, project: scene.project, upPid: running.pid });
  running.leaveRunning();
  console.log(`\nLeft up. Temporal UI: ${running.uiUrl ?? 'none'}`);
  console.log(`Try: HOLDFAST_HOME=${home} npm run holdfast -- status`);
  console.log('End it with: npm run demo -- --stop');
  return 0;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      keep: { type: 'boolean', default: false },
      stop: { type: 'boolean', default: false },
      'without-docker': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.stop) return stopKept();
  const options = { keep: values.keep, withoutDocker: values['without-docker'] };
  const cleanup = new Cleanup();
  cleanup.onSignals();
  let code = 1;
  let kept = false;
  try {
    code = await demo(options, cleanup);
    kept = code === 0 && options.keep && !options.withoutDocker;
  } catch (error) {
    if (!(error instanceof ClaimFailed)) throw error;
    console.error(`\nThis did not hold: ${error.message}`);
  } finally {
    if (!kept && !(await cleanup.run())) code = 1;
  }
  return code;
}

await runMain(main);
