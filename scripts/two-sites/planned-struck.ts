/** Power, guards, stores and network, struck while the system is moved; and the rehearsal that goes back by itself. */
import { waitFor } from '../../sample/stack/processes.ts';
import type { FailoverReport } from '../../src/workflows/contract.ts';
import { ask } from './bed.ts';
import { isDown } from './checks.ts';
import { atStep, kill, pause, powerOff, type Ending, type Fault, type Struck } from './fault.ts';
import {
  allThere,
  ANSWERING_STEPS,
  asked,
  ASKING_STEPS,
  done,
  holdsAll,
  leadsTo,
  ofTheOther,
  runsAgain,
  typed,
  well,
} from './planned.ts';
import { SYSTEM } from './site.ts';

const LIMIT_MS = 240_000;
const AWAY_MS = 4000;
const BACK_AFTER = '5s';

/** Asked for once, and it comes back by itself under the same approval. */
async function rehearsed({ bed, active, standby }: Struck): Promise<Ending> {
  const there = await typed(standby, 'failover', SYSTEM, '--planned', '--and-back', BACK_AFTER);
  done(there, standby, active);
  await leadsTo(bed, active);
  const n = (there.generation?.n ?? 0) + 1;
  const report = await waitFor(`the report of generation ${n}`, LIMIT_MS, async () => {
    const text = await ask(active, 'failovers', SYSTEM, '--json');
    const { failovers } = JSON.parse(text) as { failovers: FailoverReport[] };
    return failovers.find(({ generation }) => generation.n === n);
  });
  if (report.site !== active.name || report.planned === undefined || !report.ok) {
    throw new Error(`the way back was ${JSON.stringify(report).slice(0, 1000)}`);
  }
  if (!(await isDown(standby))) throw new Error(`${standby.name} has given the system back, and runs`);
  return { result: { ...there, generation: report.generation }, now: active };
}

/** The other has answered, and waits; what asks can't raise, and can't be told either. */
async function cutOff({ bed: { net }, active, standby, steps }: Struck): Promise<Ending> {
  const asking = standby.operator.failover({ input: { planned: true }, steps });
  asking.catch(() => undefined);
  await steps.next('askHandover');
  await Promise.race([steps.next('planRestore'), asking]);
  for (const other of ['witness', active.name]) await net.cut(standby.name, other);
  await runsAgain(active);
  await net.heal();
  const result = await asking;
  if (result.outcome === 'done') throw new Error(`${standby.name} has taken over what ${active.name} had taken back`);
  return { result, now: active };
}

async function storesAway({ bed, signal }: Struck): Promise<void> {
  for (const store of bed.stores) store.away(true);
  await pause(AWAY_MS, signal);
  bed.storesBack();
}

export const PLANNED_AND_STRUCK: readonly Fault[] = [
  { name: 'planned, a rehearsal that goes back by itself', before: well, takeOver: rehearsed, lossless: true },
  {
    name: 'planned, and the site that stops loses its power at a step, and comes back',
    before: well,
    atStep: true,
    steps: ANSWERING_STEPS,
    during: (struck) =>
      ofTheOther(struck, async ({ bed, active }) => {
        await powerOff({ bed, active });
        await bed.boot(active);
      }),
    takeOver: asked,
    lossless: true,
    after: allThere,
  },
  {
    name: 'planned, and the site that asks is cut off once it is answered',
    before: well,
    takeOver: cutOff,
    after: ({ bed }, { now }) => holdsAll(bed, now),
    // The site that has stopped waits for as long as is declared.
    long: true,
  },
  {
    name: 'planned, and the stores answer nobody for a while',
    before: well,
    atStep: true,
    steps: ASKING_STEPS,
    during: atStep(storesAway),
    takeOver: asked,
    lossless: true,
    after: allThere,
  },
  {
    name: 'planned, and both guards are killed at a step',
    before: well,
    atStep: true,
    steps: ASKING_STEPS,
    during: atStep(({ active, standby }) => [active.guardPid, standby.guardPid].forEach(kill)),
    takeOver: asked,
    lossless: true,
    after: allThere,
  },
];
