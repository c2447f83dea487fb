/**
 * Months of the M2M connector in moments: its plans, failures, alarms and people, on the workflow that the program runs.
 * Every message is compared with who should have been told when. Ends with 1 when one was missing, or one too many.
 *
 *   npm run simulate                            a quarter of a year, seed 1
 *   npm run simulate -- --days 365 --seed 7     another one
 *   npm run simulate -- --seeds 20              as many, one after another
 */
import { parseArgs } from 'node:util';
import { Play } from '../test/workflows/play.ts';
import { simulate } from '../test/workflows/quarter/simulate.ts';
import { timeSkippingServer } from '../test/workflows/time-skipping.ts';
import { runMain } from './setup.ts';

const USAGE = `npm run simulate -- [options]
  --days N     how long (90)
  --seed N     the first seed (1)
  --seeds N    how many, one after another (1)
  --outages N  in a month (24)`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      days: { type: 'string', default: '90' },
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '1' },
      outages: { type: 'string', default: '24' },
    },
  });
  const env = await timeSkippingServer();
  let wrong = 0;
  try {
    const play = new Play(() => env);
    for (let index = 0; index < Number(values.seeds); index += 1) {
      const seed = Number(values.seed) + index;
      const began = performance.now();
      const found = await simulate(play, { seed, days: Number(values.days), outagesAMonth: Number(values.outages) });
      const seconds = Number(((performance.now() - began) / 1000).toFixed(1));
      console.log(JSON.stringify({ seed, days: Number(values.days), ...found, seconds }, undefined, 2));
      wrong += found.wrong.length;
    }
  } finally {
    await env.teardown();
  }
  return wrong === 0 ? 0 : 1;
}

await runMain(main, USAGE);
