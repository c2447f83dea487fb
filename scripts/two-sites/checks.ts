/** What has to be true at the end of every round, whatever struck it. */
import type { FailoverResult } from '../../src/workflows/contract.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import type { Bed } from './bed.ts';
import type { Fault } from './fault.ts';
import { ledAstray } from './names-watch.ts';
import { PORT, type Site } from './site.ts';
import { STOP_SECONDS } from './texts.ts';
import type { Acknowledged } from './users.ts';
import { overlaps } from './watch.ts';

const LIMIT_MS = 120_000;
/** From its waking until a guard has looked, and the stack is down: its look, and the stop time. */
const WAKING_MS = STOP_SECONDS * 1000 + 5000;

/** Never two active sites. Returns for how many milliseconds both ran where a machine had slept. */
export function keptApart(bed: Bed, fault: Fault): number {
  const both = overlaps(bed.watches[0].intervals(), bed.watches[1].intervals());
  const afterSleepMs = fault.sleeps === true ? Math.max(0, ...both.map(({ ms }) => ms)) : 0;
  if (both.length > 0 && (fault.sleeps !== true || afterSleepMs > WAKING_MS))
    throw new Error(`two sites were active: ${JSON.stringify(both)}`);
  return afterSleepMs;
}

/** Whenever the name was led elsewhere in this round, the stack there was healthy. */
export function mustLead(bed: Bed): void {
  const healthy = bed.sites.flatMap((site) =>
    bed
      .watchOf(site)
      .healthy()
      .map((times) => ({ ...times, address: site.machine.address })),
  );
  const [first] = ledAstray(bed.names.led, healthy);
  if (first !== undefined) {
    throw new Error(
      `the name was led to ${first.to} at ${new Date(Number(first.atNs / 1_000_000n)).toISOString()}, and nothing healthy was there`,
    );
  }
}

/** What was acknowledged before the recovery point that the plan names is there. Returns how many younger ones are not. */
export async function compare(bed: Bed, site: Site, { outcome, plan }: FailoverResult): Promise<number> {
  if (outcome !== 'done' || plan === undefined) return 0;
  const pointAtMs = Date.parse(plan.copy.pointAt);
  const missing = await missingAt(bed, site);
  const owed = missing.filter(({ at }) => at < pointAtMs).map(({ id }) => id);
  if (owed.length > 0) {
    throw new Error(`acknowledged before ${plan.copy.pointAt}, and not there: ${owed.slice(0, 5).join()}`);
  }
  for (const { id } of missing) bed.lostBefore.add(id);
  return missing.length;
}

/** What was acknowledged until now, is not there, and was not lost before. */
export async function missingAt(bed: Bed, site: Site): Promise<Acknowledged[]> {
  // First: what is acknowledged while the site tells its records may not be among them.
  const acknowledged = [...bed.users.acknowledged()];
  const there = new Set(await idsAt(site));
  return acknowledged.filter(({ id }) => !there.has(id) && !bed.lostBefore.has(id));
}

export async function isDown(site: Site): Promise<boolean> {
  return (await site.docker.listContainers()).length === 0;
}

async function idsAt(site: Site): Promise<number[]> {
  const url = `http://127.0.0.1:${PORT}/workflows`;
  // On a crowded machine a lease may be lost, and the stack comes back a little later.
  return waitFor(`${site.name} to tell its records`, LIMIT_MS, async () => {
    const text = await site.machine.run('curl', '-sS', url).catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as number[]);
  });
}
