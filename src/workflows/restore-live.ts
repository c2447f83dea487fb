/** Puts checked copies in the place of the live state: stop, swap, start, commit; and back again when it fails. */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Beside } from '../sources/kinds/component.ts';
import type { Gate } from './approval.ts';
import { failure, told } from './failure.ts';
import { onHost, onHostForEver, urgentlyOn } from './proxies.ts';
import { discardAll, hostOf, leaveOut, mayFail, type Checks, type Left, type Order } from './restore-beside.ts';
import { bringLate } from './restore-late.ts';
import type { Story } from './story.ts';

export interface LiveOrder extends Order {
  readonly besides: readonly Beside[];
  /** How long a person is waited for when the restored system does not become healthy. */
  readonly limitSeconds: number;
  /** What is asked of the system when it is open again; it says what is wrong, if anything is. */
  readonly validate?: () => Promise<{ readonly wrong?: string }>;
}

export interface Replaced {
  readonly outcome: 'restored' | 'rolled-back';
  readonly why?: string;
  readonly checks: Checks;
  readonly aside: readonly string[];
  readonly downtimeMs: number;
  readonly warnings: readonly string[];
  /** What could not be swapped in and was left as it was. */
  readonly left: readonly Left[];
}

export type Undo = () => Promise<void>;

/**
 * Before the system is opened again every failure, and a cancel, puts the old state back and starts it. Opening it is the
 * point of no return: from then on new data is written, so that only a person's word brings the old state back.
 */
export async function replaceLive(order: LiveOrder, story: Story, gate: Gate): Promise<Replaced> {
  const stoppedAt = Date.now();
  const undo: Undo[] = [];
  const swapped: Swapped = { besides: [...order.besides], left: [], checks: [] };
  try {
    await stopAndSwap(order, story, undo, swapped);
  } catch (error) {
    story.fail(told(error).message);
    const left = await CancellationScope.nonCancellable(() => rollBack(order, undo, swapped));
    if (isCancellation(error)) throw error;
    return rolledBack(told(error).message, Date.now() - stoppedAt, left);
  }
  return CancellationScope.nonCancellable(async () => {
    try {
      return await openAndCommit(order, story, gate, { undo, swapped, stoppedAt });
    } catch (error) {
      if (order.takeover !== true) throw error;
      // Whatever it was: the system may run here, and who takes it over must not give it back.
      throw failure('Unhealthy', `After its start: ${told(error).message}`);
    }
  });
}

/** What is taken into use, and what turned out not to be. */
export interface Swapped {
  readonly besides: Beside[];
  readonly left: Left[];
  /** Of what was restored into servers that came back with their stack. */
  readonly checks: Checks[number][];
}

async function stopAndSwap(order: LiveOrder, story: Story, undo: Undo[], swapped: Swapped): Promise<void> {
  const { system, restoreId, besides } = order;

  story.begin('stop');
  for (const host of hostsOf(order)) {
    // Registered before the step: it may have stopped something even if its word never comes back.
    undo.push(() => startAgain(order, host));
    await urgentlyOn(host, { summary: 'stop what uses the data', attempts: 8 }).stopForRestore({
      system,
      components: componentsOn(order, host),
      restoreId,
      ...(order.takeover === true ? { all: true } : {}),
    });
  }

  story.begin('swap in');
  await swapAll(order, besides, undo, swapped);
  swapped.checks.push(...(await bringLate(order, story, undo, swapped)));
}

/** What may be left out, and can't be swapped in, is left as it was. What this does is undone by `undo`, last first. */
export async function swapAll(order: Order, besides: readonly Beside[], undo: Undo[], swapped: Swapped): Promise<void> {
  const { system } = order;
  for (const beside of besides) {
    const host = hostOf(order.plan, beside.component);
    undo.push(() => onHostForEver(host, `put ${beside.component} back`).swapBack({ system, beside }));
    try {
      await onHost(host, { summary: `swap in ${beside.component}`, patience: 'sparing' }).swapIn({ system, beside });
    } catch (error) {
      if (isCancellation(error) || !mayFail(order.plan, beside.component)) throw error;
      await CancellationScope.nonCancellable(async () => undo.pop()?.());
      swapped.left.push(await leaveOut(order, swapped.besides, beside.component, told(error).message));
    }
  }
}

