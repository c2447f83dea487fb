/** The rehearsal itself: everything is restored into places of the drill's own, checked, started there, and removed. */
import { ActivityFailure, isCancellation, log } from '@temporalio/workflow';
import type { StackInput } from '../activities/drill-types.ts';
import type { Beside } from '../sources/kinds/component.ts';
import type { DrillCheck, DrillComponent, DrillPlan, DrillReport, DrillSource } from './drill-contract.ts';
import type { Stopwatch } from './drill-stopwatch.ts';
import { failure, told } from './failure.ts';
import { onHost, whileHostAnswers } from './proxies.ts';
import type { Story } from './story.ts';

export interface Rehearsal {
  readonly system: string;
  readonly drillId: string;
  readonly plan: DrillPlan;
  /** How long a host may be silent before it is given up. */
  readonly silentSeconds: number;
  readonly watch: Stopwatch;
}

export interface Rehearsed {
  readonly checks: readonly DrillCheck[];
  readonly stack?: DrillReport['stack'];
  readonly warnings: readonly string[];
}

type Host = ReturnType<typeof onHost>;

/** A host that stays away for longer removes what is left when its worker starts. */
const CLEAR_SECONDS = 24 * 3600;

/** Every check that was made, good or bad. Throws what kept a component from being restored, and names it in `details`. */
export async function rehearse(rehearsal: Rehearsal, story: Story): Promise<Rehearsed> {
  const { system, drillId, plan, watch } = rehearsal;
  story.begin('restore');
  for (const host of hostsOf(plan)) {
    await on(rehearsal, host, 'begin the drill', (there) => there.beginDrill({ system, drillId }));
  }
  const besides = new Map<string, Beside>();
  for (const component of serversLast(plan)) {
    const { name } = component;
    const restored = await watch.time(`restore ${name}`, () => about(name, [], () => restoreOne(rehearsal, component)));
    besides.set(name, restored);
  }

  story.begin('check');
  const checks: DrillCheck[] = [];
  for (const { name, host } of serversLast(plan)) {
    const beside = besides.get(name);
    if (beside === undefined) continue;
    const report = await watch.time(`check ${name}`, () =>
      about(name, checks, () =>
        on(rehearsal, host, `check ${name}`, (there) => there.checkScratch({ system, drillId, beside })),
      ),
    );
    checks.push(...report.checks.map((check) => ({ component: name, ...check })));
  }

  // Services on bad data would say nothing.
  if (checks.some(({ ok }) => !ok)) return { checks, warnings: ['the stack was not started on data that is not good'] };
  const started = await startStack(rehearsal, story);
  checks.push(...started.checks);
  const asked = await askChecks(rehearsal, story, checks);
  return { ...started, checks: [...checks, ...asked.checks], warnings: [...started.warnings, ...asked.warnings] };
}

function restoreOne(rehearsal: Rehearsal, component: DrillComponent): Promise<Beside> {
  const { system, drillId, plan } = rehearsal;
  const { name, host, backup } = component;
  const { store, manifestKey } = sourceOf(plan, backup);
  const isInStack = plan.stack?.servers?.some((server) => server.component === name) ?? false;
  const stack = isInStack ? stackInput(system, drillId, plan, plan.stack?.component) : undefined;
  const input = { system, drillId, store, manifestKey, component: name, ...(stack === undefined ? {} : { stack }) };
  return on(rehearsal, host, `restore ${name} for the drill`, (there) => there.restoreScratch(input));
}

/** What the isolated service of a database mounts is there before it is made. */
function serversLast({ components, stack }: DrillPlan): DrillComponent[] {
  const isInStack = ({ name }: DrillComponent): boolean =>
    stack?.servers?.some(({ component }) => component === name) ?? false;
  return [...components.filter((one) => !isInStack(one)), ...components.filter(isInStack)];
}

async function startStack(rehearsal: Rehearsal, story: Story): Promise<Rehearsed> {
  const { plan, watch } = rehearsal;
  const { stack } = plan;
  const input = stackInput(rehearsal.system, rehearsal.drillId, plan, stack?.component);
  if (stack === undefined || input === undefined) return { checks: [], warnings: [] };
  const { isolated, refused } = stack;
  if (refused.length > 0) return { checks: [], stack: { services: 0, isolated, refused }, warnings: [] };
  story.begin('start the stack');
  const { checks, warnings, ...started } = await watch.time('start the stack', () =>
    about(stack.component, [], () =>
      on(rehearsal, stack.host, 'start the stack', (there) => there.startScratchStack(input)),
    ),
  );
  return { checks, warnings, stack: started };
}

/** What is needed to look at the Compose project of a plan, or to start it; undefined when it is not in any backup. */
export function stackInput(
  system: string,
  drillId: string,
  plan: Pick<DrillPlan, 'components' | 'sources' | 'stack'>,
  component: string | undefined,
): StackInput | undefined {
  const found = plan.components.find(({ name }) => name === component);
  if (found === undefined) return undefined;
  const { store, manifestKey } = sourceOf(plan, found.backup);
  const restored = plan.components.map(({ name }) => name);
  const servers = plan.stack?.servers?.map((server) => server.component);
  const known = servers === undefined ? {} : { servers };
  return { system, drillId, store, manifestKey, component: found.name, restored, ...known };
}

/** What nobody could be asked is told: a drill that asks less than people think is worse than one that fails. */
async function askChecks(rehearsal: Rehearsal, story: Story, known: readonly DrillCheck[]): Promise<Rehearsed> {
  const { system, drillId, plan, watch } = rehearsal;
  const restored = plan.components.map(({ name }) => name);
  const checks: DrillCheck[] = [];
  const warnings: string[] = [];
  story.begin('ask its checks');
  for (const host of hostsOf(plan)) {
    const asked = await watch.time('ask its checks', () =>
      on(rehearsal, host, 'ask the checks of the system file', (there) =>
        there.askScratch({ system, drillId, restored }),
      ),
    );
    checks.push(...asked.checks);
    const unasked = asked.skipped.filter(({ name }) => !known.some((check) => check.name === name));
    warnings.push(...unasked.map(({ name, why }) => `${name} was not asked: ${why}`));
  }
  return { checks, warnings };
}

function sourceOf({ sources }: Pick<DrillPlan, 'sources'>, backup: string): DrillSource {
  const found = sources.find((one) => one.backup === backup);
  if (found === undefined) throw failure('Internal', `The plan names no backup ${backup}.`);
  return found;
}

function on<T>(
  { system, silentSeconds }: Rehearsal,
  host: string,
  summary: string,
  step: (there: Host) => Promise<T>,
): Promise<T> {
  return whileHostAnswers(system, host, { summary, silentSeconds }, step);
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
