/** Names are led to the site that runs the system now, and back to where they led when that fails. */
import { CancellationScope, TemporalFailure } from '@temporalio/workflow';
import type { FailoverSetup } from '../activities/failover-types.ts';
import type { FailoverPlan, NamesLed } from './contract.ts';
import { told } from './failure.ts';
import { urgentlyOn } from './proxies.ts';

const ATTEMPTS = 8;

/** Never throws: the system runs here by now, so that a person leads the names when this can't. */
export async function leadNames(
  { system, site, hosts }: FailoverSetup,
  planned: NonNullable<FailoverPlan['names']>,
): Promise<NamesLed> {
  const there = urgentlyOn(hosts[0] ?? '', { summary: 'lead the names here', attempts: ATTEMPTS });
  try {
    const swapped = await there.swapDns({ system, toSite: site, planned });
    const { oldAnswerUntil } = await there.awaitDns({ system, planned, swapped });
    const { lines } = await there.checkAnswers({ system, planned });
    return { ok: true, lines, oldAnswerUntil };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    const back = await CancellationScope.nonCancellable(() => leadBack(system, hosts, planned));
    return { ok: false, lines: [told(error).message, back] };
  }
}

async function leadBack(
  system: string,
  hosts: readonly string[],
  previous: NonNullable<FailoverPlan['names']>,
): Promise<string> {
  try {
    const there = urgentlyOn(hosts[0] ?? '', { summary: 'lead the names back', attempts: ATTEMPTS });
    await there.revertDns({ system, previous });
    return `the names lead where they led before: change them with \`holdfast dns ${system}\``;
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    return `where the names lead now is not known: ${told(error).message}`;
  }
}
