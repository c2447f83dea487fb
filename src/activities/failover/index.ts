/** What a failover asks of the hosts of the site that takes over, joined to what surrounds an activity. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failoverOf } from '../../sites/authority.ts';
import { FAILOVER_HOLD, holdStack, releaseStack } from '../../sites/holds.ts';
import type { FailoverActivities } from '../failover-types.ts';
import type { HostContext } from '../host-context.ts';
import { activity, type Run } from '../shell.ts';
import { runCommand } from '../validation/command.ts';
import { askPage } from '../validation/http.ts';
import { assessSite } from './assess.ts';
import { awaitFence } from './fence.ts';
import { gatherFailover } from './gather.ts';
import { clearSite, raiseSite, takeBack } from './generations.ts';
import { keepFailover } from './keep.ts';

const PAUSE_MS = 1000;

export function createFailoverActivities(context: HostContext): FailoverActivities {
  return {
    assessSite: activity('assessSite', (input, run) => assessSite(context, input, run)),
    gatherFailover: activity('gatherFailover', (input, run) => gatherFailover(context, input, run)),
    holdSite: activity('holdSite', ({ system }, { asker }) => holdStack(system, FAILOVER_HOLD, asker?.execution)),
    releaseSite: activity('releaseSite', ({ system }) => releaseStack(system, FAILOVER_HOLD)),
    raiseSite: activity('raiseSite', (input) => raiseSite(context, input)),
    awaitFence: activity('awaitFence', (input, run) => awaitFence(context, input, run)),
    clearSite: activity('clearSite', (input) => clearSite(context, input)),
    takeBack: activity('takeBack', (input) => takeBack(context, input)),
    checkPublic: activity('checkPublic', (input, run) => checkPublic(context, input, run)),
    keepFailover: activity('keepFailover', (input) => keepFailover(context, input)),
  };
}

async function checkPublic(
  context: HostContext,
  { system: name }: { system: string },
  run: Run,
): Promise<{ ok: boolean; detail: string }> {
  const system = await context.system(name);
  const { check } = failoverOf(system);
  if (check === undefined) return { ok: true, detail: 'nothing is declared' };
  const until = performance.now() + check.withinSeconds * 1000;
  for (;;) {
    const { probe } = check;
    const seen =
      probe.kind === 'http'
        ? await askPage(probe, probe.url, run.signal)
        : await runCommand(context, { system, probe, limitMs: check.withinSeconds * 1000 }, run.signal).then(
            ({ exitCode }) => ({ ok: exitCode === 0, detail: `exit ${exitCode ?? 'by a signal'}` }),
          );
    if (seen.ok || performance.now() > until) return seen;
    run.report({ phase: `through the public name: ${seen.detail}` });
    await sleep(PAUSE_MS, undefined, { signal: run.signal });
  }
}
