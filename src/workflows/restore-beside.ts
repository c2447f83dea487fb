/** Copies beside the live state: made, checked, and removed again when they are not taken into use. */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Beside } from '../sources/kinds/component.ts';
import type { PartSource, RestorePlan, RestoreResult, WholeResult } from './contract.ts';
import { failure, told } from './failure.ts';
import { blaming } from './fall-back.ts';
import { onHost, whileHostAnswers } from './proxies.ts';
import type { Story } from './story.ts';

export interface Order {
  readonly system: string;
  readonly plan: RestorePlan;
  readonly restoreId: string;
  readonly paths: readonly string[];
  /** Another place than the component's own. */
  readonly target?: string;
  /** Copies are checked and removed again. */
  readonly verify?: boolean;
  /** For a site that takes over: the whole stack is to be up afterwards, also what is down there. */
  readonly takeover?: boolean;
  /** How long a host may be silent while nothing is stopped yet. */
  readonly silentSeconds: number;
}

/** Restored when its server is up, after the stack that brings it is in place. */
export function isLate({ plan, verify }: Pick<Order, 'plan' | 'verify'>, component: string): boolean {
  return verify !== true && (plan.servers?.some((server) => server.component === component) ?? false);
}

export type Checks = RestoreResult['checks'];

export function hostOf(plan: RestorePlan, component: string): string {
  const found = plan.components.find(({ name }) => name === component);
  if (found === undefined) throw failure('Internal', `The plan does not name component ${component}.`);
  return found.host;
}

export type Left = WholeResult['left'][number];

/** Of a whole system each component has its own; otherwise all are of the plan's backup. */
function sourceOf({ whole, ...plan }: RestorePlan, component: string): PartSource {
  return whole?.parts.find(({ name }) => name === component) ?? plan;
}

/** Of a whole system what is not needed may fail: it is left as it was, and the rest goes on. */
export function mayFail({ whole }: RestorePlan, component: string): boolean {
  return whole?.parts.some(({ name, needed }) => name === component && !needed) ?? false;
}

export interface Brought {
  readonly besides: Beside[];
  readonly checks: Checks;
  /** What could not be brought and may be left out. */
  readonly left: Left[];
}

/**
 * Restores every component of the plan beside the live one and checks it there. When one of them fails that may not be
 * left out, nothing is left: all copies are removed and the failure ends the run.
 */
export async function bringBeside(order: Order, story: Story): Promise<Brought> {
  const besides: Beside[] = [];
  const left: Left[] = [];
  try {
    story.begin('restore beside');
    for (const { name } of order.plan.components.filter((one) => !isLate(order, one.name))) {
      // Known before it is made: a copy whose word never came back is removed as well.
      const at = besides.push({ component: name, restoreId: order.restoreId, place: '', facts: {} }) - 1;
      const spare = mayFail(order.plan, name);
      try {
        besides[at] = await bringOne(order, name);
      } catch (error) {
        if (!spare || isCancellation(error)) throw blaming(error, [name]);
        left.push(await leaveOut(order, besides, name, told(error).message));
      }
    }
    story.begin('check');
    return { besides, checks: await checkAll(order, besides, left), left };
  } catch (error) {
    await CancellationScope.nonCancellable(() => discardAll(order, besides));
    throw error;
  }
}

/** One component beside the live one. */
export function bringOne(order: Order, name: string): Promise<Beside> {
  const { store, manifestKey, recoverTo } = sourceOf(order.plan, name);
  const options = {
    summary: `restore ${name} beside`,
    silentSeconds: order.silentSeconds,
    // What is not needed must not keep the system from coming back for hours.
    ...(mayFail(order.plan, name) ? { patience: 'sparing' as const } : {}),
  };
  const input = {
    system: order.system,
    store,
    manifestKey,
    component: name,
    paths: order.paths,
    restoreId: order.restoreId,
    ...(order.target === undefined ? {} : { target: order.target }),
    ...(recoverTo === undefined ? {} : { recoverTo }),
    ...(order.verify === undefined ? {} : { verify: order.verify }),
  };
  const host = hostOf(order.plan, name);
  return whileHostAnswers(order.system, host, options, (asked) => asked.restoreBeside(input));
}

/** Removes the copy of one component, which stays as it is; the rest goes on without it. */
export async function leaveOut(order: Order, besides: Beside[], component: string, why: string): Promise<Left> {
  const at = besides.findIndex((beside) => beside.component === component);
  const kept = await CancellationScope.nonCancellable(() => discardAll(order, besides.splice(at, 1)));
  const rest = kept.length === 0 ? '' : ` (its copy is still there: ${kept.join(', ')})`;
  return { name: component, why: `${why}${rest}` };
}

async function checkAll(order: Order, besides: Beside[], left: Left[]): Promise<Checks> {
  const checks: Checks[number][] = [];
  for (const beside of [...besides]) {
    const { component } = beside;
    try {
      const found = await checkOne(order, beside);
      const bad = found.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
      if (bad.length > 0 && mayFail(order.plan, component)) {
        left.push(await leaveOut(order, besides, component, `its copy failed its check: ${bad.join('; ')}`));
      } else checks.push(...found);
    } catch (error) {
      if (!mayFail(order.plan, component) || isCancellation(error)) throw blaming(error, [component]);
      left.push(await leaveOut(order, besides, component, told(error).message));
    }
  }
  const bad = checks.filter((check) => !check.ok);
  const words = bad.map(({ component, name, detail }) => `${component}: ${name}: ${detail}`);
  if (bad.length > 0) {
    const blamed = [...new Set(bad.map(({ component }) => component))];
    throw failure('CheckFailed', `The restored data failed its check: ${words.join('; ')}.`, { bad, blamed });
  }
  return checks;
}

export async function checkOne(order: Order, beside: Beside): Promise<Checks> {
  const { component } = beside;
  const options = { summary: `check ${component}`, silentSeconds: order.silentSeconds };
  const report = await whileHostAnswers(order.system, hostOf(order.plan, component), options, (asked) =>
    asked.checkBeside({ system: order.system, beside }),
  );
  return report.checks.map((check) => ({ component, ...check }));
}

/** Removes copies beside, last made first. What can't be removed is left, and costs space only. */
export async function discardAll(order: Order, besides: readonly Beside[]): Promise<string[]> {
  const { system, plan, silentSeconds } = order;
  const left: string[] = [];
  for (const beside of besides.toReversed()) {
    const host = onHost(hostOf(plan, beside.component), {
      summary: `remove the copy of ${beside.component}`,
      giveUpAfterSeconds: silentSeconds,
    });
    try {
      await host.discardBeside({ system, beside });
    } catch {
      left.push(beside.place === '' ? `${beside.component} (${beside.restoreId})` : beside.place);
    }
  }
  return left;
}
