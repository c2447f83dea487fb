/** A failover whose backups were restored ahead: all that is left is to start them. */
import { CancellationScope, patched } from '@temporalio/workflow';
import type { SystemFacts } from '../activities/types.ts';
import type { Gate } from './approval.ts';
import type { RestoreResult } from './contract.ts';
import { failure, told } from './failure.ts';
import { componentsOn, hostsOf, partOf } from './prepare.ts';
import { urgentlyOn } from './proxies.ts';
import type { Order } from './restore-beside.ts';
import { checkWhatRuns, personWantsTheOldState } from './restore-live.ts';
import { Validation } from './restore-whole.ts';
import type { Story } from './story.ts';

const STARTS_PREPARED = 'restore-starts-prepared';

/** By host the restores that made containers ahead; undefined unless every part of the plan is prepared on its host. */
export type MadeAhead = ReadonlyMap<string, readonly string[]>;

export async function preparedEverywhere({ system, plan }: Order): Promise<MadeAhead | undefined> {
  if (plan.whole === undefined || !patched(STARTS_PREPARED)) return undefined;
  const made = new Map<string, readonly string[]>();
  for (const host of hostsOf(plan)) {
    const parts = componentsOn(plan, host).map((name) => partOf(plan, name));
    const options = { summary: 'is it restored ahead?', attempts: 3 };
    try {
      const there = await urgentlyOn(host, options).preparedThere({ system, parts });
      if ('void' in there) return undefined;
      made.set(host, there.made);
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      // It is restored as if nothing had been prepared.
      return undefined;
    }
  }
  return made;
}

/** There is no older state to go back to: one that does not become healthy is stopped again when a person says so. */
export async function startPrepared(
  { order, facts, made }: { readonly order: Order; readonly facts: SystemFacts; readonly made: MadeAhead },
  story: Story,
  gate: Gate,
): Promise<RestoreResult> {
  const { system, restoreId, plan } = order;
  const beganAt = Date.now();
  const stop = async (): Promise<void> => {
    for (const host of made.keys()) {
      const components = componentsOn(plan, host);
      const noted = { system, components, restoreId, all: true, filled: true };
      await urgentlyOn(host, { summary: 'note what is to start' }).stopForRestore(noted);
    }
  };
  await stop();
  return CancellationScope.nonCancellable(async () => {
    story.begin('start');
    const unhealthy = await open(order, made);
    const downtimeMs = Date.now() - beganAt;
    const validation = new Validation(facts, plan, story);
    const wrong = unhealthy ?? (await validation.run()).wrong;
    const result = { plan, checks: [], aside: [], downtimeMs, durationMs: Date.now() - beganAt };
    const asked = { ...order, limitSeconds: facts.approvalLimitSeconds };
    if (wrong !== undefined && (await personWantsTheOldState(asked, story, gate, wrong))) {
      await stop();
      await stayDown(order, made);
      return { outcome: 'rolled-back', why: wrong, ...result };
    }
    story.begin('check what runs');
    const { checks, warnings } = await checkWhatRuns(
      order,
      plan.components.map(({ name: component }) => ({ component })),
    );
    if (unhealthy !== undefined) throw failure('Unhealthy', `What was restored ahead was started, but ${unhealthy}`);
    const bad = checks.filter(({ ok }) => !ok).map(({ component, detail }) => `${component}: ${detail}`);
    if (wrong !== undefined) bad.unshift(wrong);
    const all = [...warnings, ...validation.warnings()];
    return {
      outcome: 'restored',
      ...result,
      checks,
      durationMs: Date.now() - beganAt,
      ...(bad.length === 0 ? {} : { why: `After the start a check found: ${bad.join('; ')}` }),
      ...(all.length === 0 ? {} : { warnings: all }),
      whole: validation.result([], true),
    };
  });
}

async function open({ system, restoreId }: Order, made: MadeAhead): Promise<string | undefined> {
  for (const [host, alsoMadeBy] of made) {
    try {
      const options = { summary: 'start, and wait for health', attempts: 3 };
      await urgentlyOn(host, options).startAfterRestore({ system, restoreId, alsoMadeBy, all: true });
    } catch (error) {
      return told(error).message;
    }
  }
  return undefined;
}

/** Lets go of what this start has held; the failover holds the stack. */
async function stayDown({ system, restoreId }: Order, made: MadeAhead): Promise<void> {
  for (const host of made.keys()) {
    const letGo = urgentlyOn(host, { summary: 'let the stack go, down', attempts: 3 });
    await letGo.startAfterRestore({ system, restoreId, asBefore: true, stayDown: true });
  }
}
