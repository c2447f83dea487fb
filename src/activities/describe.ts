/** The facts of a system that workflows decide by, and reports for people and programs. */
import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { stillRuns } from '../engine/still-runs.ts';
import { HoldfastError } from '../failures.ts';
import { isWholeRestore, wholeRestoreMarkdown } from '../observe/restore-report.ts';
import { captureGroups } from '../policy/order.ts';
import { filesByHost, watchedByHost } from '../policy/watched.ts';
import { readAllDifferences } from '../status/differences.ts';
import { reportsDirectory } from '../system/home.ts';
import { planOf, storeOf, taskOf } from '../status/of-system.ts';
import { loadSystem, type Component, type System } from '../system/index.ts';
import type { PostgresWal } from '../system/postgres-types.ts';
import { lockHolderOf } from './lock-holder.ts';
import { describeMonitoring, judgeSystem, signOfLife } from './monitor.ts';
import { announce } from './announce.ts';
import { describeDrill } from './drill/describe.ts';
import { createFailoverFactsActivities } from './failover/describe.ts';
import { createHandoverFactsActivities } from './handover/describe.ts';
import { createSiteWatchFactsActivities } from './site-watch/describe.ts';
import { startCopies } from './start-copies.ts';
import { createAskingActivities } from './who-asked.ts';
import { activity } from './shell.ts';
import type { BackupFacts, ChangeFacts, CopyFacts, OrchestrationActivities, SystemFacts, WalFacts } from './types.ts';

export interface OrchestrationContext {
  readonly client: Client;
}

/** What a worker of the orchestration queue does besides running workflows. */
export function createOrchestrationActivities(context: OrchestrationContext): OrchestrationActivities {
  return {
    describeBackup: activity('describeBackup', ({ system, plan }) => describeBackup(system, plan)),
    describeSystem: activity('describeSystem', async ({ system }) => factsOf(await loadSystem(system))),
    describeCopy: activity('describeCopy', ({ system, target }) => describeCopy(system, target)),
    startCopies: activity('startCopies', ({ system, targets }) => startCopies(context.client, system, targets)),
    describeStores: activity('describeStores', ({ system, store }) => describeStores(system, store)),
    describeWal: activity('describeWal', ({ system, component }) => describeWal(system, component)),
    describeHousekeeping: activity('describeHousekeeping', ({ system, task }) => describeHousekeeping(system, task)),
    describeDrill: activity('describeDrill', describeDrill),
    ...createFailoverFactsActivities(),
    ...createHandoverFactsActivities(),
    ...createSiteWatchFactsActivities(),
    describeChanges: activity('describeChanges', ({ system, plan }) => describeChanges(system, plan)),
    describeStandby: activity('describeStandby', ({ system }) => describeStandby(system)),
    stillRuns: activity('stillRuns', ({ workflowId }) => stillRuns(context.client, workflowId)),
    lockHolder: activity('lockHolder', ({ lockId }) => lockHolderOf(context.client, lockId)),
    describeMonitoring: activity('describeMonitoring', ({ system }) => describeMonitoring(system)),
    ...createAskingActivities(context),
    judgeSystem: activity('judgeSystem', judgeSystem),
    signOfLife: activity('signOfLife', signOfLife),
    writeReport: activity('writeReport', async (input, { asker }) => {
      await writeReport(input);
      await announce(context.client, { ...input, ...(asker === undefined ? {} : { execution: asker.execution }) });
    }),
  };
}

async function describeBackup(name: string, planName: string): Promise<BackupFacts> {
  const system = await loadSystem(name);
  const plan = planOf(system, planName);
  const groups = captureGroups(system, plan);
  const [store] = plan.stores;
  const [first] = groups;
  if (store === undefined || first === undefined) {
    throw new HoldfastError('BadSystemFile', `plan ${planName} of ${name} needs a store and a component`);
  }
  const { stores, verify } = plan;
  const committed = plan.git === undefined ? {} : { git: filesByHost(system, plan) };
  return { ...factsOf(system), plan: plan.name, store, stores, verify, groups, commitHost: first.host, ...committed };
}

