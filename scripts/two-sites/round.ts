/** One failover under one fault, and what has to be true at its end. Then the sites have changed places. */
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../sample/stack/processes.ts';
import type { FailoverResult } from '../../src/workflows/contract.ts';
import type { Bed } from './bed.ts';
import { compare, isDown, keptApart, mustLead } from './checks.ts';
import type { Ending, Fault, Struck } from './fault.ts';
import { Phases, type Phase } from './phases.ts';
import type { Site } from './site.ts';
import { Steps } from './steps.ts';
import { LEASE_SECONDS, STOP_SECONDS } from './texts.ts';

const LIMIT_MS = 240_000;
const KNOWS_MS = 90_000;
const AGAIN_MS = 500;
/** Records between one thing that happens and the next. */
const A_FEW = 5;

export interface Round {
  readonly fault: string;
  readonly outcome: FailoverResult['outcome'];
  /** Acknowledged and not there, all of them younger than what was said to be lost. */
  readonly lost: number;
  readonly result: FailoverResult;
  /** That is active then. */
  readonly now: Site;
  /** Both at the same moment, where a machine had slept. */
  readonly afterSleepMs: number;
  readonly phases: readonly Phase[];
}

export interface Drawn {
  readonly fault: Fault;
  /** See Struck. */
  readonly part: number;
  readonly step: string;
}

/** Throws with what did not hold. `active` and `standby` are what they are when it begins; there is a backup already. */
export async function playRound(
  bed: Bed,
  { active, standby }: Pick<Struck, 'active' | 'standby'>,
  drawn: Drawn,
  over: AbortSignal,
): Promise<Round> {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, over]);
  const { part, step } = drawn;
  const struck: Struck = { bed, active, standby, part, step, steps: new Steps(), atEnd: [], signal };
  try {
    return await played(struck, drawn.fault, () => ended.abort());
  } finally {
    ended.abort();
    await endings(struck);
  }
}

async function endings({ atEnd }: Struck): Promise<void> {
  for (const end of atEnd.splice(0)) await end();
}

async function played(struck: Struck, fault: Fault, end: () => void): Promise<Round> {
  const { bed, active, standby, step } = struck;
  const phases = new Phases();
  phases.begin('fault');
  await fault.before(struck);
  const beside = fault.during?.(struck) ?? Promise.resolve();
  // Heard below, and not before the failover has ended.
  beside.catch(() => undefined);
  phases.begin('failover');
  let ending: Ending;
  try {
    ending = await (fault.takeOver?.(struck) ?? takeOver(struck, fault));
  } catch (error) {
    end();
    // What the fault itself ran into then only follows from this.
    await beside.catch(() => undefined);
    throw error;
  }
  end();
  await beside;
  const { result, now } = ending;
  const before = now === active ? standby : active;
  phases.begin('stops itself');
  if (fault.sleeps !== true) await stopsItself(before, fault);
  phases.begin('compare');
  const lost = await compare(bed, now, result);
  if (fault.lossless === true && lost > 0) throw new Error(`${lost} acknowledged records are gone, and nothing may be`);
  await fault.after?.(struck, ending);
  phases.begin('mend');
  await bed.net.heal();
  bed.storesBack();
  await endings(struck);
  const back = async (): Promise<void> => {
    await phases.beside('boot', mend(bed, fault, active));
    if (result.outcome === 'done') await phases.beside('knows', knows(before, result));
  };
  await Promise.all([back(), readyAgain(bed, now, phases)]);
  const afterSleepMs = keptApart(bed, fault);
  mustLead(bed);
  bed.forgetTimes();
  return {
    fault: fault.atStep === true ? `${fault.name}: ${step}` : fault.name,
    ...{ outcome: result.outcome, lost, result, now, afterSleepMs },
    phases: phases.table(),
  };
}

/** The name leads to a site that takes records; there is a backup, and what is younger. */
export async function readyAgain(bed: Bed, site: Site, phases: Phases): Promise<void> {
  await waitFor(`the name to lead to ${site.name}`, LIMIT_MS, () =>
    Promise.resolve(bed.leadsTo === site.machine.address ? true : undefined),
  );
  await phases.beside('records', more(bed, A_FEW));
  await phases.beside('backup', site.operator.backup('all'));
  await more(bed, A_FEW);
}

/** Asks again when it was refused or rolled back while the fault went on: that is an answer, and nothing was changed. */
async function takeOver(struck: Struck, fault: Fault): Promise<Ending> {
  const end = Date.now() + LIMIT_MS;
  const { steps } = struck;
  const answer = fault.answer?.bind(undefined, struck);
  for (;;) {
    const asked = { steps, ...(answer === undefined ? {} : { answer }) };
    const result = await struck.standby.operator.failover(asked);
    const isLeft = result.outcome === 'refused' && result.assessment?.state === 'up';
    if (fault.isUp === 'always' && !isLeft) throw new Error(`a site that is up was not left alone: ${shown(result)}`);
    if (result.outcome === 'done') return { result, now: struck.standby };
    if (isLeft && fault.isUp !== undefined) return { result, now: struck.active };
    if (Date.now() > end) throw new Error(`it never took over: ${shown(result)}`);
    await sleep(AGAIN_MS);
  }
}

function shown(result: FailoverResult): string {
  return JSON.stringify(result).slice(0, 2000);
}

/** Whoever was active before is down, whether or not anything reaches it. */
async function stopsItself(site: Site, fault: Fault): Promise<void> {
  if (!site.isOn) return;
  const limitMs = (LEASE_SECONDS + STOP_SECONDS) * 1000 + 30_000;
  await waitFor(`${site.name} to stop itself (${fault.name})`, limitMs, async () =>
    (await isDown(site)) ? true : undefined,
  );
}

/** It comes back, hears of the newer generation, and does nothing: what it starts later is seen by its engine's events. */
async function knows(site: Site, { generation }: FailoverResult): Promise<void> {
  const n = generation?.n ?? 0;
  await waitFor(`the guard of ${site.name} to hear of generation ${n}`, KNOWS_MS, async () =>
    (await site.generationRead()) >= n ? true : undefined,
  );
  if (!(await isDown(site))) throw new Error(`${site.name} runs its stack although the system is elsewhere`);
}

async function mend(bed: Bed, fault: Fault, active: Site): Promise<void> {
  if (fault.sleeps === true) {
    bed.watchOf(active).woke();
    active.wake();
    await waitFor(`${active.name} to stop itself after its sleep`, 60_000, async () =>
      (await isDown(active)) ? true : undefined,
    );
  }
  await bed.boot(active);
}

async function more(bed: Bed, count: number): Promise<void> {
  const goal = bed.users.acknowledged().length + count;
  await waitFor(`${count} more records`, LIMIT_MS, () =>
    Promise.resolve(bed.users.acknowledged().length >= goal ? true : undefined),
  );
}
