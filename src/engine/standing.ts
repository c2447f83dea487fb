/** What runs for as long as a system file asks for it. Pure. */
import { watchedByHost } from '../policy/watched.ts';
import type { Component, Plan, System } from '../system/types.ts';
import {
  workflowIds,
  WORKFLOWS,
  type FollowChangesInput,
  type ReceiveWalInput,
  type SiteWatchInput,
  type StandbyInput,
} from '../workflows/contract.ts';

export interface Standing {
  readonly type: string;
  readonly workflowId: string;
  readonly input: ReceiveWalInput | FollowChangesInput | SiteWatchInput | StandbyInput;
  /** One line for the UI's lists. */
  readonly summary: string;
  /** Machines it works on: each of them sees to it that it runs. */
  readonly hosts: readonly string[];
  /** Everything it goes by: when that changes it has to read the file again. */
  readonly settings: string;
}

export const STANDING_TYPES = [
  WORKFLOWS.receiveWal,
  WORKFLOWS.followChanges,
  WORKFLOWS.standby,
  WORKFLOWS.siteWatch,
] as const;

export function standingOf(system: System): Standing[] {
  return [
    ...system.components.flatMap((component) => receiving(system.name, component)),
    ...system.plans.flatMap((plan) => following(system, plan)),
    ...standingBy(system),
    ...watchingSites(system),
  ];
}

function receiving(system: string, component: Component): Standing[] {
  if (component.kind !== 'postgres' || component.method !== 'base' || component.wal === undefined) return [];
  const { name, host, wal, server, dataDirectory } = component;
  return [
    {
      type: WORKFLOWS.receiveWal,
      workflowId: workflowIds.receiveWal(system, name),
      input: { system, component: name },
      summary: `${system}: the write-ahead log of ${name}`,
      hosts: [host],
      settings: JSON.stringify({ wal, server, dataDirectory }),
    },
  ];
}

function following(system: System, plan: Plan): Standing[] {
  const watched = watchedByHost(system, plan);
  if (watched.length === 0) return [];
  const names = watched.flatMap(({ components }) => components);
  return [
    {
      type: WORKFLOWS.followChanges,
      workflowId: workflowIds.followChanges(system.name, plan.name),
      input: { system: system.name, plan: plan.name },
      summary: `${system.name}: plan ${plan.name} whenever its files change`,
      hosts: watched.map(({ host }) => host),
      settings: JSON.stringify([watched, system.components.filter(({ name }) => names.includes(name))]),
    },
  ];
}

function standingBy({ name, components, failover }: System): Standing[] {
  if (failover?.warm !== true) return [];
  return [
    {
      type: WORKFLOWS.standby,
      workflowId: workflowIds.standby(name),
      input: { system: name },
      summary: `${name}: restored ahead, while another site is active`,
      hosts: [...new Set(components.map(({ host }) => host))],
      settings: JSON.stringify([components.map((one) => [one.name, one.host]), failover]),
    },
  ];
}

function watchingSites({ name, site, hosts, failover }: System): Standing[] {
  if (failover === undefined) return [];
  return [
    {
      type: WORKFLOWS.siteWatch,
      workflowId: workflowIds.siteWatch(name),
      input: { system: name },
      summary: `${name}: what its other sites do`,
      hosts,
      settings: JSON.stringify([site, hosts, failover]),
    },
  ];
}
