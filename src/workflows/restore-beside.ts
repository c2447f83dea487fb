/** Copies beside the live state: made, checked, and removed again when they are not taken into use. */
import { CancellationScope } from '@temporalio/workflow';
import type { Beside } from '../sources/kinds/component.ts';
import type { RestorePlan, RestoreResult } from './contract.ts';
import { failure } from './failure.ts';
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
  /** How long a host may be silent while nothing is stopped yet. */
  readonly silentSeconds: number;
}

export type Checks = RestoreResult['checks'];

export function hostOf(plan: RestorePlan, component: string): string {
  const found = plan.components.find(({ name }) => name === component);
  if (found === undefined) throw failure('Internal', `The plan does not name component ${component}.`);
  return found.host;
}

/**
 * Restores every component of the plan beside the live one and checks it there. When one of them fails, nothing is left:
 * all copies are removed and the failure ends the run.
 */
export async function bringBeside(order: Order, story: Story): Promise<{ besides: Beside[]; checks: Checks }> {
  const besides: Beside[] = [];
  try {
    story.begin('restore beside');
    for (const { name, host } of order.plan.components) {
      // Known before it is made: a copy whose word never came back is removed as well.
      const at = besides.push({ component: name, restoreId: order.restoreId, place: '', facts: {} }) - 1;
      const options = { summary: `restore ${name} beside`, silentSeconds: order.silentSeconds };
      const input = {
        system: order.system,
        store: order.plan.store,
        manifestKey: order.plan.manifestKey,
        component: name,
        paths: order.paths,
        restoreId: order.restoreId,
        ...(order.target === undefined ? {} : { target: order.target }),
        ...(order.plan.recoverTo === undefined ? {} : { recoverTo: order.plan.recoverTo }),
        ...(order.verify === undefined ? {} : { verify: order.verify }),
      };
      besides[at] = await whileHostAnswers(order.system, host, options, (asked) => asked.restoreBeside(input));
    }
    story.begin('check');
    return { besides, checks: await checkAll(order, besides) };
  } catch (error) {
    await CancellationScope.nonCancellable(() => discardAll(order, besides));
    throw error;
  }
}

async function checkAll(order: Order, besides: readonly Beside[]): Promise<Checks> {
  const checks: Checks[number][] = [];
  for (const beside of besides) {
    const host = hostOf(order.plan, beside.component);
    const options = { summary: `check ${beside.component}`, silentSeconds: order.silentSeconds };
    const report = await whileHostAnswers(order.system, host, options, (asked) =>
      asked.checkBeside({ system: order.system, beside }),
    );
    checks.push(...report.checks.map((check) => ({ component: beside.component, ...check })));
  }
  const bad = checks.filter((check) => !check.ok);
  const words = bad.map(({ component, name, detail }) => `${component}: ${name}: ${detail}`);
  if (bad.length > 0) throw failure('CheckFailed', `The restored data failed its check: ${words.join('; ')}.`, { bad });
  return checks;
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