async function describeCopy(name: string, target: string): Promise<CopyFacts> {
  return { host: storeOf(await loadSystem(name), target).maintainedBy };
}

async function describeStores(name: string, storeName: string | undefined): Promise<{ name: string; host: string }[]> {
  const system = await loadSystem(name);
  const wanted = storeName === undefined ? system.stores : [storeOf(system, storeName)];
  return wanted.map((store) => ({ name: store.name, host: store.maintainedBy }));
}

async function describeWal(name: string, componentName: string): Promise<WalFacts | undefined> {
  const { components, plans } = await loadSystem(name);
  const component = components.find((one) => one.name === componentName);
  const log = component === undefined ? undefined : logOf(component);
  if (component === undefined || log === undefined) return undefined;
  const [plan] = plans
    .filter((one) => one.components.includes(componentName))
    .toSorted((a, b) => a.components.length - b.components.length);
  const { mode, everySeconds } = log;
  return { host: component.host, mode, everySeconds, ...(plan === undefined ? {} : { basePlan: plan.name }) };
}

async function describeHousekeeping(name: string, taskName: string): Promise<{ host: string; site: string }> {
  const system = await loadSystem(name);
  const { component } = taskOf(system, taskName);
  const found = system.components.find(({ name: own }) => own === component);
  if (found === undefined) throw new HoldfastError('BadInput', `${name} has no component ${component}`);
  return { host: found.host, site: system.site };
}

async function describeChanges(name: string, planName: string): Promise<ChangeFacts[]> {
  const system = await loadSystem(name);
  const plan = system.plans.find((one) => one.name === planName);
  return plan === undefined ? [] : watchedByHost(system, plan);
}

async function describeStandby(name: string): Promise<SystemFacts | undefined> {
  const system = await loadSystem(name);
  return system.failover?.warm === true ? factsOf(system) : undefined;
}

/** How the component's write-ahead log is received, when it is. */
function logOf(component: Component): PostgresWal | undefined {
  return component.kind === 'postgres' && component.method === 'base' ? component.wal : undefined;
}

function factsOf(system: System): SystemFacts {
  return {
    system: system.name,
    site: system.site,
    approvalLimitSeconds: system.approval.limitSeconds,
    keepAsideSeconds: system.keepAsideSeconds,
    fileSha256: createHash('sha256').update(system.sourceText).digest('hex'),
    components: system.components.map((component) => ({
      name: component.name,
      kind: component.kind,
      tier: component.tier,
      host: component.host,
      ...(component.kind === 'volume' ? { quiesce: component.quiesce } : {}),
      ...(logOf(component) === undefined ? {} : { log: true as const }),
    })),
    ...(promises(system) ? { objectives: system.objectives } : {}),
    ...(system.checks.length === 0 ? {} : { checks: system.checks.map(({ name, host }) => ({ name, host })) }),
    ...(system.reconcile.length === 0 ? {} : { reconcile: system.reconcile.map(({ name, host }) => ({ name, host })) }),
  };
}

function promises({ objectives }: System): boolean {
  const { rtoSeconds, tiers, components } = objectives;
  return rtoSeconds !== undefined || Object.keys(tiers).length + Object.keys(components).length > 0;
}

/** One JSON file a report, under the run's own id, so that a repeat writes the same file; of a whole restore Markdown, too. */
async function writeReport(input: Parameters<OrchestrationActivities['writeReport']>[0]): Promise<void> {
  const directory = path.join(reportsDirectory(input.system), input.kind);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, `${input.id.replaceAll(/[^\w.-]/g, '_')}.json`);
  const { system, kind, id, report } = input;
  await writeFile(`${file}.new`, `${JSON.stringify({ system, kind, id, ...report }, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  if (!isWholeRestore(report)) return;
  const differences = await readAllDifferences(report.whole.reconcile);
  const text = wholeRestoreMarkdown({ system, id, at: new Date().toISOString() }, report, differences);
  await writeFile(file.replace(/\.json$/, '.md'), text, { mode: 0o600 });
}
