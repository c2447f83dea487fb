/** What was captured is read back and put before the source's own checks, before any manifest names it. */
import { HoldfastError } from '../failures.ts';
import { kindOf } from '../sources/kinds/index.ts';
import type { Component, System } from '../system/types.ts';
import type { ArtifactRef, CaptureTicket } from '../vault/types.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';

/** Throws SourceCorrupt when a check says no. Returns warnings: what could not be checked here, and why. */
export async function checkStored(
  context: HostContext,
  system: System,
  stored: { readonly store: string; readonly ticket: CaptureTicket; readonly refs: readonly ArtifactRef[] },
  component: Component,
  run: Run,
): Promise<string[]> {
  const kind = kindOf(component.kind);
  if (kind.checkCaptured === undefined || !hasCheck(component)) return [];
  if (system.keys.identity === undefined) {
    return [`${component.name} was not checked after the capture: this host holds no identity to read it back with`];
  }
  run.report({ phase: `check: ${component.name}` });
  const report = await context.withReader(system, stored.store, async (vault) => {
    const artifacts = await vault.artifacts(stored.ticket.epoch, stored.refs);
    return kind.checkCaptured?.(component, artifacts, context.kindContext(system, run));
  });
  const bad = (report?.checks ?? []).filter(({ ok }) => !ok);
  if (report?.ok !== false && bad.length === 0) return [];
  const words = bad.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
  throw new HoldfastError('SourceCorrupt', `${component.name} fails its own check: ${words}`);
}

/** Reading everything back only pays where there is something to judge it by. */
function hasCheck(component: Component): boolean {
  return component.kind !== 'volume' || component.check !== undefined;
}
