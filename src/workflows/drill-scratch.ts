/** The rehearsal itself: everything is restored into places of the drill's own, checked there, and removed. */
import type { Beside } from '../sources/kinds/component.ts';
import type { DrillCheck, DrillComponent, DrillPlan } from './drill-contract.ts';
import type { Stopwatch } from './drill-stopwatch.ts';
import { failure, told } from './failure.ts';
import { onHost, whileHostAnswers } from './proxies.ts';
import type { Story } from './story.ts';
import { ActivityFailure, isCancellation, log } from '@temporalio/workflow';

export interface Rehearsal {
  readonly system: string;
  readonly drillId: string;
  readonly plan: DrillPlan;
  /** How long a host may be silent before it is given up. */
  readonly silentSeconds: number;
  readonly watch: Stopwatch;
}

/** A host that stays away for longer removes what is left when its worker starts. */
const CLEAR_SECONDS = 24 * 3600;

/** Every check that was made, good or bad. Throws what kept a component from being restored, and names it in `details`. */
export async function rehearse(rehearsal: Rehearsal, story: Story): Promise<DrillCheck[]> {
  const { system, drillId, plan, silentSeconds, watch } = rehearsal;
  story.begin('restore');
  for (const host of hostsOf(plan)) {
    await whileHostAnswers(system, host, { summary: 'begin the drill', silentSeconds }, (there) =>
      there.beginDrill({ system, drillId }),
    );
  }
  const besides = new Map<string, Beside>();
  for (const component of plan.components) {
    const { name } = component;
    besides.set(
      name,
      await watch.time(`restore ${name}`, () => about(name, [], () => restoreOne(rehearsal, component))),
    );
  }
  story.begin('check');
  const checks: DrillCheck[] = [];
  for (const { name, host } of plan.components) {
    const beside = besides.get(name);
    if (beside === undefined) continue;
    const options = { summary: `check ${name}`, silentSeconds };
    const report = await watch.time(`check ${name}`, () =>
      about(name, checks, () =>
        whileHostAnswers(system, host, options, (there) => there.checkScratch({ system, drillId, beside })),
      ),
    );
    checks.push(...report.checks.map((check) => ({ component: name, ...check })));
  }
  return checks;
}

function restoreOne({ system, drillId, plan, silentSeconds }: Rehearsal, component: DrillComponent): Promise<Beside> {
  const { name, host, backup } = component;
  const source = plan.sources.find((one) => one.backup === backup);
  if (source === undefined) throw failure('Internal', `The plan names no backup ${backup}.`);
  const { store, manifestKey } = source;
  const options = { summary: `restore ${name} for the drill`, silentSeconds };
  return whileHostAnswers(system, host, options, (there) =>
    there.restoreScratch({ system, drillId, store, manifestKey, component: name }),
  );
}

/** A failure says of which component it is, and what was seen before. */
async function about<T>(component: string, checks: readonly DrillCheck[], step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    const { code, message } = told(error);
    throw failure(code, message, { component, checks });
  }
}

function hostsOf(plan: DrillPlan): string[] {
  return [...new Set(plan.components.map(({ host }) => host))];
}

/** Removes everything on every host. What a host that stays away has left is told, and goes when its worker starts. */
export async function clearAll({ system, drillId, plan }: Rehearsal): Promise<void> {
  for (const host of hostsOf(plan)) {
    const { clearDrill } = onHost(host, { summary: 'remove what the drill made', giveUpAfterSeconds: CLEAR_SECONDS });
    try {
      await clearDrill({ system, drillId });
    } catch (error) {
      log.error('what the drill made is not removed yet', { host, why: told(error).message });
    }
  }
}
