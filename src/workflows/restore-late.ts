/** Databases whose server comes back with its stack: restored when that is in place and up, before the rest is started. */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Beside } from '../sources/kinds/component.ts';
import { failure, told } from './failure.ts';
import { onHost, onHostInsistently, urgentlyOn } from './proxies.ts';
import { bringOne, checkOne, discardAll, hostOf, isLate, mayFail, type Checks, type Order } from './restore-beside.ts';
import type { Swapped, Undo } from './restore-live.ts';
import type { Story } from './story.ts';

/** Each waits minutes for the server: what has no answer in about half an hour is gone, and the rest is put back. */
const ATTEMPTS_TO_TAKE_BACK = 6;

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
    const back = async (): Promise<string | undefined> => {
      const stuck = await takeBack(order, name, swapped);
      if (stuck !== undefined) story.needsOperator(true);
      return stuck;
    };
    undo.push(async () => {
      const stuck = await back();
      if (stuck !== undefined) throw failure('Unhealthy', stuck);
    });
    try {
      checks.push(...(await bringIn(order, name, swapped)));
    } catch (error) {
      if (isCancellation(error) || !mayFail(order.plan, name)) throw error;
      undo.pop();
      const stuck = await CancellationScope.nonCancellable(back);
      swapped.left.push({ name, why: [told(error).message, ...(stuck === undefined ? [] : [stuck])].join(' ') });
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

/**
 * While its server is still up; what was made on it would be lost with it otherwise, or be left. Tried for a while only,
 * unlike what else is undone: the server is one that this restore has made, and all that was there before waits for it.
 * Returns what could not be taken back.
 */
async function takeBack(order: Order, component: string, swapped: Swapped): Promise<string | undefined> {
  const { system, restoreId, plan } = order;
  const beside: Beside = { component, restoreId, place: '', facts: {} };
  const options = { summary: `put ${component} back`, attempts: ATTEMPTS_TO_TAKE_BACK };
  try {
    await onHostInsistently(hostOf(plan, component), options).swapBack({ system, beside });
  } catch (error) {
    // The same server would be asked to remove the copy.
    const at = swapped.besides.findIndex((one) => one.component === component);
    if (at >= 0) swapped.besides.splice(at, 1);
    return (
      `${component} could not be put back (${told(error).message}): what restore ${restoreId} brought is still in its ` +
      'server, under the live name or beside it. Once that is up, the next backup or restore of it removes the copy and ' +
      'opens what was shut.'
    );
  }
  await discardAll(order, [beside]);
  return undefined;
}
