/** What restores have kept aside of a component on this host, of whatever kind, and its removal. */
import { isAbsolute } from 'node:path';
import { judgeAside, type AsideDecision } from '../policy/kept-aside.ts';
import { kindOf } from '../sources/kinds/index.ts';
import type { Beside, KeptAside, KindContext } from '../sources/kinds/component.ts';
import { newestChangeMs } from '../sources/kinds/newest-change.ts';
import { restoresLeft } from '../sources/restores-left.ts';
import type { Component } from '../system/types.ts';

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
