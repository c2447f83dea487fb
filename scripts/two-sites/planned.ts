/** The system is moved while both sites are well, and what can happen to either of them meanwhile. Nothing may be missing at all. */
import { descendantsOf, waitFor } from '../../sample/stack/processes.ts';
import { workflowIds, type FailoverPlan, type FailoverResult } from '../../src/workflows/contract.ts';
import type { Bed } from './bed.ts';
import { isDown, missingAt } from './checks.ts';
import { atStep, kill, powerOff, type Ending, type Fault, type Struck } from './fault.ts';
import { SYSTEM, type Site } from './site.ts';
import { Steps } from './steps.ts';
import { RAISE_SECONDS } from './texts.ts';

const LIMIT_MS = 240_000;

/** At the site that takes over, in their order, of its failover and its restore. */
export const ASKING_STEPS = [
  'askHandover',
  'awaitHandover',
  'planRestore',
  'holdSite',
  'raiseSite',
  'clearSite',
  'restoreBeside',
  'swapIn',
  'startAfterRestore',
  'swapDns',
] as const;

/** At the one that stops, those of its last backup among them. */
export const ANSWERING_STEPS = [
  'stopForHandover',
  'captureGroup',
  'commitCapture',
  'runningHere',
  'answerHandover',
] as const;

export const well = (): Promise<void> => Promise.resolve();

/** As a person types it: looked at first, and approved by its digest. */
export async function typed(site: Site, ...words: readonly string[]): Promise<FailoverResult> {
  const answered = async (...more: readonly string[]): Promise<FailoverResult> => {
    const { stdout, stderr } = await site.holdfast.run(...words, ...more, '--json');
    if (stdout.trim() === '') throw new Error(`${site.name}: holdfast ${words.join(' ')} said nothing: ${stderr}`);
    return JSON.parse(stdout) as FailoverResult;
  };
  const { plan } = await answered('--plan');
  return answered('--approve', plan?.digest ?? '');
}

export function done(result: FailoverResult, site: Site, before: Site): Ending {
  const { outcome, why = '', plan } = result;
  if (outcome !== 'done') throw new Error(`${site.name} has not taken over: ${outcome}: ${why}`);
  if (plan?.from.site !== before.name) throw new Error(`it was taken over from ${plan?.from.site ?? 'nobody'}`);
  if ((result.planned?.downSeconds ?? 0) <= 0) throw new Error('it does not say how long the system was down');
  return { result, now: site };
}

/** By the two commands; between them the same is true as after any failover. */
async function thereAndBack({ bed, active, standby }: Struck): Promise<Ending> {
  done(await typed(standby, 'failover', SYSTEM, '--planned'), standby, active);
  if (!(await isDown(active))) throw new Error(`${active.name} has handed the system over, and runs`);
  await holdsAll(bed, standby);
  await leadsTo(bed, standby);
  return done(await typed(active, 'failback', SYSTEM), active, standby);
}

export async function holdsAll(bed: Bed, site: Site): Promise<void> {
  const missing = await missingAt(bed, site);
  if (missing.length === 0) return;
  const first = missing.slice(0, 5).map(({ id }) => id);
  throw new Error(`${missing.length} acknowledged records are not at ${site.name}: ${first.join()}`);
}

export async function leadsTo(bed: Bed, site: Site): Promise<void> {
  await waitFor(`the name to lead to ${site.name}`, LIMIT_MS, () =>
    Promise.resolve(bed.leadsTo === site.machine.address ? true : undefined),
  );
}

/** Asked once, whatever comes of it: either site may be the active one then, and it has everything. */
export async function asked({ active, standby, steps }: Struck): Promise<Ending> {
  const result = await standby.operator.failover({ input: { planned: true }, steps });
  if (result.outcome === 'done') return done(result, standby, active);
  await runsAgain(active);
  return { result, now: active };
}

async function mustMove(struck: Struck): Promise<Ending> {
  const ending = await asked(struck);
  return done(ending.result, struck.standby, struck.active);
}

export async function runsAgain(site: Site): Promise<void> {
  const limitMs = LIMIT_MS + RAISE_SECONDS * 1000;
  await waitFor(`${site.name} to run again`, limitMs, async () => ((await isDown(site)) ? undefined : true));
}

async function stays(struck: Struck, answer?: (plan: FailoverPlan) => 'reject'): Promise<Ending> {
  const { active, standby, steps } = struck;
  const more = answer === undefined ? {} : { answer };
  const result = await standby.operator.failover({ input: { planned: true }, steps, ...more });
  if (result.outcome === 'done') throw new Error(`${standby.name} has taken over what it was told to leave`);
  await runsAgain(active);
  return { result, now: active };
}

/** What has not moved is all there, too. */
export const allThere: NonNullable<Fault['after']> = ({ bed }, { now }) => holdsAll(bed, now);

/** When that piece of work of the site that stops is handed out. */
export async function ofTheOther(struck: Struck, strike: (struck: Struck) => Promise<void> | void): Promise<void> {
  const steps = new Steps();
  const following = struck.active.operator.followNext(workflowIds.handover(SYSTEM), steps, struck.signal);
  await atStep(strike)({ ...struck, steps });
  await following;
}

/** The other has answered, and waits. What was asked here is looked at when the machine is back. */
async function loses(struck: Struck): Promise<Ending> {
  const { bed, active, standby, steps } = struck;
  const asking = standby.operator.failover({ input: { planned: true }, steps });
  asking.catch(() => undefined);
  await steps.next('askHandover');
  await Promise.race([steps.next('planRestore'), asking]);
  await powerOff({ bed, active: standby });
  await runsAgain(active);
  await holdsAll(bed, active);
  await bed.boot(standby);
  const result = await asking;
  if (result.outcome === 'done') throw new Error(`${standby.name} has taken over what ${active.name} had taken back`);
  return { result, now: active };
}

export const PLANNED: readonly Fault[] = [
  { name: 'planned, there and back', before: well, takeOver: thereAndBack, lossless: true },
  {
    name: 'planned, and all of Holdfast that asks is killed at a step',
    before: well,
    atStep: true,
    steps: ASKING_STEPS,
    during: atStep(({ standby }) => descendantsOf(standby.upPid ?? 0).forEach(kill)),
    takeOver: asked,
    lossless: true,
    after: allThere,
  },
  {
    name: 'planned, and the worker that makes the last backup is killed at a step',
    before: well,
    atStep: true,
    steps: ANSWERING_STEPS,
    during: (struck) => ofTheOther(struck, ({ active }) => kill(active.hostWorkerPid)),
    takeOver: mustMove,
    lossless: true,
  },
  {
    name: 'planned, and all of Holdfast that answers is killed at a step',
    before: well,
    atStep: true,
    steps: ANSWERING_STEPS,
    during: (struck) => ofTheOther(struck, ({ active }) => descendantsOf(active.upPid ?? 0).forEach(kill)),
    takeOver: asked,
    lossless: true,
    after: allThere,
  },
  {
    name: 'planned, and the site that asks loses its power once it is answered',
    before: well,
    takeOver: loses,
    after: allThere,
    // The site that has stopped waits for as long as is declared.
    long: true,
  },
  {
    name: 'planned, and rejected',
    before: well,
    takeOver: (struck) => stays(struck, () => 'reject'),
    after: allThere,
  },
  {
    name: 'planned, and given up at a step',
    before: well,
    atStep: true,
    steps: ASKING_STEPS.slice(0, ASKING_STEPS.indexOf('raiseSite')),
    during: atStep(({ standby }) => standby.operator.cancel()),
    takeOver: stays,
    after: allThere,
  },
];
