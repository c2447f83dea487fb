/** The steps of a failover that change something, and the way back from each of them. */
import { executeChild, isCancellation, ParentClosePolicy, sleep } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { FailoverActivities, FailoverSetup, FencedBefore, RaisedHere } from '../activities/failover-types.ts';
import { CLOCK_ALLOWANCE } from '../policy/failover/lease.ts';
import { passedOverTexts } from '../policy/fall-back.ts';
import { WAITING_STEPS } from '../policy/failover/takeover.ts';
import {
  workflowIds,
  type AuditWhat,
  type FailoverResult,
  type FellBack,
  type RestoreInput,
  type RestoreResult,
} from './contract.ts';
import type { Decided } from './failover-plan.ts';
import { failure, told } from './failure.ts';
import { urgentlyOn } from './proxies.ts';
import { restore } from './restore.ts';
import type { Story } from './story.ts';

const ATTEMPTS = 8;

export interface Takeover {
  readonly setup: FailoverSetup;
  readonly decided: Decided;
  /** What was found bad before this plan was made. */
  readonly fellBack: FellBack;
  /** Who has approved it. */
  readonly by: string;
  readonly attestedBy: string;
  /** By which all generations of this run are known. */
  readonly raiseId: string;
  readonly story: Story;
  readonly reached: {
    /** A raise was asked for: it may land late, whatever comes of it. */
    raising: boolean;
    /** The restore was begun: from its own start on the system may run here. */
    restoring: boolean;
    /** That of its first generation counts for all of them; of a planned change it is known before. */
    fence?: FencedBefore;
  };
  readonly audit: (what: AuditWhat, digest: string, about: string) => Promise<void>;
}

export type TakenOver =
  | Extract<RaisedHere, { kind: 'taken' }>
  | {
      readonly kind: 'done';
      readonly done: Pick<FailoverResult, 'ok' | 'why' | 'generation' | 'fence' | 'warnings'>;
    };

/** Throws what a step failed with: `olderCopy` goes on with another backup, or `giveBack` undoes what has been done. */
export async function takeOver(takeover: Takeover): Promise<TakenOver> {
  const { setup, story, reached } = takeover;
  const { system, hosts } = setup;

  // From the moment it is cleared the guards here may start what lies here, which is not restored yet.
  story.begin('hold');
  for (const host of hosts) {
    await urgentlyOn(host, { summary: `hold the stack on ${host}`, attempts: ATTEMPTS }).holdSite({ system });
  }

  const raised = await raise(takeover);
  if (raised.kind === 'taken') return raised;

  story.begin(WAITING_STEPS.fence);
  reached.fence ??= await fenced(takeover);
  return clearAndRestore(takeover, raised, reached.fence);
}

/**
 * The same with another backup, under a generation of its own, since a generation says what its data came from. The site
 * before is fenced already, and since then nobody but this site could run: nothing is waited for.
 */
export async function takeOverAnew(takeover: Takeover): Promise<TakenOver> {
  const { fence } = takeover.reached;
  if (fence === undefined) throw failure('Internal', 'Another backup is taken before the site before was fenced.');
  const raised = await raise(takeover);
  if (raised.kind === 'taken') return raised;
  const evidence = `since generation ${raised.n - 1}, which never ran: ${fence.evidence}`;
  return clearAndRestore(takeover, raised, { ...fence, evidence });
}

async function raise(takeover: Takeover): Promise<RaisedHere> {
  const { setup, decided, fellBack, by, raiseId, audit } = takeover;
  const { plan, origin } = decided;
  const { system, site } = setup;
  takeover.story.begin('raise');
  takeover.reached.raising = true;
  const raised = await onFirst(setup, 'raise the generation').raiseSite({
    ...{ system, n: plan.nextGeneration, origin, digest: plan.digest, by },
    raiseId: fellBack.times === 0 ? raiseId : `${raiseId}/${fellBack.times}`,
  });
  if (raised.kind === 'taken') await releaseAll(setup);
  else await audit('raised', plan.digest, `generation ${raised.n} for ${site}, after ${plan.from.site}`);
  return raised;
}

