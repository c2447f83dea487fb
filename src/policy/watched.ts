/** What of a plan is watched for changes, and by whom. Pure. */
import type { Component, Plan, System } from '../system/types.ts';

/** Kinds whose changes can be seen without reading what they hold. */
export const WATCHED_KINDS: readonly Component['kind'][] = ['files', 'compose'];

export interface WatchedThere {
  readonly host: string;
  readonly components: readonly string[];
}

/** By host, in the order of the plan; empty when the plan is not run on change, or nothing of it can be watched. */
export function watchedByHost(system: System, plan: Plan): WatchedThere[] {
  return plan.onChange ? filesByHost(system, plan) : [];
}

/** What of a plan consists of files that a person could read. */
export function filesByHost(system: System, plan: Plan): WatchedThere[] {
  const byHost = new Map<string, string[]>();
  for (const name of plan.components) {
    const component = system.components.find((one) => one.name === name);
    if (component === undefined || !WATCHED_KINDS.includes(component.kind)) continue;
    byHost.set(component.host, [...(byHost.get(component.host) ?? []), name]);
  }
  return [...byHost].map(([host, components]) => ({ host, components }));
}
