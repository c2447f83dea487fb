/** What restores have kept aside of a component on this host, of whatever kind, and its removal. */
import { isAbsolute } from 'node:path';
import { tell } from '../observe/told.ts';
import type { HostLook, NotSeen, TroubleSeen } from '../policy/host-look.ts';
import { judgeAside, overdueAside, type AsideDecision } from '../policy/kept-aside.ts';
import { kindOf } from '../sources/kinds/index.ts';
import type { Beside, KeptAside, KindContext } from '../sources/kinds/component.ts';
import { newestChangeMs } from '../sources/kinds/newest-change.ts';
import { restoresLeft } from '../sources/restores-left.ts';
import { askedOnce } from '../status/asked-once.ts';
import type { Component, System } from '../system/types.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';

/** In the order of their age, the oldest first. */
export async function keptAsideOf(component: Component, context: KindContext): Promise<KeptAside[]> {
  const kept = (await kindOf(component.kind).keptAside?.(component, context)) ?? (await recorded(component, context));
  return kept.toSorted((a, b) => a.sinceMs - b.sinceMs);
}

/** Of kinds whose restores are written down on the host until what they kept is gone. */
async function recorded({ name }: Component, { stateDirectory }: KindContext): Promise<KeptAside[]> {
  const left = await restoresLeft(stateDirectory, name);
  return left
    .filter(({ state }) => state === 'aside')
    .map(({ restoreId, sinceMs, place = '' }) => ({ restoreId, place, sinceMs, committed: true, usedBy: [] }));
}

/** Its records, names and labels say all the rest. */
export function besideOf({ name }: Component, restoreId: string): Beside {
  return { component: name, restoreId, place: '', facts: {} };
}

/** What `removeAside` would do now. Throws where what is live can't be looked at. */
export async function whatBecomes(
  component: Component,
  kept: KeptAside,
  keepSeconds: number,
  context: KindContext,
): Promise<AsideDecision> {
  const times = { nowMs: Date.now(), keepSeconds };
  // What is certain to stay costs no look at what is live.
  const early = judgeAside({ ...kept, liveExists: true }, times);
  if (!early.goes) return early;
  const { exists } = await kindOf(component.kind).inspect(component, context);
  return judgeAside({ ...kept, liveExists: exists }, times);
}

/** Undefined for databases of a server, and for more than is looked at. */
export async function sizeOfAside(
  { kind }: Component,
  { place }: KeptAside,
  context: KindContext,
): Promise<number | undefined> {
  const path = kind === 'volume' ? (await context.docker().volume(place))?.path : place;
  if (path === undefined || !isAbsolute(path)) return undefined;
  const { sizeBytes, complete } = await newestChangeMs(path, context.signal);
  return complete ? sizeBytes : undefined;
}

/**
 * Removes what is `keepSeconds` old and may go; to be called alone on what the restore made. It is looked at again first,
 * so that a repeat, or one beside another, removes nothing twice. `tell` is called just before: what can't be told stays.
 */
export async function removeAside(
  component: Component,
  { restoreId }: Pick<KeptAside, 'restoreId'>,
  { keepSeconds, tell }: { readonly keepSeconds: number; readonly tell: (kept: KeptAside) => Promise<void> },
  context: KindContext,
): Promise<AsideDecision> {
  const kept = (await keptAsideOf(component, context)).find((each) => each.restoreId === restoreId);
  if (kept === undefined) return { goes: false, why: 'it is gone already' };
  const decision = await whatBecomes(component, kept, keepSeconds, context);
  if (!decision.goes) return decision;
  await tell(kept);
  await kindOf(component.kind).commit(component, besideOf(component, restoreId), { keep: false }, context);
  return decision;
}

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
      const kept = await askedOnce(asked, LIMIT_MS, () => keptAsideOf(component, kindContext));
      const found = overdueAside(name, kept, of);
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
