/** One failover under one fault, and what has to be true at its end. Then the sites have changed places. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FailoverResult } from '../../src/workflows/failover-contract.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import { ask, type Bed } from './bed.ts';
import type { Fault, Struck } from './faults.ts';
import { PORT, SYSTEM, type Site } from './site.ts';
import { LEASE_SECONDS, STOP_SECONDS } from './texts.ts';
import { overlaps } from './watch.ts';

const LIMIT_MS = 240_000;
/** From its waking until a guard has looked, and the stack is down: its look, and the stop time. */
const WAKING_MS = STOP_SECONDS * 1000 + 5000;
/** Records between one thing that happens and the next. */
const A_FEW = 15;

export interface Round {
  readonly fault: string;
  readonly outcome: FailoverResult['outcome'];
  /** Acknowledged and not there, all of them younger than what was said to be lost. */
  readonly lost: number;
  readonly result: FailoverResult;
  /** Both at the same moment, where a machine had slept. */
  readonly afterSleepMs: number;
}

export interface Drawn {
  readonly fault: Fault;
  /** See Struck. */
  readonly part: number;
}

/** Throws with what did not hold. `active` and `standby` are what they are when it begins. */
export async function playRound(
  bed: Bed,
  { active, standby }: Pick<Struck, 'active' | 'standby'>,
  { fault, part }: Drawn,
  over: AbortSignal,
): Promise<Round> {
  await more(bed, A_FEW);
  await ask(active, 'backup', SYSTEM, 'all');
  await more(bed, A_FEW);
  const ended = new AbortController();
  const until = AbortSignal.any([ended.signal, over]);
  const struck: Struck = { bed, active, standby, part, signal: until };
  await fault.before(struck);
  const beside = fault.during?.(struck) ?? Promise.resolve();
  // Heard below, and not before the failover has ended.
  beside.catch(() => undefined);
  let result: FailoverResult;
  try {
    result = await takeOver(standby, fault);
  } finally {
    ended.abort();
    await beside;
  }
  const now = result.outcome === 'done' ? standby : active;
  if (result.outcome === 'done' && fault.sleeps !== true) await stopsItself(active, fault);
  const lost = await compare(bed, standby, result);
  await mend(bed, fault, active);
  if (result.outcome === 'done') await staysDown(active);
  await serves(bed, now);
  const both = overlaps(bed.watches[0].intervals(), bed.watches[1].intervals());
  const afterSleepMs = fault.sleeps === true ? Math.max(0, ...both.map(({ ms }) => ms)) : 0;
  if (both.length > 0 && (fault.sleeps !== true || afterSleepMs > WAKING_MS))
    throw new Error(`two sites were active: ${JSON.stringify(both)}`);
  bed.forgetTimes();
  return { fault: fault.name, outcome: result.outcome, lost, result, afterSleepMs };
}

/** Asks again when it was refused or rolled back while the fault went on: that is an answer, and nothing was changed. */
async function takeOver(standby: Site, fault: Fault): Promise<FailoverResult> {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const result = await once(standby);
    const isLeft = result.outcome === 'refused' && result.assessment?.state === 'up';
    if (fault.isUp === 'always' && !isLeft) {
      throw new Error(`a site that is up was not left alone: ${JSON.stringify(result).slice(0, 2000)}`);
    }
    if (result.outcome === 'done' || (isLeft && fault.isUp !== undefined)) return result;
    if (Date.now() > end) throw new Error(`it never took over: ${JSON.stringify(result).slice(0, 2000)}`);
    await sleep(500);
  }
}

async function once(standby: Site): Promise<FailoverResult> {
  const asked = await standby.holdfast.run('failover', SYSTEM, '--json');
  const first = parse(asked);
  if (asked.code !== 2 || first.outcome !== 'waiting') return first as FailoverResult;
  const digest = first.plan?.digest ?? '';
  return parse(
    await standby.holdfast.run('approve', SYSTEM, digest, '--by', 'operator', '--watch', '--json'),
  ) as FailoverResult;
}

interface Told {
  readonly outcome: string;
  readonly plan?: { readonly digest: string };
}

/** What can't be read is no answer: the command was killed, or the engine below it. It is asked again. */
function parse({ stdout, stderr, code }: { stdout: string; stderr: string; code: number | null }): Told {
  try {
    return JSON.parse(stdout) as Told;
  } catch {
    return { outcome: 'refused', reasons: [`exit ${code ?? 'by a signal'}: ${stderr.slice(-500)}`] } as Told;
  }
}

/** Whoever was active before is down, whether or not anything reaches it. */
async function stopsItself(site: Site, fault: Fault): Promise<void> {
  if (!site.isOn) return;
  const limitMs = (LEASE_SECONDS + STOP_SECONDS) * 1000 + 30_000;
  await waitFor(`${site.name} to stop itself (${fault.name})`, limitMs, async () =>
    (await isDown(site)) ? true : undefined,
  );
}

async function isDown(site: Site): Promise<boolean> {
  return (await site.docker.listContainers()).length === 0;
}

/** It comes back, hears of the newer generation, and does nothing. */
async function staysDown(site: Site): Promise<void> {
  await waitFor(`${site.name} to know that it is not active`, LIMIT_MS, async () => {
    const { stdout } = await site.holdfast.run('site', SYSTEM, '--json');
    return /"kind": ?"elsewhere"/.test(stdout) ? true : undefined;
  });
  await sleep(1500);
  if (!(await isDown(site))) throw new Error(`${site.name} runs its stack although the system is elsewhere`);
}

async function mend(bed: Bed, fault: Fault, active: Site): Promise<void> {
  await bed.net.heal();
  bed.store.away(false);
  if (fault.sleeps === true) {
    bed.watchOf(active).woke();
    active.wake();
    await waitFor(`${active.name} to stop itself after its sleep`, 60_000, async () =>
      (await isDown(active)) ? true : undefined,
    );
  }
  await bed.boot(active);
}

/** What was acknowledged before the recovery point that the plan names is there. */
async function compare(bed: Bed, standby: Site, { outcome, plan }: FailoverResult): Promise<number> {
  if (outcome !== 'done' || plan === undefined) return 0;
  const there = new Set(await idsAt(standby));
  const pointAtMs = Date.parse(plan.copy.pointAt);
  const missing = (await bed.acknowledged()).filter(({ id }) => !there.has(id) && !bed.lostBefore.has(id));
  const owed = missing.filter(({ at }) => at < pointAtMs);
  if (owed.length > 0) {
    throw new Error(
      `acknowledged before ${plan.copy.pointAt}, and not there: ${owed
        .slice(0, 5)
        .map(({ id }) => id)
        .join()}`,
    );
  }
  for (const { id } of missing) bed.lostBefore.add(id);
  return missing.length;
}

async function idsAt(site: Site): Promise<number[]> {
  return JSON.parse(await site.machine.run('curl', '-sS', `http://127.0.0.1:${PORT}/workflows`)) as number[];
}

/** The name leads to a site that takes records. */
async function serves(bed: Bed, site: Site): Promise<void> {
  await waitFor(`the name to lead to ${site.name}`, LIMIT_MS, () =>
    Promise.resolve(bed.leadsTo === site.machine.address ? true : undefined),
  );
  await more(bed, A_FEW);
}

async function more(bed: Bed, count: number): Promise<void> {
  const goal = (await bed.acknowledged()).length + count;
  await waitFor(`${count} more records`, LIMIT_MS, async () =>
    (await bed.acknowledged()).length >= goal ? true : undefined,
  );
}
