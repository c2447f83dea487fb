/** The steps of a failover that change something, and the way back from each of them. */
import { executeChild, isCancellation, ParentClosePolicy, sleep } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { FailoverSetup, FencedBefore, RaisedHere } from '../activities/failover-types.ts';
import type { Origin } from '../policy/failover/lineage.ts';
import { CLOCK_ALLOWANCE } from '../policy/failover/lease.ts';
import { WAITING_STEPS } from '../policy/failover/takeover.ts';
import { workflowIds, type AuditWhat, type FailoverPlan, type FailoverResult, type RestoreResult } from './contract.ts';
import { failure, told } from './failure.ts';
import { urgentlyOn } from './proxies.ts';
import { restore } from './restore.ts';
import type { Story } from './story.ts';

const ATTEMPTS = 8;

export interface Takeover {
  readonly setup: FailoverSetup;
  readonly plan: FailoverPlan;
  readonly origin: Origin;
  readonly backup: string | undefined;
  /** Who has approved it. */
  readonly by: string;
  readonly attestedBy: string;
  readonly raiseId: string;
  readonly story: Story;
  /** Whether the restore was begun: from its own start on the system may run here. */
  readonly reached: { restoring: boolean };
  readonly audit: (what: AuditWhat, about: string) => Promise<void>;
}

export type TakenOver =
  | Extract<RaisedHere, { kind: 'taken' }>
  | {
      readonly kind: 'done';
      readonly done: Pick<FailoverResult, 'ok' | 'why' | 'generation' | 'fence' | 'warnings'>;
    };

/** Throws what a step failed with: `giveBack` undoes then what has been done. */
export async function takeOver(takeover: Takeover): Promise<TakenOver> {
  const { setup, plan, story, by } = takeover;
  const { system, hosts, site } = setup;
  const first = hosts[0] ?? '';

  // From the moment it is cleared the guards here may start what lies here, which is not restored yet.
  story.begin('hold');
  for (const host of hosts) {
    await urgentlyOn(host, { summary: `hold the stack on ${host}`, attempts: ATTEMPTS }).holdSite({ system });
  }

  story.begin('raise');
  const raised = await urgentlyOn(first, { summary: 'raise the generation', attempts: ATTEMPTS }).raiseSite({
    ...{ system, n: plan.nextGeneration, raiseId: takeover.raiseId, origin: takeover.origin, digest: plan.digest },
    by,
  });
  if (raised.kind === 'taken') {
    await releaseAll(setup);
    return raised;
  }
  await takeover.audit('raised', `generation ${raised.n} for ${site}, after ${plan.from.site}`);

  story.begin(WAITING_STEPS.fence);
  const fence = await fenced(takeover, first);

  story.begin('clear');
  const clearing = urgentlyOn(first, { summary: 'say that the site before is fenced', attempts: ATTEMPTS });
  await clearing.clearSite({ system, n: raised.n, sha256: raised.sha256, by, ...fence });
  await takeover.audit('cleared', `generation ${raised.n}: ${fence.evidence}`);

  story.begin('restore');
  takeover.reached.restoring = true;
  const restored = await restoreAll(takeover, raised.n);
  if (restored.outcome !== 'restored') {
    throw failure('CheckFailed', `The restore ended as ${restored.outcome}: ${restored.why ?? 'no reason given'}`);
  }
  await releaseAll(setup);
  const { why, warnings = [] } = restored;
  return {
    kind: 'done',
    done: {
      ok: why === undefined,
      ...(why === undefined ? {} : { why }),
      generation: { n: raised.n, site },
      fence,
      warnings,
    },
  };
}

async function fenced({ setup, plan, attestedBy }: Takeover, host: string): Promise<FencedBefore> {
  const waiting = urgentlyOn(host, { summary: `until ${plan.from.site} is fenced`, attempts: ATTEMPTS });
  const attested = setup.fencing === 'attested' ? { attestedBy } : {};
  return waiting.awaitFence({ system: setup.system, fromSite: plan.from.site, ...attested });
}

/** The digest was approved here, with everything else; a safety backup of a site that does not run would keep people waiting. */
async function restoreAll({ setup, plan, backup, by }: Takeover, takeover: number): Promise<RestoreResult> {
  const { system } = setup;
  try {
    return await executeChild(restore, {
      workflowId: workflowIds.restore(system),
      args: [
        {
          // Another backup than the one that was approved, and written into the generation, is another failover.
          ...{ system, whole: true, takeover, skipSafetyBackup: true, fallBacks: 0 },
          ...(backup === undefined ? {} : { backup }),
          ...{ approve: plan.restore.digest, approvedBy: by },
        },
      ],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: `restore of ${system} by its failover`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw failure('SystemBusy', `A restore of ${system} runs at this site already.`);
  }
}

/**
 * After a failure: the generation goes back to the site before, and only then, and once no lease of this site is left, the
 * guards here may act again. Throws the failure itself when the system may have been started here: then a person decides.
 */
export async function giveBack(
  { setup, plan, raiseId, story, audit, reached }: Takeover,
  error: unknown,
): Promise<Pick<FailoverResult, 'generation' | 'warnings'>> {
  if (reached.restoring && mayRunHere(error)) {
    story.needsOperator(true);
    const { code, message } = told(error);
    throw failure(code, `Generation ${plan.nextGeneration} stays at ${setup.site}, where it was started: ${message}`);
  }
  const { system, hosts, fencing, leaseSeconds } = setup;
  story.begin('give the generation back');
  const order = { system, n: plan.nextGeneration, raiseId, toSite: plan.from.site, before: plan.from.generation };
  const why = isCancellation(error) ? 'it was cancelled' : told(error).message;
  let generation: { n: number; site: string };
  try {
    const there = urgentlyOn(hosts[0] ?? '', { summary: 'give the generation back' });
    generation = await there.takeBack({ ...order, why });
  } catch (trouble) {
    story.needsOperator(true);
    const left = `The generation could not be given back (${told(trouble).message}), and no site may run ${system}`;
    throw failure('Unfenced', `${why}. ${left}: \`holdfast site ${system}\` puts it on one.`);
  }
  if (generation.n > plan.nextGeneration) {
    await audit('taken-back', `generation ${generation.n} for ${generation.site}: ${why}`);
    if (fencing === 'lease') await sleep(leaseSeconds * 1000 * (1 + CLOCK_ALLOWANCE));
  }
  return { generation, warnings: await releaseAll(setup) };
}

/** A restore says so when it has been started and is not healthy; one that was ended by force says nothing. */
function mayRunHere(error: unknown): boolean {
  if (isCancellation(error)) return false;
  return ['Unhealthy', 'Internal'].includes(told(error).code);
}

/** Never throws: what is still held is told. */
async function releaseAll({ system, hosts }: FailoverSetup): Promise<string[]> {
  const left: string[] = [];
  for (const host of hosts) {
    try {
      const there = urgentlyOn(host, { summary: `let ${host} go`, attempts: 5 });
      await there.releaseSite({ system });
    } catch (error) {
      left.push(`the stack on ${host} is still held: ${told(error).message}`);
    }
  }
  return left;
}
