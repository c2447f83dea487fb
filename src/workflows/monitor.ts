/**
 * Looks at a system: each host says what it sees of itself, then all of it is judged with what stores and engine say. A
 * host that says nothing is a finding, and holds nobody up. Takes no lock and changes nothing of the system.
 */
import { ActivityFailure, isCancellation, log, proxyActivities } from '@temporalio/workflow';
import type { OrchestrationActivities, UrgentActivities } from '../activities/types.ts';
import { FINAL_CODES } from '../failures.ts';
import type { HostSeen } from '../policy/host-look.ts';
import { urgentHostQueue } from '../task-queues.ts';
import { workflowIds, type MonitorInput, type MonitorResult } from './contract.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { orchestration, reconciling } from './proxies.ts';
import { Story } from './story.ts';

const FIELDS: Fields<MonitorInput> = { system: { ...NAME, required: true } };
const STEPS = ['ask the hosts', 'judge', 'incidents', 'sign of life'] as const;
const MOST_TOLD = 50;

const judging = proxyActivities<Pick<OrchestrationActivities, 'judgeSystem'>>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: '1 second', maximumAttempts: 3, nonRetryableErrorTypes: [...FINAL_CODES] },
  summary: 'judge',
});

/** Until the next look, which has a sign of its own to give. */
const signing = proxyActivities<Pick<OrchestrationActivities, 'signOfLife'>>({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '3 minutes',
  retry: { initialInterval: '2 seconds', maximumAttempts: 6, nonRetryableErrorTypes: [...FINAL_CODES] },
  summary: 'sign of life',
});

export async function monitor(input: MonitorInput): Promise<MonitorResult> {
  const { system } = parseInput<MonitorInput>('monitor', input, FIELDS);
  const story = new Story('monitor', STEPS);
  return inOneVoice(() => run(system, story));
}

async function run(system: string, story: Story): Promise<MonitorResult> {
  story.about(system);
  story.begin('ask the hosts');
  const { site, hosts, ping } = await orchestration.describeMonitoring({ system });
  const holder = await orchestration.lockHolder({ lockId: workflowIds.lock(system, site) });
  // A restore stops and exchanges what would be looked at.
  const heldBy = holder?.operation === 'restore' ? `${holder.workflowId} holds it` : undefined;
  const seen = await Promise.all(hosts.map((host) => ask(system, host, heldBy)));

  story.begin('judge');
  const judged = await judging.judgeSystem({ system, hosts: seen, nowMs: Date.now() });
  const { findings, findingsCount, unknown } = judged;

  story.begin('incidents');
  const { opened, healed } = await reconciling.reconcileIncidents({ system, findings, unknown });

  story.begin('sign of life');
  if (ping) await signOfLife(system, findingsCount > 0);
  story.finish();
  return { findings: findings.slice(0, MOST_TOLD), findingsCount, opened, healed, unknown };
}

/** Its clock is compared with the engine's, which is what a workflow's own is. */
async function ask(system: string, host: string, heldBy: string | undefined): Promise<HostSeen> {
  const { lookAround } = proxyActivities<Pick<UrgentActivities, 'lookAround'>>({
    taskQueue: urgentHostQueue(host),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: '20 seconds',
    scheduleToStartTimeout: '30 seconds',
    scheduleToCloseTimeout: '90 seconds',
    retry: { maximumAttempts: 2, nonRetryableErrorTypes: [...FINAL_CODES] },
    summary: `look around on ${host}`,
  });
  const askedAtMs = Date.now();
  try {
    const look = await lookAround({ system, ...(heldBy === undefined ? {} : { heldBy }) });
    return { host, look, askedAtMs, answeredAtMs: Date.now() };
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return { host, silent: told(error).message };
  }
}

async function signOfLife(system: string, broken: boolean): Promise<void> {
  try {
    await signing.signOfLife({ system, broken, nowMs: Date.now() });
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('the sign of life could not be given', { why: told(error).message });
  }
}