async function clearAndRestore(
  takeover: Takeover,
  raised: Extract<RaisedHere, { kind: 'raised' }>,
  fence: FencedBefore,
): Promise<TakenOver> {
  const { setup, decided, by, story } = takeover;
  const { system, site } = setup;
  story.begin('clear');
  const clearing = onFirst(setup, 'say that the site before is fenced');
  await clearing.clearSite({ system, n: raised.n, sha256: raised.sha256, by, ...fence });
  await takeover.audit('cleared', decided.plan.digest, `generation ${raised.n}: ${fence.evidence}`);

  story.begin('restore');
  takeover.reached.restoring = true;
  const restored = await restoreAll(takeover, raised.n);
  if (restored.outcome !== 'restored') {
    throw failure('CheckFailed', `The restore ended as ${restored.outcome}: ${restored.why ?? 'no reason given'}`);
  }
  await releaseAll(setup);
  const { why } = restored;
  const warnings = [...new Set([...passedOverTexts(takeover.fellBack.passedOver), ...(restored.warnings ?? [])])];
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

async function fenced({ setup, decided, attestedBy }: Takeover): Promise<FencedBefore> {
  const { site: fromSite } = decided.plan.from;
  const attested = setup.fencing === 'attested' ? { attestedBy } : {};
  return onFirst(setup, `until ${fromSite} is fenced`).awaitFence({ system: setup.system, fromSite, ...attested });
}

function onFirst({ hosts }: FailoverSetup, summary: string) {
  return urgentlyOn(hosts[0] ?? '', { summary, attempts: ATTEMPTS });
}

/** The digest was approved here, with everything else; a safety backup of a site that does not run would keep people waiting. */
async function restoreAll({ setup, decided, fellBack, by }: Takeover, takeover: number): Promise<RestoreResult> {
  const { system } = setup;
  const { plan, backup } = decided;
  const input: RestoreInput = {
    // Another backup than the one that was approved, and written into the generation, is asked for by this workflow.
    ...{ system, whole: true, takeover, skipSafetyBackup: true, fallBacks: 0 },
    ...(backup === undefined ? {} : { backup }),
    ...{ approve: plan.restore.digest, approvedBy: by },
  };
  try {
    return await executeChild(restore, {
      workflowId: workflowIds.restore(system),
      args: fellBack.times === 0 ? [input] : [input, fellBack],
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
  { setup, decided: { plan }, raiseId, story, audit, reached }: Takeover,
  error: unknown,
): Promise<Pick<FailoverResult, 'generation' | 'warnings'>> {
  if (reached.restoring && mayRunHere(error)) {
    story.needsOperator(true);
    const { code, message } = told(error);
    throw failure(code, `Generation ${plan.nextGeneration} stays at ${setup.site}, where it was started: ${message}`);
  }
  const { system, hosts, fencing, leaseSeconds } = setup;
  story.begin('give the generation back');
  // Before a raise was asked for none can come.
  const n = reached.raising ? plan.nextGeneration : plan.from.generation;
  const order = { system, n, raiseId, toSite: plan.from.site, before: plan.from.generation };
  const why = isCancellation(error) ? 'it was cancelled' : told(error).message;
  let back: Awaited<ReturnType<FailoverActivities['takeBack']>>;
  try {
    back = await urgentlyOn(hosts[0] ?? '', { summary: 'give the generation back' }).takeBack({ ...order, why });
  } catch (trouble) {
    story.needsOperator(true);
    const left = `The generation could not be given back (${told(trouble).message}), and no site may run ${system}`;
    throw failure('Unfenced', `${why}. ${left}: \`holdfast site ${system}\` puts it on one.`);
  }
  const { n: now, site } = back;
  // Runs of before were told less.
  const did = (back as Partial<typeof back>).did ?? (now > plan.nextGeneration ? 'given-back' : 'theirs');
  if (did === 'given-back') {
    await audit('taken-back', plan.digest, `generation ${now} for ${site}: ${why}`);
    if (fencing === 'lease') await sleep(leaseSeconds * 1000 * (1 + CLOCK_ALLOWANCE));
  }
  const open = `generation ${plan.nextGeneration} may still be raised by a request that is on its way (${back.why ?? ''})`;
  return {
    generation: { n: now, site },
    warnings: [
      ...(did === 'open' ? [`${open}: look again with \`holdfast site ${system}\``] : []),
      ...(await releaseAll(setup)),
    ],
  };
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
