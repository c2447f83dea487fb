/** Removes what is old of a system once its backup has been read back. Alone on the system: nothing captures them then. */
import { workflowInfo } from '@temporalio/workflow';
import type { HousekeepingInput, HousekeepingOutcome, HousekeepingResult } from './contract.ts';
import { failure, inOneVoice } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { withSystemLock } from './lock.ts';
import { onHost, orchestration } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<HousekeepingInput> = {
  system: { ...NAME, required: true },
  task: { ...NAME, required: true },
  dryRun: { type: 'boolean' },
  waitSeconds: { type: 'number' },
};

const WAIT_SECONDS = 6 * 3600;

export async function housekeeping(input: HousekeepingInput): Promise<HousekeepingResult> {
  const asked = parseInput<HousekeepingInput>('housekeeping', input, FIELDS);
  const story = new Story('housekeeping', ['wait for the system', 'read back and remove', 'report']);
  return inOneVoice(() => reportingFailure(asked.system, 'housekeeping', () => run(asked, story)));
}

async function run(asked: HousekeepingInput, story: Story): Promise<HousekeepingResult> {
  const { system, task, dryRun = false, waitSeconds = WAIT_SECONDS } = asked;
  story.about(system);
  const { host, site } = await orchestration.describeHousekeeping({ system, task });
  const work = async (): Promise<HousekeepingOutcome> => {
    story.begin('read back and remove');
    const steps = onHost(host, { summary: `housekeeping ${task}`, patience: 'sparing' });
    return steps.housekeep({ system, task, dryRun, runId: workflowInfo().runId });
  };
  const outcome = dryRun ? await work() : await alone({ system, site, waitSeconds }, story, work);

  story.begin('report');
  const result = { ...outcome, outcome: outcomeOf(outcome) };
  await writeDown({
    system,
    kind: 'housekeeping',
    id: workflowInfo().runId,
    report: result,
    about: `${task}: ${outcome.removed} files`,
  });
  story.finish();
  return result;
}

async function alone(
  where: { readonly system: string; readonly site: string; readonly waitSeconds: number },
  story: Story,
  work: () => Promise<HousekeepingOutcome>,
): Promise<HousekeepingOutcome> {
  story.begin('wait for the system');
  const locked = await withSystemLock(story, { ...where, operation: 'housekeeping' }, work);
  if (!locked.held) throw failure('SystemBusy', locked.why);
  return locked.value;
}

function outcomeOf({ dryRun, removed }: HousekeepingOutcome): HousekeepingResult['outcome'] {
  if (dryRun) return 'planned';
  return removed === 0 ? 'nothing' : 'done';
}
