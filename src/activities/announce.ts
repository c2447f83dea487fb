/**
 * That an operation has ended is told to the channels that ask for it, each by a workflow of its own: what becomes of a
 * message is nothing to the operation.
 */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { endNotice, endOf, type Notice } from '../policy/notices.ts';
import { operationOf } from '../status/last-runs.ts';
import { loadKnownSystem } from '../system/index.ts';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { workflowIds, WORKFLOWS, type NotifyInput } from '../workflows/contract.ts';

export interface Announcement {
  readonly system: string;
  readonly kind: string;
  readonly id: string;
  readonly report: Readonly<Record<string, unknown>>;
  /** The run whose report it is. */
  readonly execution?: { readonly workflowId: string; readonly runId: string };
}

/** Starts one delivery for each channel that wants to know. A repeat starts nothing twice. */
export async function announce(client: Client, given: Announcement): Promise<void> {
  const event = endOf(given);
  if (event === undefined) return;
  const { notify } = (await loadKnownSystem(given.system)).system;
  const channels = notify.filter(({ on }) => on.includes(event));
  if (channels.length === 0) return;
  const about = await aboutRun(client, given);
  const notice = endNotice({ ...given, ...about, atMs: Date.now() }, event);
  for (const { name } of channels) await startDelivery(client, notice, name);
}

async function aboutRun(
  client: Client,
  { execution, system, kind }: Announcement,
): Promise<{ id?: string; subject?: string; durationSeconds?: number }> {
  if (execution === undefined) return {};
  const { workflowId, runId } = execution;
  const operation = operationOf(system, workflowId);
  const subject = operation.startsWith(`${kind}/`) ? operation.slice(kind.length + 1) : undefined;
  const { startTime } = await client.workflow.getHandle(workflowId, runId).describe();
  const durationSeconds = Math.max(0, Math.round((Date.now() - startTime.getTime()) / 1000));
  // A report may have the name of what was worked on, which is worked on again some day.
  return { id: runId, durationSeconds, ...(subject === undefined ? {} : { subject }) };
}

async function startDelivery(client: Client, notice: Notice, channel: string): Promise<void> {
  const { facts, ...rest } = notice;
  const input: NotifyInput = { ...rest, channel, facts: JSON.stringify(facts) };
  try {
    await client.workflow.start(WORKFLOWS.notify, {
      taskQueue: ORCHESTRATION_QUEUE,
      workflowId: workflowIds.notify(notice.system, notice.id, channel),
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      args: [input],
      staticSummary: `${notice.title}: to ${channel}`.slice(0, 180),
    });
  } catch (error) {
    // By an earlier attempt of the same report.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
