/**
 * Two sites on machines of their own, with a network between them that is cut, slowed and made one-way, while one takes the
 * system over from the other, again and again: never two active sites, nothing gone that was not said to be, the name always
 * at a site that serves.
 *
 *   npm run proof -- [options]
 */
import { parseArgs } from 'node:util';
import { prepare, runMain, UsageError } from './setup.ts';
import { FAULTS } from './two-sites/faults.ts';
import { proveSites } from './two-sites/run.ts';
import { summaryOf, summaryText } from './two-sites/summary.ts';

const USAGE = `Usage: npm run proof -- [options]
  --rounds N    failovers that are played (300)
  --seed N      of the first; the others follow (from the clock)
  --fault NAME  only this one (repeatable)
  --beds N      pairs of sites struck side by side (1; a pair takes half a core and 1.5 GB)
  --json        one document at the end, and the rounds on stderr
  --names       instead: names in a zone of Route 53 (its fake, and a real name server), under all that strikes its control plane

Faults: ${FAULTS.map(({ name }) => name).join('; ')}

Needs root. Exit code 0 when every round held, 1 when one did not, 2 when the options are wrong, 130 after Ctrl-C.`;
const INTERRUPTED = 130;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '300' },
      seed: { type: 'string', default: String(Math.floor(Date.now() / 1000) % 1_000_000) },
      fault: { type: 'string', multiple: true },
      beds: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      names: { type: 'boolean', default: false },
    },
  });
  const [rounds, seed] = [numberOf('rounds', values.rounds), numberOf('seed', values.seed)];
  const unknown = (values.fault ?? []).find((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown !== undefined) throw new UsageError(`${unknown} is none of the faults; --help lists them`);
  const beds = numberOf('beds', values.beds);
  if (beds < 1) throw new UsageError('--beds wants one at least');
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
  await using prepared = await prepare('test');
  Object.assign(process.env, prepared.environment);
  if (values.names) {
    const { proveNames } = await import('./two-sites/names-run.ts');
    const held = await proveNames((line) => void process.stdout.write(`${line}\n`), ended.signal);
    process.stdout.write(`${held} held\n`);
    return ended.signal.aborted ? INTERRUPTED : 0;
  }
  const told = values.json ? process.stderr : process.stdout;
  const say = (line: string): void => void told.write(`${line}\n`);
  say(`seeds ${seed} to ${seed + rounds - 1}`);
  const report = await proveSites({ seed, rounds, beds, faults: values.fault, say, signal: ended.signal });
  const done = report.rounds.filter(({ outcome }) => outcome === 'done').length;
  const byFault = summaryOf(report.rounds);
  say(
    `${summaryText(byFault)}\n${report.rounds.length} held, ${done} of them failovers; ${report.broken.length} broken`,
  );
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, asked: rounds, byFault, ...report })}\n`);
  if (ended.signal.aborted) return INTERRUPTED;
  return report.broken.length === 0 ? 0 : 1;
}

function numberOf(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} wants a whole number`);
  return Number(text);
}

await runMain(() => main(process.argv.slice(2)), USAGE);
// A round that was given up waits still for what will never come.
if (process.exitCode === INTERRUPTED) process.exit();
