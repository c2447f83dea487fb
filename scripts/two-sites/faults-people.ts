/** What people do: several of them at once, none of them, or one who says no. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { workflowIds, type FailoverResult } from '../../src/workflows/contract.ts';
import { endChild, ENDS_WITH_US } from './children.ts';
import { atStep, isolated, powerOff, type Ending, type Fault, type Struck } from './fault.ts';
import { fenceByProvider, fenceByWord } from './fencing.ts';
import type { Machine } from './network.ts';
import { PORT, SYSTEM, type Site } from './site.ts';
import { Steps } from './steps.ts';

const LIMIT_MS = 240_000;
const AGAIN_MS = 500;
/** How often the operator of the site that has lost the system asks for it, too. */
const RIVAL_ASKS = 2;

/** Each believes that the other is dead, and asks as long as nobody has told him otherwise. */
async function rivals({ active, standby, steps }: Struck): Promise<Ending> {
  const over = new AbortController();
  const done: Ending[] = [];
  const asking = async (site: Site, own: Steps, asks: number): Promise<FailoverResult> => {
    const end = Date.now() + LIMIT_MS;
    for (let n = 1; ; n += 1) {
      const result = await site.operator.failover({ steps: own });
      if (result.outcome === 'done') {
        done.push({ result, now: site });
        over.abort();
      }
      if (result.outcome === 'done' || n >= asks || (over.signal.aborted && site !== standby)) return result;
      if (Date.now() > end) throw new Error(`it never took over: ${JSON.stringify(result).slice(0, 2000)}`);
      if (over.signal.aborted) return result;
      await sleep(AGAIN_MS);
    }
  };
  const [last] = await Promise.all([
    asking(standby, steps, Number.POSITIVE_INFINITY),
    asking(active, new Steps(), RIVAL_ASKS),
  ]);
  const newest = done.toSorted((one, other) => numberOf(other.result) - numberOf(one.result))[0];
  return newest ?? { result: last, now: active };
}

function numberOf({ generation }: FailoverResult): number {
  return generation?.n ?? 0;
}

function fencedAs(fencing: string): NonNullable<Fault['after']> {
  return (_struck, { result }) => {
    if (result.outcome !== 'done' || result.fence?.fencing === fencing) return Promise.resolve();
    return Promise.reject(new Error(`it was fenced as ${result.fence?.fencing ?? 'nothing'}, not as ${fencing}`));
  };
}

async function untilTold({ active, standby, steps }: Struck): Promise<Ending> {
  const [here, there] = await Promise.all([
    standby.operator.failover({ steps }),
    active.operator.failover({ steps: new Steps() }),
  ]);
  for (const { outcome, reasons = [] } of [here, there]) {
    if (outcome !== 'refused')
      throw new Error(`all is well, and a failover ended as ${outcome}: ${reasons.join('; ')}`);
  }
  return { result: here, now: active };
}

export const OF_PEOPLE: readonly Fault[] = [
  {
    name: 'two operators, and the sites can not hear one another',
    before: ({ bed: { net }, active, standby }) => net.cut(active.name, standby.name),
    takeOver: rivals,
  },
  {
    name: 'two operators, and the active site has lost its power and comes back',
    before: async (struck) => {
      await powerOff(struck);
      await struck.bed.net.cut(struck.active.name, struck.standby.name);
      await struck.bed.boot(struck.active);
    },
    takeOver: rivals,
  },
  { name: 'two operators, and all is well', before: () => Promise.resolve(), isUp: 'always', takeOver: untilTold },
  {
    name: 'gone, and nobody approves in time',
    before: powerOff,
    answer: ({ steps }) => (steps.asked++ === 0 ? 'nothing' : 'approve'),
    after: ({ steps }) =>
      steps.asked > 1 ? Promise.resolve() : Promise.reject(new Error('a failover that nobody approved went on')),
  },
  {
    name: 'cut off, and the plan is rejected at first',
    before: isolated,
    answer: ({ steps }) => (steps.asked++ === 0 ? 'reject' : 'approve'),
    after: ({ steps }) =>
      steps.asked > 1 ? Promise.resolve() : Promise.reject(new Error('a failover that was rejected went on')),
  },
  {
    name: 'cut off from the other site alone; what is restored is not healthy, and a person rejects it',
    // The start is tried three times before a person is asked.
    long: true,
    before: async (struck) => {
      const { bed, active, standby } = struck;
      await bed.net.cut(active.name, standby.name);
      // Somebody has the port there that the shop wants.
      const other = await listener(standby.machine, PORT);
      struck.atEnd.push(() => endChild(other));
    },
    during: ({ standby, signal }) => standby.operator.reject(workflowIds.restore(SYSTEM), signal),
    takeOver: async ({ active, standby, steps }) => {
      const result = await standby.operator.failover({ steps });
      if (result.outcome === 'rolled-back') return { result, now: active };
      throw new Error(`what was rejected ended as ${result.outcome}: ${result.why ?? ''}`);
    },
  },
  {
    name: 'cut off from everything; the provider takes its power, and says so',
    before: async (struck) => {
      await fenceByProvider(struck);
      await isolated(struck);
    },
    after: fencedAs('confirmed'),
  },
  {
    name: 'cut off from the other site alone; the provider takes its power, and says so',
    before: async (struck) => {
      await fenceByProvider(struck);
      await struck.bed.net.cut(struck.active.name, struck.standby.name);
    },
    after: fencedAs('confirmed'),
  },
  {
    name: 'gone, a person takes it upon himself that it is, and it comes back at a step',
    before: async (struck) => {
      await fenceByWord(struck);
      await powerOff(struck);
    },
    atStep: true,
    isUp: 'at times',
    during: atStep(({ bed, active }) => bed.boot(active)),
    after: fencedAs('attested'),
  },
];

async function listener(machine: Machine, port: number): Promise<ChildProcess> {
  const script = `require('node:net').createServer().listen(${port}, '0.0.0.0', () => console.log('there'))`;
  const [program, ...args] = [...ENDS_WITH_US, ...machine.within, process.execPath, '-e', script];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}
