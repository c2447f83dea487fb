/** Databases whose server comes back with its stack: restored when that is in place and up, before the rest is started. */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Beside } from '../sources/kinds/component.ts';
import { failure, told } from './failure.ts';
import { onHost, onHostForEver, urgentlyOn } from './proxies.ts';
import { bringOne, checkOne, discardAll, hostOf, isLate, mayFail, type Checks, type Order } from './restore-beside.ts';
import type { Swapped, Undo } from './restore-live.ts';
import type { Story } from './story.ts';

/** Returns what the checks of these databases said. What it does is undone by `undo`, last first. */
export async function bringLate(order: Order, story: Story, undo: Undo[], swapped: Swapped): Promise<Checks> {
  const late = (order.plan.servers ?? []).filter(({ component }) => isLate(order, component));
  if (late.length === 0) return [];
  const names = late.map(({ component }) => component);

  story.begin('start the database servers');
  for (const host of new Set(names.map((name) => hostOf(order.plan, name)))) {
    const components = names.filter((name) => hostOf(order.plan, name) === host);
    const { system, restoreId } = order;
    // Registered before the step: it may have started something even if its word never comes back.
    undo.push(() =>
      urgentlyOn(host, { summary: 'stop the database servers' }).stopServers({ system, components, restoreId }),
    );
    await urgentlyOn(host, { summary: 'start the database servers', attempts: 3 }).startServers({ system, components });
  }

  story.begin('restore into them');
  const checks: Checks[number][] = [];
  for (const name of names) {
    undo.push(() => takeBack(order, name));
    try {
      checks.push(...(await bringIn(order, name, swapped)));
    } catch (error) {
      if (isCancellation(error) || !mayFail(order.plan, name)) throw error;
      await CancellationScope.nonCancellable(async () => undo.pop()?.());
      swapped.left.push({ name, why: told(error).message });
    }
  }
  return checks;
}

async function bringIn(order: Order, name: string, swapped: Swapped): Promise<Checks> {
  const { system, plan } = order;
  const beside = await bringOne(order, name);
  const checks = await checkOne(order, beside);
  const bad = checks.filter(({ ok }) => !ok).map(({ name: check, detail }) => `${check}: ${detail}`);
  if (bad.length > 0) throw failure('CheckFailed', `${name} failed its check: ${bad.join('; ')}.`);
  const options = { summary: `swap in ${name}`, patience: 'sparing' } as const;
  await onHost(hostOf(plan, name), options).swapIn({ system, beside });
  swapped.besides.push(beside);
  return checks;
}

/** While its server is still up; what was made on it would be lost with it otherwise, or be left. */
async function takeBack(order: Order, component: string): Promise<void> {
  const { system, restoreId, plan } = order;
  const beside: Beside = { component, restoreId, place: '', facts: {} };
  await onHostForEver(hostOf(plan, component), `put ${component} back`).swapBack({ system, beside });
  await discardAll(order, [beside]);
}
