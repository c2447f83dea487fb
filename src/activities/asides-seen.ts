/** What restores have kept aside, or left, for longer than its time, as `monitor` sees it. */
import { tell } from '../observe/told.ts';
import type { HostLook, NotSeen, TroubleSeen } from '../policy/host-look.ts';
import { overdueAside } from '../policy/kept-aside.ts';
import { askedOnce } from '../status/asked-once.ts';
import type { Component, System } from '../system/types.ts';
import type { HostContext } from './host-context.ts';
import { keptAsideOf } from './kept-aside.ts';
import { notedRuns } from './leftovers.ts';
import type { Run } from './shell.ts';

const LIMIT_MS = 20_000;

/** For `monitor`: what lies here long after its time. What does not answer is told, and not asked again until it has. */
export async function asidesSeen(
  context: HostContext,
  system: System,
  run: Run,
): Promise<NonNullable<HostLook['asides']>> {
  const overdue: TroubleSeen[] = [];
  const unseen: NotSeen[] = [];
  const kindContext = context.kindContext(system, run);
  const of = { system: system.name, nowMs: Date.now(), keepSeconds: system.keepAsideSeconds };
  const look = async (component: Component): Promise<void> => {
    const { name } = component;
    try {
      const asked = `what is kept aside of ${name} of ${system.name}`;
      const [kept, runs] = await askedOnce(asked, LIMIT_MS, () =>
        Promise.all([keptAsideOf(component, kindContext), notedRuns(context, system, component)]),
      );
      const found = overdueAside(name, { kept, runs }, of);
      if (found !== undefined) overdue.push(found);
    } catch (error) {
      run.signal.throwIfAborted();
      unseen.push({ subject: name, why: tell(error).message });
    }
  };
  await Promise.all(system.components.filter(({ host }) => host === context.host).map(look));
  const byName = (a: { subject: string }, b: { subject: string }): number => (a.subject < b.subject ? -1 : 1);
  return { overdue: overdue.toSorted(byName), unseen: unseen.toSorted(byName) };
}
