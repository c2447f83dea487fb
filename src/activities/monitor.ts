/** What `monitor` asks of hosts and of the orchestration side. */
import { redactText } from '../observe/redact.ts';
import type { Finding } from '../policy/findings.ts';
import type { HostLook } from '../policy/host-look.ts';
import { fileTrouble } from '../policy/judge-file.ts';
import { findingsOf } from '../status/findings.ts';
import { lookAtHost } from '../status/host-look.ts';
import { tellAlive } from '../status/ping.ts';
import { runningOperations } from '../status/running.ts';
import { loadKnownSystem } from '../system/index.ts';
import type { HostContext } from './host-context.ts';
import { asidesSeen } from './asides-seen.ts';
import type { Run } from './shell.ts';
import { sitesSeen } from './sites-seen.ts';
import type { MonitoringFacts, OrchestrationActivities, SystemJudged } from './types.ts';

/** More would fill histories, and no person reads them. */
const MOST = 200;
const TEXT_LIMIT = 600;

export async function lookAround(
  context: HostContext,
  { system: name, heldBy }: { system: string; heldBy?: string },
  run: Run,
): Promise<HostLook> {
  const { system, fault } = await context.knownSystem(name);
  const [look, asides, sites] = await Promise.all([
    lookAtHost(system, context.host, {
      signal: run.signal,
      docker: () => context.docker(),
      ...(heldBy === undefined ? {} : { heldBy }),
    }),
    asidesSeen(context, system, run),
    sitesSeen(context, system, run),
  ]);
  const troubles = (found: HostLook['tools']): HostLook['tools'] =>
    found.slice(0, MOST).map(({ subject, what, hint }) => ({ subject, what: short(what), hint: short(hint) }));
  const { components, services = [], tools, rights } = look;
  const [file] = fault === undefined ? [] : troubles([fileTrouble(name, fault, Date.now())]);
  const all = {
    ...look,
    services: services.slice(0, MOST).map((one) => ({ ...one, what: short(one.what), hint: short(one.hint) })),
    components: troubles(components),
    tools: troubles(tools),
    rights: troubles(rights),
    ...(system.failover === undefined ? {} : { sites: troubles(sites) }),
    asides: { overdue: troubles(asides.overdue), unseen: asides.unseen },
  };
  return file === undefined ? all : { ...all, file };
}

export async function describeMonitoring(name: string): Promise<MonitoringFacts> {
  const { site, hosts, monitor } = (await loadKnownSystem(name)).system;
  return { site, hosts, ping: monitor?.ping !== undefined };
}

export async function judgeSystem(
  { system: name, hosts, nowMs }: Parameters<OrchestrationActivities['judgeSystem']>[0],
  run: Run,
): Promise<SystemJudged> {
  const { system, fault } = await loadKnownSystem(name);
  const engine = await runningOperations();
  const options = { hosts, signal: run.signal, ...(fault === undefined ? {} : { fault }) };
  const { findings, unknown } = await findingsOf(system, engine, nowMs, options);
  const untold = checksOf(findings.slice(MOST)).map((what) => ({ what, why: 'too many findings to tell each' }));
  // A list that is cut would be news of an end: whole checks are unknown then.
  const checks = [...new Set(unknown.map(({ what }) => what.split('/')[0] ?? what))];
  const unseen =
    unknown.length <= MOST ? unknown : checks.map((what) => ({ what, why: 'much of it could not be seen' }));
  return {
    findings: findings.slice(0, MOST).map(shortened),
    findingsCount: findings.length,
    unknown: [...unseen, ...untold].map(({ what, why }) => ({ what, why: short(why) })),
  };
}

export async function signOfLife(
  { system, broken, nowMs }: Parameters<OrchestrationActivities['signOfLife']>[0],
  run: Run,
): Promise<void> {
  await tellAlive((await loadKnownSystem(system)).system, { broken, nowMs, signal: run.signal });
}

function checksOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ check }) => check))];
}

function shortened(finding: Finding): Finding {
  return { ...finding, what: short(finding.what), hint: short(finding.hint) };
}

/** What servers say goes into a history here. */
function short(text: string): string {
  return redactText(text).slice(0, TEXT_LIMIT);
}
