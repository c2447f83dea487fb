/** What was captured is read back and put before the source's own checks, before any manifest names it. */
import { HoldfastError } from '../failures.ts';
import { kindOf } from '../sources/kinds/index.ts';
import type { Component, System } from '../system/types.ts';
import type { CaptureTicket, StoredArtifact } from '../vault/types.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';

export interface ToCheck {
  readonly store: string;
  readonly ticket: CaptureTicket;
  readonly stored: readonly StoredArtifact[];
  /** See Captured. */
  readonly judged: boolean | undefined;
}

/** True where what is captured of it is read back on this host. */
export function readsBack(system: System, component: Component): boolean {
  return wantsCheck(component) && system.keys.identity !== undefined;
}

/** Throws SourceCorrupt when a check says no. Returns warnings: what could not be checked here, and why. */
export async function checkStored(
  context: HostContext,
  system: System,
  { store, ticket, stored, judged }: ToCheck,
  component: Component,
  run: Run,
): Promise<string[]> {
  if (!wantsCheck(component)) return [];
  if (!readsBack(system, component)) {
    const what = judged === true ? 'was not read back' : 'was not checked';
    return [`${component.name} ${what} after the capture: this host holds no identity to read it back with`];
  }
  run.report({ phase: `check: ${component.name}` });
  const report = await context.withReader(system, store, async (vault) => {
    // What an earlier attempt stored is known to be there, and was read back by nobody: then all of it is read.
    if (judged === true && run.attempt === 1) {
      const onProgress = (bytesDone: number) => run.report({ phase: `read back: ${component.name}`, bytesDone });
      await vault.checkAdded(ticket.epoch, stored, { signal: run.signal, onProgress });
      return undefined;
    }
    const artifacts = await vault.artifacts(
      ticket.epoch,
      stored.map(({ ref }) => ref),
    );
    return kindOf(component.kind).checkCaptured?.(component, artifacts, context.kindContext(system, run));
  });
  const bad = (report?.checks ?? []).filter(({ ok }) => !ok);
  if (report?.ok !== false && bad.length === 0) return [];
  const words = bad.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
  throw new HoldfastError('SourceCorrupt', `${component.name} fails its own check: ${words}`);
}

/** Reading everything back only pays where there is something to judge it by. */
function wantsCheck(component: Component): boolean {
  if (kindOf(component.kind).checkCaptured === undefined) return false;
  return component.kind !== 'volume' || component.check !== undefined;
}
