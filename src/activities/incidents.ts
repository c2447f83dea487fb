/** Incidents from outside: opened and told of their end, who is told of them, and how. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { tellHealed } from '../engine/tell-healed.ts';
import { appendAlarms } from '../notify/alarm-log.ts';
import { policyFor } from '../policy/escalation.ts';
import { findingId, isUnknown, type Finding, type Unknown } from '../policy/findings.ts';
import { loadKnownSystem, type ChannelConfig } from '../system/index.ts';
import { SIGNALS, workflowIds, WORKFLOWS, type IncidentNote } from '../workflows/contract.ts';
import type { AlarmFact, IncidentActivities } from './incident-types.ts';
import { deliverNotice, isReachedAgain } from './deliver-notice.ts';
import { activity } from './shell.ts';
import { tellFound } from './tell-found.ts';

export function createIncidentActivities({ client }: { readonly client: Client }): IncidentActivities {
  return {
    reconcileIncidents: activity('reconcileIncidents', (input) => reconcileIncidents(client, input)),
    describeEscalation: activity('describeEscalation', async ({ system, check, severity }) =>
      policyFor((await loadKnownSystem(system)).system.escalation, { check, severity }),
    ),
    notify: activity('notify', (input, run) => deliverNotice(client, input, run)),
    noteIncidents: activity('noteIncidents', (input) => noteIncidents(client, input)),
    recordAlarms: activity('recordAlarms', ({ system, alarms }) => recordAlarms(system, alarms)),
  };
}

/**
 * `running` gives the ids of workflows; it may lack the newest and hold some that have just ended. What is wrong with a
 * channel is told and healed by who delivers to it, as long as the system file has it; that one which could not be reached
 * answers again is seen here too.
 */
export async function reconcileIncidents(
  client: Client,
  input: { readonly system: string; readonly findings: readonly Finding[]; readonly unknown: readonly Unknown[] },
  running: () => Promise<readonly string[]> = () => runningIncidents(client, input.system),
  channels: () => Promise<readonly ChannelConfig[]> = () => channelsOf(input.system),
): Promise<{ opened: string[]; healed: string[] }> {
  const { system, findings, unknown } = input;
  const before = new Set(await running());
  const found = new Set<string>();
  const opened: string[] = [];
  for (const finding of findings.filter(({ check }) => check !== 'notify')) {
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
    const [check, ...subject] = id.split('/');
    const channel = check === 'notify' ? (await channels()).find(({ name }) => name === subject.join('/')) : undefined;
    if (channel !== undefined && !(await isReachedAgain(client, workflowId, channel))) continue;
    if (await tellHealed(client, workflowId)) healed.push(id);
  }
  return { opened, healed };
}

async function channelsOf(system: string): Promise<readonly ChannelConfig[]> {
  return (await loadKnownSystem(system)).system.notify;
}

async function runningIncidents(client: Client, system: string): Promise<string[]> {
  const query = `WorkflowType = '${WORKFLOWS.incident}' AND ExecutionStatus = 'Running'`;
  const found: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) {
    if (workflowId.startsWith(`${system}/incident/`)) found.push(workflowId);
  }
  return found;
}

async function noteIncidents(
  client: Client,
  { system, notes }: Parameters<IncidentActivities['noteIncidents']>[0],
): Promise<void> {
  for (const { check, subject, what } of notes) {
    const note: IncidentNote = { what };
    try {
      await client.workflow.getHandle(workflowIds.incident(system, check, subject)).signal(SIGNALS.note, note);
    } catch (error) {
      // Nobody has noticed the trouble, or it is over.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
}

function recordAlarms(system: string, alarms: readonly AlarmFact[]): Promise<void> {
  return appendAlarms(
    system,
    alarms.map((alarm) => ({ ...alarm, system })),
  );
}
