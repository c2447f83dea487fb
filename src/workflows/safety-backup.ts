/** Keeps what a restore is about to replace, as it is: raw, best effort, never counted as newest, fresh or proved. */
import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { CaptureGroup, SystemFacts } from '../activities/types.ts';
import type { RestorePlan } from './contract.ts';
import { captureGroups, silenceOf } from './capture.ts';
import { told } from './failure.ts';
import { onHost } from './proxies.ts';

const PLAN = 'safety';

/** Never throws but for cancellation: what went wrong is a warning in the restore's result. */
export async function safetyBackup(
  plan: RestorePlan,
  facts: SystemFacts,
): Promise<{ backup?: string; warnings: string[] }> {
  const groups = groupsOf(plan, facts);
  const first = groups[0];
  if (first === undefined) return { warnings: ['No safety backup: nothing of what is restored exists at present.'] };
  const { system } = facts;
  const { store } = plan;
  const host = onHost(first.host, { summary: 'safety backup', patience: 'brief', silentSeconds: silenceOf(facts) });
  try {
    const ticket = await host.beginCapture({
      system,
      plan: PLAN,
      store,
      captureId: `${workflowInfo().runId}-safety`,
      startedAtMs: Date.now(),
    });
    try {
      const order = { ...facts, store, ticket, groups, purpose: 'safety', patience: 'brief' } as const;
      const { components, freezes, warnings } = await captureGroups(order);
      const committed = await host.commitCapture({ system, store, ticket, purpose: 'safety', components, freezes });
      return { backup: ticket.backupId, warnings: [...warnings, ...(committed.warnings ?? [])] };
    } catch (error) {
      await CancellationScope.nonCancellable(() =>
        onHost(first.host, { patience: 'brief', giveUpAfterSeconds: silenceOf(facts) })
          .abandonCapture({ system, store, ticket })
          .catch(() => undefined),
      );
      throw error;
    }
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { warnings: [`No safety backup could be taken: ${told(error).message}`] };
  }
}

/** What asks to be quieted is captured in one freeze a host, as its most careful component asks; the rest as it runs. */
function groupsOf(plan: RestorePlan, facts: SystemFacts): CaptureGroup[] {
  const live = plan.components.filter(({ liveExists }) => liveExists);
  return [...new Set(live.map(({ host }) => host))].flatMap((host) => {
    const here = live.filter((component) => component.host === host).map(({ name }) => name);
    const known = facts.components.filter(({ name }) => here.includes(name));
    const asking = known.flatMap(({ name, quiesce }) =>
      quiesce === undefined || quiesce.mode === 'none' ? [] : [{ name, quiesce }],
    );
    const asked = asking.map(({ name }) => name);
    const rest = here.filter((name) => !asked.includes(name));
    const mode = asking.some(({ quiesce }) => quiesce.mode === 'stop') ? 'stop' : 'pause';
    const budgetSeconds = Math.max(0, ...asking.map(({ quiesce }) => quiesce.budgetSeconds));
    const quiet: CaptureGroup = { host, components: asked, quiesce: { mode, budgetSeconds } };
    const running: CaptureGroup = { host, components: rest, quiesce: { mode: 'none', budgetSeconds: 0 } };
    return [quiet, running].filter(({ components }) => components.length > 0);
  });
}
