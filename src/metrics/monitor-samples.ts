/** What monitoring has found and what became of it: from the newest run of `monitor`, and from the incidents. */
import type { Engine } from '../engine/connect.ts';
import { CHECKS, SEVERITIES, type Finding } from '../policy/findings.ts';
import type { Registered } from '../system/last-good.ts';
import type { KnownIncident } from '../status/incidents.ts';
import { SEARCH_ATTRIBUTES, WORKFLOWS, type MonitorResult } from '../workflows/contract.ts';
import type { Sample } from './definitions.ts';

export interface LastMonitor {
  readonly atMs: number;
  readonly findings: readonly Pick<Finding, 'check' | 'severity'>[];
}

/** Of the newest run that has judged the system; undefined when there is none that the engine remembers. */
export async function lastMonitor({ client }: Engine, system: string): Promise<LastMonitor | undefined> {
  const query = `WorkflowType = '${WORKFLOWS.monitor}' AND ${SEARCH_ATTRIBUTES.system} = '${system}' AND ExecutionStatus = 'Completed'`;
  // Newest first.
  for await (const { workflowId, runId, closeTime } of client.workflow.list({ query, pageSize: 1 })) {
    const { findings } = (await client.workflow.getHandle(workflowId, runId).result()) as MonitorResult;
    return { atMs: closeTime?.getTime() ?? 0, findings };
  }
  return undefined;
}

/** Told by the process that reads the file itself: a bad one may keep monitoring from judging anything. Pure. */
export function fileSample({ name, fault }: Pick<Registered, 'name' | 'fault'>): Sample {
  return { name: 'holdfast_system_file_usable', labels: { system: name }, value: Number(fault === undefined) };
}

/** Every kind of trouble has a value, so that one that is gone goes to 0 and not away. Pure. */
export function findingSamples(system: string, { atMs, findings }: LastMonitor): Sample[] {
  const counts = CHECKS.flatMap((check) =>
    SEVERITIES.map((severity): Sample => {
      const value = findings.filter((one) => one.check === check && one.severity === severity).length;
      return { name: 'holdfast_findings', labels: { system, check, severity }, value };
    }),
  );
  return [{ name: 'holdfast_monitor_timestamp_seconds', labels: { system }, value: atMs / 1000 }, ...counts];
}

/** Of one system. An incident that no worker could tell of is open and, to be safe, critical. Pure. */
export function incidentSamples(system: string, incidents: readonly KnownIncident[]): Sample[] {
  const own = incidents.filter((one) => one.running && one.system === system);
  return SEVERITIES.flatMap((severity) =>
    (['open', 'acknowledged'] as const).map((state): Sample => {
      const value = own.filter(({ incident }) => {
        const isState = (incident?.state === 'acknowledged') === (state === 'acknowledged');
        return isState && (incident?.finding.severity ?? 'critical') === severity;
      }).length;
      return { name: 'holdfast_incidents_open', labels: { system, severity, state }, value };
    }),
  );
}
