/**
 * `npm run example -- <name>`: one of the five systems comes up, is backed up, broken and brought back, each disaster
 * measured against its objectives and compared with what its users had acknowledged.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { Cleanup } from './cleanup.ts';
import { ClaimFailed } from './demo/story.ts';
import { EXAMPLES } from './example/examples.ts';
import type { Example, Stage } from './example/example.ts';
import { postgresStandIn, servicesImage } from './example/images.ts';
import { InterruptibleStory, untilInterrupted } from './example/interrupt.ts';
import { removalCommands } from './example/left.ts';
import { play } from './example/plot.ts';
import type { Played } from './example/plot.ts';
import { prepare, runMain, UsageError } from './setup.ts';

/** As a shell reports a program that Ctrl-C has ended. */
const INTERRUPTED = 130;
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
  /** A person's Ctrl-C: the story throws at its next step. */
  readonly signal?: AbortSignal;
}

function stageOf(directory: string, story: InterruptibleStory, cleanup: Cleanup): Stage {
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
  const signal = options.signal ?? new AbortController().signal;
  const story = new InterruptibleStory(signal);
  story.title(example.title);
  const prepared = await prepare('example');
  Object.assign(process.env, prepared.environment);
  cleanup.add(async () => prepared[Symbol.asyncDispose]());
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-example-'));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const stage = stageOf(directory, story, cleanup);
  const { environment } = prepared;
  const played = await play({ example, story, stage, environment, only: options.only, signal });
  story.summary();
  return played;
}

/** Says how to look around and how all of it goes, and waits for Ctrl-C. */
async function keep({ operator, up, stage, system }: Played, signal: AbortSignal): Promise<void> {
  console.log('\nLeft up until Ctrl-C, which removes everything. In another terminal:');
  for (const [name, value] of Object.entries({
    HOLDFAST_HOME: operator.holdfast.home,
    ...operator.holdfast.environment,
  })) {
    console.log(`  export ${name}='${value}'`);
  }
  console.log(`  npm run holdfast -- status ${system}`);
  if (up.uiUrl !== undefined) console.log(`Temporal UI: ${up.uiUrl}`);
  console.log('\nTo remove it from there:');
  for (const command of removalCommands(stage, system, up.pid)) console.log(`  ${command}`);
  const waiting = setInterval(() => undefined, 60_000);
  await once(signal, 'abort');
  clearInterval(waiting);
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
  const signal = untilInterrupted();
  let code = 1;
  try {
    const played = await playExample(example, cleanup, { only: values.only, signal });
    if (values.keep) await keep(played, signal);
    code = signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    if (signal.aborted) code = INTERRUPTED;
    else if (error instanceof ClaimFailed) console.error(`\nThis did not hold: ${error.message}`);
    else if (error instanceof UsageError || process.env['HOLDFAST_DEBUG'] === '1') throw error;
    else console.error(`\nIt could not go on: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    if (!(await cleanup.run())) code = 1;
    if (signal.aborted)
      console.error(code === INTERRUPTED ? 'Everything is removed.' : 'Not everything could be removed: see above.');
  }
  return code;
}

if (import.meta.main) await runMain(main, USAGE);
