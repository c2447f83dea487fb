/** The report of a failover, kept in the stores that can be reached. */
import { keepFailoverReport } from '../../status/failover-runs.ts';
import type { FailoverActivities } from '../failover-types.ts';
import type { HostContext } from '../host-context.ts';

/** A repeat writes the same again. Throws when no store could take it. */
export async function keepFailover(
  context: HostContext,
  { report }: Parameters<FailoverActivities['keepFailover']>[0],
): ReturnType<FailoverActivities['keepFailover']> {
  return keepFailoverReport(await context.system(report.system), report);
}
