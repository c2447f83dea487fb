/**
 * Plays schedules of two sites and their guards on one authority store, with everything that goes wrong between them, by
 * the decisions that the program itself calls. Ends with 1 when both sites were active at one moment, or when the wrong one
 * is at the end, and prints what happened.
 *
 *   npm run model:lease                                    a million schedules, on every core: about ten minutes
 *   npm run model:lease -- --schedules 500                 what the tests play
 *   npm run model:lease -- --seed 23423 --schedules 1 --broken 'generation read before the renewal is written'
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { BROKEN, play, type Broken } from '../test/policy/failover/lease-model.ts';

interface Share {
  readonly seed: number;
  readonly schedules: number;
  readonly broken?: Broken;
}

interface Found {
  schedules: number;
  bothActive: number;
  wrongAtTheEnd: number;
  takeovers: number;
  starts: number;
  stops: number;
  /** The first few, each with its seed. */
  shown: string[];
}

const SHOWN = 3;

function playAll({ seed: first, schedules, broken }: Share): Found {
  const found: Found = { schedules, bothActive: 0, wrongAtTheEnd: 0, takeovers: 0, starts: 0, stops: 0, shown: [] };
  for (let seed = first; seed < first + schedules; seed += 1) {
    const { violation, active, newest, takeovers, starts, stops } = play({ seed, ...(broken && { broken }) });
    found.takeovers += takeovers;
    found.starts += starts;
    found.stops += stops;
    const wrong = violation === undefined && active.join() !== newest?.site;
    if (violation !== undefined) found.bothActive += 1;
    if (wrong) found.wrongAtTheEnd += 1;
    const what = violation ?? (wrong ? `active ${active.join()}, newest ${JSON.stringify(newest)}` : undefined);
    if (what !== undefined && found.shown.length < SHOWN) found.shown.push(`seed ${seed}: ${what}`);
  }
  return found;
}

function added(one: Found, other: Found): Found {
  return {
    schedules: one.schedules + other.schedules,
    bothActive: one.bothActive + other.bothActive,
    wrongAtTheEnd: one.wrongAtTheEnd + other.wrongAtTheEnd,
    takeovers: one.takeovers + other.takeovers,
    starts: one.starts + other.starts,
    stops: one.stops + other.stops,
    shown: [...one.shown, ...other.shown].slice(0, SHOWN),
  };
}

async function onThreads(share: Share): Promise<Found> {
  const threads = share.schedules < 10_000 ? 1 : os.availableParallelism();
  if (threads === 1) return playAll(share);
  const each = Math.ceil(share.schedules / threads);
  const shares = Array.from({ length: threads }, (_, n) => ({
    ...share,
    seed: share.seed + n * each,
    schedules: Math.min(each, share.schedules - n * each),
  }));
  const parts = await Promise.all(
    shares.map(
      (workerData) =>
        new Promise<Found>((resolve, reject) => {
          const thread = new Worker(new URL(import.meta.url), { workerData });
          thread.once('message', resolve);
          thread.once('error', reject);
        }),
    ),
  );
  return parts.reduce(added);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      schedules: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      broken: { type: 'string' },
    },
  });
  const broken = BROKEN.find((one) => one === values.broken);
  if (values.broken !== undefined && broken === undefined) throw new Error(`--broken is one of: ${BROKEN.join('; ')}`);
  const share = { seed: Number(values.seed), schedules: Number(values.schedules), ...(broken && { broken }) };
  const found = await onThreads(share);
  const { shown, ...counts } = found;
  console.log(JSON.stringify(counts, undefined, 2));
  for (const one of shown) console.error(one);
  process.exitCode = found.bothActive + found.wrongAtTheEnd === 0 ? 0 : 1;
}

if (isMainThread) await main();
else parentPort?.postMessage(playAll(workerData as Share));
