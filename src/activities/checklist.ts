/** Goes through a checklist on the host that keeps the stores. */
import { goThroughList } from '../status/checklist-run.ts';
import type { ChecklistResult } from '../workflows/contract.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';

/** A repeat makes a report of its own: what it says is of its own moment. */
export async function goThrough(
  context: HostContext,
  { system: name, list }: { readonly system: string; readonly list: string },
  run: Run,
): Promise<ChecklistResult> {
  run.report({ phase: `checklist ${list}` });
  const { report, key } = await goThroughList(await context.system(name), list, `schedule@${context.host}`);
  const points = { pass: 0, fail: 0, unknown: 0, open: 0, signed: 0 };
  for (const { state } of report.points) points[state] += 1;
  return { list, outcome: report.outcome, report: key, points };
}
