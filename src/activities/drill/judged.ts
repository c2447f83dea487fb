/** What the checks of the system file say of something that a drill has made, in the words of its report. */
import type { ScratchDatabase } from '../../sources/kinds/component.ts';
import type { System } from '../../system/types.ts';
import type { AskedOfScratch } from '../drill-types.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { runChecks } from '../validation/run-checks.ts';
import type { CheckOutcome } from '../validation-types.ts';

/** How a check of the system file is called in a report. */
const checkName = (name: string): string => `check ${name}`;

/** Of one database on a server of its own: what else the system file asks is left to others. */
export async function askServer(
  context: HostContext,
  system: System,
  component: string,
  there: ScratchDatabase,
  run: Run,
): Promise<AskedOfScratch['checks']> {
  if (!system.checks.some(({ probe }) => probe.kind === 'sql' && probe.component === component)) return [];
  const place = { components: { [component]: there } };
  const asked = await runChecks(context, { system: system.name, host: context.host, place }, run);
  const own = asked.filter(({ kind, skipped }) => kind === 'sql' && skipped !== true);
  return judged(system, own).checks;
}

export function judged(system: System, outcomes: readonly CheckOutcome[]): AskedOfScratch {
  return {
    checks: outcomes
      .filter(({ skipped }) => skipped !== true)
      .map(({ name, ok, severity, detail }) => ({
        component: componentAsked(system, name),
        name: checkName(name),
        // What is only a warning does not make a restore a bad one.
        ok: ok || severity === 'warning',
        detail: ok || severity === 'fatal' ? detail : `warning: ${detail}`,
      })),
    skipped: outcomes.flatMap(({ name, skipped, detail }) =>
      skipped === true ? [{ name: checkName(name), why: detail }] : [],
    ),
  };
}

/** What a check speaks about: its database, or the stack as a whole. */
function componentAsked({ checks, compose }: System, name: string): string {
  const probe = checks.find((check) => check.name === name)?.probe;
  return probe?.kind === 'sql' ? probe.component : (compose ?? '');
}