async function openAndCommit(
  order: LiveOrder,
  story: Story,
  gate: Gate,
  { undo, swapped, stoppedAt }: { undo: readonly Undo[]; swapped: Swapped; stoppedAt: number },
): Promise<Replaced> {
  story.begin('start');
  const unhealthy = await open(order);
  const downtimeMs = Date.now() - stoppedAt;
  const wrong = unhealthy ?? (await order.validate?.())?.wrong;
  if (wrong !== undefined && (await personWantsTheOldState(order, story, gate, wrong))) {
    await stopOnceMore(order);
    return rolledBack(wrong, Date.now() - stoppedAt, await rollBack(order, undo, swapped));
  }

  story.begin('check what runs');
  const { checks, warnings } = await checkWhatRuns(order, swapped.besides);

  story.begin('keep the old state aside');
  const aside: string[] = [];
  for (const beside of swapped.besides) {
    const host = onHostForEver(hostOf(order.plan, beside.component), `commit ${beside.component}`);
    const kept = await host.commitRestore({ system: order.system, beside, keep: true });
    if (kept.aside !== undefined) aside.push(kept.aside);
  }
  if (unhealthy !== undefined) {
    throw failure('Unhealthy', `The data was restored, but ${unhealthy}`, { aside });
  }
  const bad = checks.filter(({ ok }) => !ok).map(({ component, detail }) => `${component}: ${detail}`);
  if (wrong !== undefined) bad.unshift(wrong);
  return {
    outcome: 'restored',
    ...(bad.length === 0 ? {} : { why: `After the start a check found: ${bad.join('; ')}` }),
    checks: [...swapped.checks, ...checks],
    aside,
    downtimeMs,
    warnings,
    left: swapped.left,
  };
}

/** Starts what was stopped. Returns what is wrong when it does not become healthy. */
async function open({ system, restoreId, ...order }: LiveOrder): Promise<string | undefined> {
  for (const host of hostsOf(order)) {
    try {
      await urgentlyOn(host, { summary: 'start, and wait for health', attempts: 3 }).startAfterRestore({
        system,
        restoreId,
        ...(order.takeover === true ? { all: true } : {}),
      });
    } catch (error) {
      return told(error).message;
    }
  }
  return undefined;
}

export async function personWantsTheOldState(
  order: Order & Pick<LiveOrder, 'limitSeconds'>,
  story: Story,
  gate: Gate,
  unhealthy: string,
): Promise<boolean> {
  story.needsOperator(true);
  const note = [
    `The restored system was started and is not healthy: ${unhealthy}`,
    '',
    `Reject to put the old state back; approve digest \`${order.plan.digest}\` to keep what was restored.`,
  ].join('\n');
  const answer = await gate.ask(order.plan.digest, 'a decision: keep or roll back', note, order.limitSeconds);
  story.needsOperator(false);
  return answer.kind === 'rejected';
}

async function stopOnceMore(order: LiveOrder): Promise<void> {
  const { system, restoreId } = order;
  for (const host of hostsOf(order)) {
    const components = componentsOn(order, host);
    const all = order.takeover === true ? { all: true } : {};
    await urgentlyOn(host, { summary: 'stop to roll back' }).stopForRestore({ system, components, restoreId, ...all });
  }
}

/** Last done, first undone; one that fails keeps none of the others from being tried. Returns what is left to do. */
export async function rollBack(order: Order, undo: readonly Undo[], swapped: Swapped): Promise<string[]> {
  const left: string[] = [];
  for (const step of undo.toReversed()) {
    try {
      await step();
    } catch (error) {
      left.push(told(error).message);
    }
  }
  const copies = await discardAll(order, swapped.besides);
  return [...left, ...copies.map((place) => `The copy ${place} could not be removed.`)];
}

async function startAgain({ system, restoreId, takeover }: LiveOrder, host: string): Promise<void> {
  // Bounded: what was broken before the restore may well not become healthy now.
  await urgentlyOn(host, { summary: 'start again', attempts: 3 }).startAfterRestore({
    system,
    restoreId,
    asBefore: true,
    // The system goes back to the site before: what lay here is not what anybody lives by.
    ...(takeover === true ? { stayDown: true } : {}),
  });
}

export async function checkWhatRuns(
  order: Order,
  besides: readonly Pick<Beside, 'component'>[],
): Promise<{ checks: Checks; warnings: string[] }> {
  const checks: Checks[number][] = [];
  const warnings: string[] = [];
  for (const { component } of besides) {
    const host = onHost(hostOf(order.plan, component), { summary: `look at ${component}`, patience: 'brief' });
    try {
      const report = await host.checkLive({ system: order.system, components: [component] });
      checks.push(...report.checks.map((check) => ({ component, ...check })));
    } catch (error) {
      warnings.push(`${component} could not be looked at after the start: ${told(error).message}`);
    }
  }
  return { checks, warnings };
}

function rolledBack(why: string, downtimeMs: number, warnings: readonly string[]): Replaced {
  return { outcome: 'rolled-back', why, checks: [], aside: [], downtimeMs, warnings, left: [] };
}

function hostsOf(order: Pick<LiveOrder, 'besides' | 'plan'>): string[] {
  return [...new Set(order.besides.map(({ component }) => hostOf(order.plan, component)))];
}

function componentsOn(order: LiveOrder, host: string): string[] {
  return order.besides.map(({ component }) => component).filter((component) => hostOf(order.plan, component) === host);
}
