/**
 * What the system files ask for and what runs for ever: write-ahead logs are received, files of plans that run on change
 * are watched. What does not run yet is started, and what a changed file says otherwise, or no more, is told to it.
 */
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { loadSystem } from '../system/index.ts';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { SIGNALS } from '../workflows/contract.ts';
import { STANDING_TYPES, standingOf, type Standing } from './standing.ts';
import { SystemFilesFollower } from './system-files.ts';

export interface StandingNews {
  /** Where it failed: the system. */
  readonly workflowId: string;
  /** `told`: its system file says something else now, or asks for it no more. */
  readonly did: 'started' | 'goes on' | 'told' | 'failed';
  /** Why it could not be started, or why a system file could not be read. */
  readonly error?: string;
}

type Tell = (news: StandingNews) => void;
/** What each of them was begun with, by workflow id, by system. */
type Known = Map<string, ReadonlyMap<string, string>>;

/** Of these hosts. */
export function standingFollower(hosts: readonly string[], tell: Tell): SystemFilesFollower {
  const known: Known = new Map();
  return new SystemFilesFollower({
    ofSystem: ({ client }, system) => ensureSystem(client, system, { hosts, known, tell }),
    failed: (workflowId, error) => tell({ workflowId, did: 'failed', error }),
  });
}

async function ensureSystem(
  client: Client,
  system: string,
  here: { readonly hosts: readonly string[]; readonly known: Known; readonly tell: Tell },
): Promise<void> {
  const { known, tell } = here;
  const all = standingOf(await loadSystem(system));
  const wanted = all.filter(({ hosts }) => hosts.some((host) => here.hosts.includes(host)));
  const before = known.get(system);
  for (const one of wanted) {
    const { workflowId, settings } = one;
    const did = await start(client, one);
    const changed = before?.has(workflowId) === true && before.get(workflowId) !== settings;
    if (did === 'goes on' && changed) await lookAgain(client, workflowId, tell);
    else if (did === 'started' || before === undefined || !before.has(workflowId)) tell({ workflowId, did });
  }
  const gone = before === undefined ? await runningOf(client, system) : [...before.keys()];
  for (const workflowId of gone.filter((id) => !all.some((one) => one.workflowId === id)))
    await lookAgain(client, workflowId, tell);
  known.set(system, new Map(wanted.map(({ workflowId, settings }) => [workflowId, settings])));
}

async function lookAgain(client: Client, workflowId: string, tell: Tell): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal(SIGNALS.lookAgain);
    tell({ workflowId, did: 'told' });
  } catch (error) {
    // It has ended, which is as good.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

/** Those that a file asked for which was changed while nobody looked. */
async function runningOf(client: Client, system: string): Promise<string[]> {
  const types = STANDING_TYPES.map((type) => `"${type}"`).join(', ');
  const query = `WorkflowType IN (${types}) AND ExecutionStatus="Running"`;
  const found: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) {
    if (workflowId.startsWith(`${system}/`)) found.push(workflowId);
  }
  return found;
}

async function start(client: Client, { type, workflowId, input, summary }: Standing): Promise<'started' | 'goes on'> {
  try {
    const args = [input];
    await client.workflow.start(type, { taskQueue: ORCHESTRATION_QUEUE, workflowId, args, staticSummary: summary });
    return 'started';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'goes on';
    throw error;
  }
}
