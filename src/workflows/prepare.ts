/** Restores a whole system ahead, at a site that is not active: into the live place, and nothing is started. */
import { CancellationScope } from '@temporalio/workflow';
import type { SystemFacts } from '../activities/types.ts';
import type { PreparedPart } from '../policy/failover/prepared.ts';
import { passedOverTexts } from '../policy/fall-back.ts';
import type { RestorePlan, RestoreResult } from './contract.ts';
import { failure } from './failure.ts';
import { withSystemLock } from './lock.ts';
import { onHostForEver, urgentlyOn } from './proxies.ts';
import { bringBeside, hostOf, type Left, type Order } from './restore-beside.ts';
import { bringLate } from './restore-late.ts';
import { rollBack, swapAll, type Swapped, type Undo } from './restore-live.ts';
import { refuseEmptyHanded } from './restore-whole.ts';
import type { Story } from './story.ts';

export const PREPARE_STEPS = [
  'plan',
  'wait for the system',
  'look that nothing runs',
  'restore beside',
  'check',
  'swap in',
  'write down what is prepared',
] as const;

const WAIT_SECONDS = 6 * 3600;

export async function prepareUnderLock(order: Order, facts: SystemFacts, story: Story): Promise<RestoreResult> {
  const { system } = order;
  story.begin('wait for the system');
  const lock = { system, site: facts.site, operation: 'restore', waitSeconds: WAIT_SECONDS } as const;
  const locked = await withSystemLock(story, lock, () => prepareLocked(order, story));
  if (!locked.held) throw failure('SystemBusy', locked.why);
  story.finish();
  return locked.value;
}

/** What one host is told when all is over: what counts as prepared there, and what was started only for it. */
interface HostEnd {
  readonly parts: PreparedPart[];
  readonly stop: string[];
}

async function prepareLocked(order: Order, story: Story): Promise<RestoreResult> {
  const beganAt = Date.now();
  const hosts = hostsOf(order.plan);
  const ends = new Map<string, HostEnd>(hosts.map((host) => [host, { parts: [], stop: [] }]));
  let brought: Omit<RestoreResult, 'outcome' | 'plan' | 'durationMs'> & { left: readonly Left[] };
  const warnings: string[] = [];
  try {
    brought = await bringAhead(order, ends, story);
  } finally {
    // Whatever has come of it: what holds the stack is let go.
    await CancellationScope.nonCancellable(async () => {
      for (const [host, end] of ends) {
        const { system, restoreId } = order;
        const asked = { system, components: componentsOn(order.plan, host), restoreId, ...end };
        const told = await urgentlyOn(host, { summary: 'write down what is prepared' }).endPrepare(asked);
        if (told.void !== undefined && end.parts.length > 0) warnings.push(`${host}: ${told.void}`);
      }
    });
  }
  if (warnings.length > 0) {
    throw failure('NotStandby', `What was restored ahead of ${order.system} does not count: ${warnings.join('; ')}.`);
  }
  const { left, ...rest } = brought;
  const told = [
    ...passedOverTexts(order.plan.whole?.passedOver ?? []),
    ...left.map(({ name, why }) => `${name} was left as it was: ${why}`),
  ];
  return {
    outcome: 'prepared',
    plan: order.plan,
    ...rest,
    durationMs: Date.now() - beganAt,
    ...(told.length === 0 ? {} : { warnings: told }),
  };
}

async function bringAhead(
  order: Order,
  ends: ReadonlyMap<string, HostEnd>,
  story: Story,
): Promise<Pick<RestoreResult, 'checks' | 'aside'> & { left: readonly Left[] }> {
  const { system, restoreId, plan } = order;
  story.begin('look that nothing runs');
  const former = new Set<string>();
  for (const [host, end] of ends) {
    const components = componentsOn(plan, host);
    const there = urgentlyOn(host, { summary: 'look that nothing runs', attempts: 3 });
    const begun = await there.beginPrepare({ system, components, restoreId });
    for (const name of begun.former) former.add(name);
    if (begun.servers.length === 0) continue;
    const { started } = await there.startServers({ system, components: begun.servers });
    end.stop.push(...started);
  }
  const { besides, checks, left } = await bringBeside(order, story);
  refuseEmptyHanded(besides, left);

  story.begin('swap in');
  const undo: Undo[] = [];
  const swapped: Swapped = { besides: [...besides], left: [], checks: [] };
  try {
    await swapAll(order, besides, undo, swapped);
    swapped.checks.push(...(await bringLate(order, story, undo, swapped)));
    await stopLate(order);
  } catch (error) {
    await CancellationScope.nonCancellable(() => rollBack(order, undo, swapped));
    throw error;
  }
  return CancellationScope.nonCancellable(async () => {
    story.begin('write down what is prepared');
    const aside: string[] = [];
    for (const beside of swapped.besides) {
      const { component } = beside;
      const host = hostOf(plan, component);
      // What is neither live nor restored ahead may be the only copy of what a site has written before it was fenced.
      const keep = !former.has(component);
      const kept = await onHostForEver(host, `commit ${component}`).commitRestore({ system, beside, keep });
      if (kept.aside !== undefined) aside.push(kept.aside);
      ends.get(host)?.parts.push(partOf(plan, component));
    }
    return { checks: [...checks, ...swapped.checks], aside, left: [...left, ...swapped.left] };
  });
}

/** Those that this restore made and started to fill them. */
async function stopLate({ system, restoreId, plan }: Order): Promise<void> {
  const late = plan.servers?.map(({ component }) => component) ?? [];
  for (const host of new Set(late.map((name) => hostOf(plan, name)))) {
    const components = late.filter((name) => hostOf(plan, name) === host);
    await urgentlyOn(host, { summary: 'stop the database servers' }).stopServers({ system, components, restoreId });
  }
}

export function partOf({ whole }: RestorePlan, name: string): PreparedPart {
  const part = whole?.parts.find((one) => one.name === name);
  if (part === undefined) throw failure('Internal', `The plan does not name part ${name}.`);
  const { backup, manifestKey, store, pointAt, recoverTo } = part;
  return {
    name,
    backup,
    manifestKey,
    store,
    ...(pointAt === undefined ? {} : { pointAt }),
    ...(recoverTo === undefined ? {} : { recoverTo }),
  };
}

export function hostsOf({ components }: RestorePlan): string[] {
  return [...new Set(components.map(({ host }) => host))];
}

export function componentsOn({ components }: RestorePlan, host: string): string[] {
  return components.filter((one) => one.host === host).map(({ name }) => name);
}
