/** The last backup of a system whose stack is stopped for another site, for as long as that still wants it. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { CancellationScope, executeChild, sleep } from '@temporalio/workflow';
import type { HandoverOf, LastBackupMade } from '../activities/handover-types.ts';
import { backup } from './backup.ts';
import { workflowIds } from './contract.ts';
import { failure } from './failure.ts';
import { urgentlyOn } from './proxies.ts';
import type { Story } from './story.ts';
import { verify } from './verify.ts';

export type LastBackups = readonly LastBackupMade[];

interface Wanted extends HandoverOf {
  readonly host: string;
  readonly plans: readonly string[];
}

const WATCH_SECONDS = 20 * 60;
const AGAIN_MS = 5000;
/** Of the same plan, begun before the stack was stopped. */
const TRIES = 60;

/** Ended as soon as whoever has asked wants it no more. Throws what a backup fails with. */
export async function lastBackups(
  wanted: Wanted,
  story: Story,
): Promise<{ readonly made: LastBackups } | { readonly withdrawn: string }> {
  const scope = new CancellationScope();
  const making = scope.run(async () => ({ made: await makeAll(wanted, story) }));
  const watching = scope.run(() => untilAnswered(wanted));
  try {
    return await Promise.race([making, watching]);
  } finally {
    scope.cancel();
    await CancellationScope.nonCancellable(() => Promise.allSettled([making, watching]));
  }
}

async function makeAll({ system, plans }: Wanted, story: Story): Promise<LastBackups> {
  const made: (LastBackupMade & { readonly store?: string; readonly isRead: boolean })[] = [];
  for (const plan of plans) made.push(await make(system, plan));
  story.begin('prove it');
  for (const { plan, backup: id, store, isRead } of made) {
    if (isRead) continue;
    const { ok, bad } = await executeChild(verify, {
      workflowId: workflowIds.verify(system, id),
      args: [{ system, backup: id, plan, level: 'content', ...(store === undefined ? {} : { store }) }],
      staticSummary: `${system}: is the last backup of ${plan} whole?`,
    });
    if (!ok) throw failure('CheckFailed', `The last backup ${id} of ${plan} is not whole: ${bad[0]?.what ?? ''}`);
  }
  return made.map(({ plan, backup: id, pointAt }) => ({ plan, backup: id, pointAt }));
}

async function make(
  system: string,
  plan: string,
): Promise<LastBackupMade & { readonly store?: string; readonly isRead: boolean }> {
  for (let tried = 1; ; tried += 1) {
    const result = await begin(system, plan);
    if (result?.outcome === 'done' && result.backup !== undefined && result.pointAt !== undefined) {
      const { backup: id, pointAt, store, verified } = result;
      const isRead = verified?.level === 'content' && verified.ok;
      return { plan, backup: id, pointAt, isRead, ...(store === undefined ? {} : { store }) };
    }
    if (tried >= TRIES) throw failure('SystemBusy', `Another backup of ${plan} does not end: no last one can be made.`);
    await sleep(AGAIN_MS, { summary: `a backup of ${plan} that was begun before` });
  }
}

/** Undefined: one of that name runs, which was begun before the stack was stopped. */
async function begin(system: string, plan: string) {
  try {
    return await executeChild(backup, {
      workflowId: workflowIds.backup(system, plan),
      args: [{ system, plan, tag: 'handover' }],
      staticSummary: `${system}: the last backup of ${plan} before another site takes over`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return undefined;
  }
}

async function untilAnswered({ system, n, attempt, host }: Wanted): Promise<{ readonly withdrawn: string }> {
  for (;;) {
    const { answer, generation } = await urgentlyOn(host, { summary: 'is it still wanted?' }).awaitHandover({
      ...{ system, n, attempt, whileIt: 'unanswered', forSeconds: WATCH_SECONDS },
    });
    if (answer !== undefined) return { withdrawn: answer.why ?? `it was ${answer.outcome}` };
    if (generation.n >= n) return { withdrawn: `generation ${generation.n} is at ${generation.site}` };
  }
}
