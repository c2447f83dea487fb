/**
 * `npm run example -- <name>`: one of the five systems comes up, is backed up, broken and brought back, each disaster
 * measured against its objectives and compared with what its users had acknowledged.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { Cleanup } from './cleanup.ts';
import { ClaimFailed, Story } from './demo/story.ts';
import { EXAMPLES } from './example/examples.ts';
import type { Example, Stage } from './example/example.ts';
import { postgresStandIn, servicesImage } from './example/images.ts';
import { play } from './example/plot.ts';
import type { Played } from './example/plot.ts';
import { prepare, runMain, UsageError } from './setup.ts';

const NAMES = Object.keys(EXAMPLES).join(', ');
const USAGE = `Usage: npm run example -- <name> [options]

Brings one of the five systems up with stand-ins for its images and its clouds, runs its plans, breaks it, brings it back
with Holdfast's commands, compares it with what its users had acknowledged, and leaves nothing behind.

Names: ${NAMES}

Options:
  --only <disaster>  only this one of its disasters; an unknown name lists them
  --keep             leave everything up at the end, to look at and to try commands on; Ctrl-C ends it
  -h, --help         this text

Examples:
  npm run example -- watan
  npm run example -- tbcv --only corruption --keep

Exit code 0 when every claim held, 1 when one did not, 2 when the arguments are wrong, 130 after Ctrl-C.`;

export interface Options {
  readonly only?: string | undefined;
  readonly keep?: boolean;
}

function stageOf(directory: string, story: Story, cleanup: Cleanup): Stage {
  const docker = new Docker();
  const suffix = randomBytes(3).toString('hex');
  const say = (text: string): void => story.say(text);
  const images = {
    services: () => servicesImage(docker, say),
    postgres: () => postgresStandIn(docker, suffix, cleanup),
  };
  const source = join(import.meta.dirname, '..', 'examples');
  return { docker, directory, source, suffix, cleanup, running: {}, say, image: (which) => images[which]() };
}

/** Plays it from beginning to end; throws ClaimFailed when something does not hold. The caller cleans up. */
export async function playExample(example: Example, cleanup: Cleanup, options: Options = {}): Promise<Played> {
  const story = new Story();
  story.title(example.title);
  const prepared = await prepare('example');
  Object.assign(process.env, prepared.environment);
  cleanup.add(async () => prepared[Symbol.asyncDispose]());
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-example-'));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const stage = stageOf(directory, story, cleanup);
  const { environment } = prepared;
  const played = await play({ example, story, stage, environment, only: options.only });
  story.summary();
  return played;
}

/** Says how to look around, and waits for Ctrl-C. */
function keep({ operator, up }: Played): Promise<never> {
  console.log('\nLeft up until Ctrl-C. In another terminal:');
  for (const [name, value] of Object.entries({
    HOLDFAST_HOME: operator.holdfast.home,
    ...operator.holdfast.environment,
  })) {
    console.log(`  export ${name}='${value}'`);
  }
  console.log('  npm run holdfast -- status');
  if (up.uiUrl !== undefined) console.log(`Temporal UI: ${up.uiUrl}`);
  return new Promise(() => setInterval(() => undefined, 60_000));
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, keep: { type: 'boolean', default: false } },
  });
  const [name = ''] = positionals;
  const example = EXAMPLES[name];
  if (example === undefined || positionals.length !== 1) throw new UsageError(`Name one of: ${NAMES}`);
  const cleanup = new Cleanup();
  cleanup.onSignals();
  let code = 1;
  try {
    const played = await playExample(example, cleanup, { only: values.only });
    if (values.keep) await keep(played);
    code = 0;
  } catch (error) {
    if (!(error instanceof ClaimFailed)) throw error;
    console.error(`\nThis did not hold: ${error.message}`);
  } finally {
    if (!(await cleanup.run())) code = 1;
  }
  return code;
}

if (import.meta.main) await runMain(main, USAGE);
