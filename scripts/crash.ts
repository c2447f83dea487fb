/**
 * `npm run crash`: strikes seeded points spread over backup and restore, over the receiving of a log and
 * the putting back of rows, over copies, prunes and healing, and checks after each that the operation
 * completed or failed cleanly, that the same bytes came back, that nothing stayed paused or stopped, that no chunk is
 * stored twice, and that every store holds what its policy keeps and nothing else. `npm run crash -- --points 500 --seed 7`; one point again: `--seed N --points 1`.
 */
import { parseArgs } from 'node:util';
import { InterruptedError, LANES, runCrashSuite, SYSTEM_LANES } from './crash/run.ts';
import { prepare, runMain, UsageError } from './setup.ts';

const USAGE = `npm run crash -- [options]
  --points N        how many seeded points are struck (500)
  --seed N          of the first point; the others follow (from the clock)
  --long            also requests that hang until the client's patience ends
  --own-docker      uses a Docker daemon of its own, which nobody else disturbs
  --restart-docker  also restarts that daemon
  --systems         only the lanes of whole systems, where all processes at once are killed, too, and
                    a worker that is starting again
  --lane NAME       only this one (repeatable): ${inLines(LANES)}.
                    A seed strikes the same point again only among the same lanes`;

/** At most four to a line of the help. */
function inLines(names: readonly string[]): string {
  const lines = names.flatMap((_, index) => (index % 4 === 0 ? [names.slice(index, index + 4).join(', ')] : []));
  return lines.join(`,\n${' '.repeat(20)}`);
}

function wholeNumber(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new UsageError(`--${name} must be a whole number.`);
  return value;
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      points: { type: 'string', default: '500' },
      seed: { type: 'string', default: String(Math.floor(Date.now() / 1000) % 1_000_000) },
      long: { type: 'boolean', default: false },
      'own-docker': { type: 'boolean', default: false },
      'restart-docker': { type: 'boolean', default: false },
      systems: { type: 'boolean', default: false },
      lane: { type: 'string', multiple: true },
    },
  });
  const seed = wholeNumber(values.seed, 'seed');
  const points = wholeNumber(values.points, 'points');
  const only: readonly string[] | undefined = values.lane ?? (values.systems ? SYSTEM_LANES : undefined);
  const unknown = only?.find((name) => !LANES.some((known) => known === name));
  if (unknown !== undefined) throw new UsageError(`--lane ${unknown}: there is ${LANES.join(', ')}.`);
  await using prepared = await prepare('test');
  Object.assign(process.env, prepared.environment);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted.abort();
    });
  }
  const startedAt = Date.now();
  const report = await runCrashSuite({
    seed,
    points,
    long: values.long,
    signal: interrupted.signal,
    say: (line) => process.stdout.write(`${line}\n`),
    ownDocker: values['own-docker'],
    restartDocker: values['restart-docker'],
    lanes: LANES.filter((name) => only?.includes(name) ?? true),
  });
  const hit = report.points.filter((point) => point.hit).length;
  const clean = report.points.filter(({ outcome }) => outcome === 'failed cleanly').length;
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  process.stdout.write(
    [
      '',
      `seed ${seed}: ${report.points.length} of ${points} points in ${seconds} s`,
      `${hit} struck while the operation ran; ${clean} ended in a clean failure and completed when asked for again`,
      ...report.broken.map((line) => `BROKEN ${line}`),
      `${report.points.length} passed, ${points - report.points.length} failed`,
      '',
    ].join('\n'),
  );
  return report.broken.length === 0 && report.points.length === points ? 0 : 1;
}

/** As a shell has it: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

async function untilInterrupted(args: readonly string[]): Promise<number> {
  try {
    return await main(args);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    process.stderr.write('Interrupted; what was started is gone.\n');
    return INTERRUPTED;
  }
}

await runMain(() => untilInterrupted(process.argv.slice(2)), USAGE);
// What was under way still waits for servers that are gone.
if (process.exitCode === INTERRUPTED) process.exit();
