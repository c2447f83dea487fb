/** Waits until the site before is known not to run any more, as the system file declares. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import { redactText } from '../../observe/redact.ts';
import { fencedFromMs, rememberRenewals, type RenewalSeen } from '../../policy/failover/lease.ts';
import { failoverOf, withAuthority } from '../../sites/authority.ts';
import { bootClockMs } from '../../sites/boot-clock.ts';
import { runProgram } from '../../sources/checks/program.ts';
import { tail } from '../../sources/checks/report.ts';
import type { System } from '../../system/types.ts';
import { renewalsOfOthers } from '../../vault/sites/renewal.ts';
import type { FailoverActivities, FencedBefore } from '../failover-types.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { handOn } from './hand-on.ts';

const LOOK_MS = 1000;

const seenSchema = z.array(
  z.object({
    host: z.string(),
    mark: z.string(),
    firstSeenMs: z.number(),
    times: z.object({ leaseMs: z.number(), stopMs: z.number() }),
  }),
);

export async function awaitFence(
  context: HostContext,
  asked: Parameters<FailoverActivities['awaitFence']>[0],
  run: Run,
): Promise<FencedBefore> {
  const system = await context.system(asked.system);
  const { fencing } = failoverOf(system);
  switch (fencing) {
    case 'lease':
      return { fencing, evidence: await leasesEnd(system, run) };
    case 'confirmed':
      return { fencing, evidence: await confirmed(system, asked.fromSite, run) };
    case 'attested': {
      const { attestedBy, fromSite } = asked;
      if (attestedBy === undefined) throw new HoldfastError('BadInput', `nobody says that ${fromSite} is stopped`);
      return { fencing, evidence: `${attestedBy} takes it upon himself that ${fromSite} is stopped` };
    }
  }
}

/** The renewals are read once, after the raise: what a guard writes later it is refused for. docs/decisions/lease.md */
async function leasesEnd(system: System, run: Run): Promise<string> {
  const memory = handOn<RenewalSeen[]>(run, seenSchema);
  let seen = memory.found;
  if (seen === undefined) {
    run.report({ phase: 'read the renewals of other sites' });
    const read = await withAuthority(system, (authority) => renewalsOfOthers(authority, system.site));
    seen = rememberRenewals([], read, bootClockMs());
    memory.keep(seen);
  }
  const fromMs = fencedFromMs(seen);
  for (let leftMs = fromMs - bootClockMs(); leftMs > 0; leftMs = fromMs - bootClockMs()) {
    run.report({ phase: `the lease of the site before ends in at most ${Math.ceil(leftMs / 1000)} s` });
    await sleep(Math.min(LOOK_MS, leftMs), undefined, { signal: run.signal });
  }
  const [longest] = seen.map(({ times }) => times.leaseMs + times.stopMs).toSorted((one, other) => other - one);
  if (longest === undefined) return 'no guard of another site has ever written a renewal';
  const guards = seen.map(({ host }) => host.replace(/^renewals\//, '')).join(', ');
  return `no lease that was granted before is left: ${Math.round(longest / 1000)} s and a tenth since they were read of ${guards}`;
}

async function confirmed(system: System, fromSite: string, run: Run): Promise<string> {
  const { confirm } = failoverOf(system);
  if (confirm === undefined) {
    throw new HoldfastError('Unfenced', `nothing says whether ${fromSite} is stopped: \`confirm\` has no command`);
  }
  run.report({ phase: `ask whether ${fromSite} is stopped` });
  const [program = ''] = confirm.command;
  const { exitCode, timedOut, output } = await runProgram(confirm.command, {
    timeoutMs: confirm.withinSeconds * 1000,
    signal: run.signal,
    env: { HOLDFAST_SYSTEM: system.name, HOLDFAST_SITE: system.site, HOLDFAST_FROM_SITE: fromSite },
  });
  const said = redactText(tail(output, 300));
  if (exitCode === 0) return `${program} says that ${fromSite} is stopped${said === '' ? '' : `: ${said}`}`;
  const end = timedOut ? `not finished after ${confirm.withinSeconds} s` : `exit ${exitCode ?? 'by a signal'}`;
  throw new HoldfastError('Unfenced', `${program} does not say that ${fromSite} is stopped (${end}): ${said}`);
}
