/** Incidents from outside: opened and told of their end, who is told of them, and how. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { appendAlarms } from '../notify/alarm-log.ts';
import { channelOf, deliver } from '../notify/deliver.ts';
import { recordDelivery } from '../notify/delivery-record.ts';
import { log } from '../observe/log.ts';
import { policyFor } from '../policy/escalation.ts';
import { findingId, isUnknown, type Finding, type Unknown } from '../policy/findings.ts';
import type { Notice } from '../policy/notices.ts';
import { loadKnownSystem } from '../system/index.ts';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { SIGNALS, workflowIds, WORKFLOWS, type Healed, type IncidentInput } from '../workflows/contract.ts';
import type { AlarmFact, IncidentActivities } from './incident-types.ts';
import { activity, type Run } from './shell.ts';

export function createIncidentActivities({ client }: { readonly client: Client }): IncidentActivities {
  return {
    reconcileIncidents: activity('reconcileIncidents', (input) => reconcileIncidents(client, input)),
    describeEscalation: activity('describeEscalation', async ({ system, check, severity }) =>
      policyFor((await loadKnownSystem(system)).system.escalation, { check, severity }),
    ),
    notify: activity('notify', notify),
    recordAlarms: activity('recordAlarms', ({ system, alarms }) => recordAlarms(system, alarms)),
  };
}

/** `running` gives the ids of workflows; it may lack the newest and hold some that have just ended. */
export async function reconcileIncidents(
  client: Client,
  input: { readonly system: string; readonly findings: readonly Finding[]; readonly unknown: readonly Unknown[] },
  running: () => Promise<readonly string[]> = () => runningIncidents(client, input.system),
): Promise<{ opened: string[]; healed: string[] }> {
  const { system, findings, unknown } = input;
  const before = new Set(await running());
  const found = new Set<string>();
  const opened: string[] = [];
  for (const finding of findings) {
    const workflowId = workflowIds.incident(system, finding.check, finding.subject);
    found.add(workflowId);
    await tellFound(client, workflowId, { ...finding, system });
    if (!before.has(workflowId)) opened.push(findingId(finding));
  }
  const healed: string[] = [];
  const prefix = `${system}/incident/`;
  for (const workflowId of before) {
    const id = workflowId.slice(prefix.length);
    if (found.has(workflowId) || isUnknown(id, unknown)) continue;
    if (await tellHealed(client, workflowId)) healed.push(id);
  }
  return { opened, healed };
}

async function tellFound(client: Client, workflowId: string, finding: Finding): Promise<void> {
  const { system, check, subject, severity, what, hint, since } = finding;
  const input: IncidentInput = {
    system,
    check,
    subject,
    severity,
    what,
    hint,
    ...(since === undefined ? {} : { since }),
  };
  await client.workflow.signalWithStart(WORKFLOWS.incident, {
    taskQueue: ORCHESTRATION_QUEUE,
    workflowId,
    args: [input],
    signal: SIGNALS.found,
    signalArgs: [finding],
    staticSummary: `${system}: ${check} of ${subject}`,
  });
}

/** False when it has ended in between. */
async function tellHealed(client: Client, workflowId: string): Promise<boolean> {
  const healed: Healed = { at: new Date().toISOString() };
  try {
    await client.workflow.getHandle(workflowId).signal(SIGNALS.healed, healed);
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function runningIncidents(client: Client, system: string): Promise<string[]> {
  const query = `WorkflowType = '${WORKFLOWS.incident}' AND ExecutionStatus = 'Running'`;
  const found: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) {
    if (workflowId.startsWith(`${system}/incident/`)) found.push(workflowId);
  }
  return found;
}

async function notify(input: { system: string; channel: string; notice: Notice }, run: Run): Promise<void> {
  const channel = channelOf((await loadKnownSystem(input.system)).system, input.channel);
  try {
    await deliver(channel, input.notice, run.signal);
  } catch (error) {
    run.signal.throwIfAborted();
    await remember(input, error instanceof Error ? error.message : String(error));
    throw error;
  }
  await remember(input, undefined);
}

/** Nice to have: what was delivered must not be sent again and again because a disk is full. */
async function remember(of: { system: string; channel: string }, failure: string | undefined): Promise<void> {
  try {
    await recordDelivery(of.system, of.channel, failure);
  } catch (error) {
    log('notify').warn({ err: error, channel: of.channel }, 'how a delivery went could not be written down');
  }
}

function recordAlarms(system: string, alarms: readonly AlarmFact[]): Promise<void> {
  return appendAlarms(
    system,
    alarms.map((alarm) => ({ ...alarm, system })),
  );
}
