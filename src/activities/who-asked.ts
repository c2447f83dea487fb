/** Who started a run and who answered it, by the engine's own record; and who may write the audit log. */
import type { Client } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import { askerOf, type Asker } from '../policy/askers.ts';
import { loadSystem } from '../system/index.ts';
import type { AskingActivities } from './audit-types.ts';
import { activity, type Execution, type Run } from './shell.ts';

/** What waits for a person has a short history; more is read in pages. */
const PAGE = 500;

export function createAskingActivities({ client }: { readonly client: Client }): AskingActivities {
  return {
    whoAsks: activity('whoAsks', async ({ system }, run) => {
      const { approval } = await loadSystem(system);
      return { asker: await starterOf(client, runOf(run)), fourEyes: approval.fourEyes };
    }),
    whoAnswered: activity('whoAnswered', ({ workflowId, runId }) => answererOf(client, { workflowId, runId })),
    describeAudit: activity('describeAudit', async ({ system: name }) => {
      const { stores, components } = await loadSystem(name);
      const hosts = [...stores.map(({ maintainedBy }) => maintainedBy), ...components.map(({ host }) => host)];
      return { hosts: [...new Set(hosts)] };
    }),
  };
}

function runOf({ asker }: Run): Execution {
  if (asker === undefined) throw new HoldfastError('BadInput', 'no run asks for this');
  return asker.execution;
}

async function starterOf(client: Client, run: Execution): Promise<Asker> {
  for await (const event of eventsOf(client, run, 1)) {
    const started = event.workflowExecutionStartedEventAttributes;
    if (started === null || started === undefined) break;
    return askerOf(started.identity ?? '', started.parentWorkflowExecution?.workflowId ?? undefined);
  }
  return askerOf('');
}

async function answererOf(client: Client, run: Execution): Promise<Asker | undefined> {
  let identity: string | undefined;
  for await (const event of eventsOf(client, run, PAGE)) {
    const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
    const signal = event.workflowExecutionSignaledEventAttributes;
    if (isAnswer(update?.input?.name)) identity = update?.meta?.identity ?? '';
    else if (isAnswer(signal?.signalName)) identity = signal?.identity ?? '';
  }
  return identity === undefined ? undefined : askerOf(identity);
}

/** The names of the updates and the signals beside them. */
function isAnswer(name: string | null | undefined): boolean {
  return name !== null && name !== undefined && /^(approve|reject)(Signal)?$/.test(name);
}

async function* eventsOf(client: Client, execution: Execution, maximumPageSize: number) {
  const { namespace } = client.options;
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution,
      maximumPageSize,
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
    yield* page.history?.events ?? [];
    nextPageToken = page.nextPageToken.length === 0 ? undefined : page.nextPageToken;
  } while (nextPageToken !== undefined);
}
