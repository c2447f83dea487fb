/**
 * Plays histories of two or three sites that write, back up, lose one another and take over, by the decisions that the program
 * itself calls, and knows of each what would have been right. Ends with 1 when one was wrong, and prints which.
 *
 *   npm run model:failover                          two million schedules, on one core: two to three minutes
 *   npm run model:failover -- --schedules 20000     what the tests play
 *   npm run model:failover -- --seed 2795 --schedules 1
 */
import { parseArgs } from 'node:util';
import { playDecisions } from '../test/policy/failover/decision-model.ts';

const SHOWN = 3;

const { values } = parseArgs({
  options: { schedules: { type: 'string', default: '2000000' }, seed: { type: 'string', default: '1' } },
});
const [first, schedules] = [Number(values.seed), Number(values.schedules)];
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(schedules) || schedules < 1) {
  throw new Error('--seed and --schedules are whole numbers');
}
const counts = { schedules, wrong: 0, goes: 0, automatic: 0, refusals: 0, passedOver: 0 };
for (let seed = first; seed < first + schedules; seed += 1) {
  const { violation, goes, automatic, refusals, passedOver } = playDecisions(seed);
  counts.goes += goes;
  counts.automatic += automatic;
  counts.refusals += refusals;
  counts.passedOver += passedOver;
  if (violation === undefined) continue;
  counts.wrong += 1;
  if (counts.wrong <= SHOWN) console.error(`seed ${seed}: ${violation}`);
}
console.log(JSON.stringify(counts, undefined, 2));
process.exitCode = counts.wrong === 0 ? 0 : 1;
