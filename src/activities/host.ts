/** Everything the worker of one host can do, joined to what surrounds an activity. */
import { leftFreezes, releaseFreeze } from '../docker/freeze-left.ts';
import { log } from '../observe/log.ts';
import { listSystems } from '../system/index.ts';
import { HOLDFAST_VERSION } from '../vault/version.ts';
import { recordAudit } from './audit.ts';
import { awaitChange } from './await-change.ts';
import { abandonCapture, beginCapture, commitCapture, hotPass } from './capture.ts';
import { captureGroup } from './capture-group.ts';
import { housekeep } from './housekeep.ts';
import { chooseStore } from './choose-store.ts';
import { goThrough } from './checklist.ts';
import { askScratch } from './drill/ask.ts';
import { keepDrill } from './drill/keep.ts';
import { clearLeft } from './drill/left.ts';
import { planDrill } from './drill/plan.ts';
import { startScratchStack } from './drill/stack.ts';
import { planScratchStack } from './drill/stack-plan.ts';
import { beginDrill, checkScratch, clearDrill, restoreScratch } from './drill/scratch.ts';
import { compareClean, lookClean, planCleanPoint, reportCleanPoint } from './clean-point.ts';
import { commitConfiguration } from './commit-configuration.ts';
import { copyTurn } from './copy.ts';
import { condemnPruned, keepLocks, planPrune, sweepCondemned } from './prune.ts';
import { thawBackup } from './cold.ts';
import { createDnsActivities } from './failover/dns.ts';
import { createFailoverActivities } from './failover/index.ts';
import type { HostContext } from './host-context.ts';
import { checkBeside, checkLive, commitRestore, discardBeside, restoreBeside, swapBack, swapIn } from './restore.ts';
import { lookAtLive, planRestore } from './restore-plan.ts';
import { findBroken, restartContainers } from './restart.ts';
import { applyRows, bringRows, discardRows, previewRows } from './rows.ts';
import { applyMissing, discardMissing, planMissing } from './missing.ts';
import { lookAround } from './monitor.ts';
import { activity, type Run } from './shell.ts';
import { createHandoverActivities } from './handover/index.ts';
import { createReadinessActivities } from './readiness/index.ts';
import { watchSites } from './site-watch/watch.ts';
import { createStandbyActivities } from './standby/index.ts';
import { startServers, stopServers } from './late-servers.ts';
import { startAfterRestore, stopForRestore } from './stop-start.ts';
import type {
  CopyActivities,
  HostActivities,
  PruneActivities,
  UrgentActivities,
  WalActivities,
  WalTurnInput,
} from './types.ts';
import { runChecks, runReconcile } from './validation/run-checks.ts';
import { findBackup, verifyBackup } from './verify.ts';
import { verifyStore } from './verify-store.ts';
import { collectWal } from './wal/collect.ts';
import { receiveWal } from './wal/receive.ts';

type Given<I, O> = (context: HostContext, input: I, run: Run) => Promise<O>;

export function createHostActivities(context: HostContext): HostActivities {
  const of = <I, O>(work: Given<I, O>): ((input: I) => Promise<O>) =>
    activity(work.name, (input: I, run) => work(context, input, run));
  const insistently = <I, O>(work: Given<I, O>): ((input: I) => Promise<O>) =>
    activity(work.name, (input: I, run) => work(context, input, run), { insistent: true });
  return {
    chooseStore: of(chooseStore),
    beginCapture: of(beginCapture),
    hotPass: of(hotPass),
    captureGroup: of(captureGroup),
    commitCapture: of(commitCapture),
    commitConfiguration: of(commitConfiguration),
    abandonCapture: of(abandonCapture),
    verifyBackup: of(verifyBackup),
    verifyStore: of(verifyStore),
    housekeep: of(housekeep),
    goThrough: of(goThrough),
    planDrill: of(planDrill),
    beginDrill: of(async (where, input: Parameters<HostActivities['beginDrill']>[0], run) => {
      await clearLeft(where, await where.system(input.system), run);
      await beginDrill(where, input, run);
    }),
    restoreScratch: of(restoreScratch),
    checkScratch: of(checkScratch),
    planScratchStack: of(planScratchStack),
    startScratchStack: of(startScratchStack),
    askScratch: of(askScratch),
    // Once begun, it ends only by having succeeded.
    clearDrill: insistently(clearDrill),
    keepDrill: of(keepDrill),
    findBackup: of(findBackup),
    lookAtLive: of(lookAtLive),
    planRestore: of(planRestore),
    thawBackup: of(thawBackup),
    restoreBeside: of(restoreBeside),
    checkBeside: of(checkBeside),
    swapIn: of(swapIn),
    // Once begun, these end only by having succeeded.
    swapBack: insistently(swapBack),
    commitRestore: insistently(commitRestore),
    discardBeside: of(discardBeside),
    checkLive: of(checkLive),
    runChecks: of(runChecks),
    runReconcile: of(runReconcile),
    bringRows: of(bringRows),
    previewRows: of(previewRows),
    applyRows: of(applyRows),
    discardRows: of(discardRows),
    planMissing: of(planMissing),
    planCleanPoint: of(planCleanPoint),
    lookClean: of(lookClean),
    compareClean: of(compareClean),
    reportCleanPoint: of(reportCleanPoint),
    applyMissing: of(applyMissing),
    discardMissing: of(discardMissing),
  };
}

export function createWalActivities(context: HostContext): WalActivities {
  return {
    receiveWal: activity('receiveWal', (input: WalTurnInput, run) => receiveWal(context, input, run)),
    awaitChange: activity('awaitChange', (input, run) => awaitChange(context, input, run)),
    watchSites: activity('watchSites', (input, run) => watchSites(context, input, run)),
    collectWal: activity('collectWal', (input: WalTurnInput, run) => collectWal(context, input, run)),
  };
}

export function createCopyActivities(context: HostContext): CopyActivities & PruneActivities {
  return {
    copyTurn: activity('copyTurn', (input, run) => copyTurn(context, input, run)),
    planPrune: activity('planPrune', (input, run) => planPrune(context, input, run)),
    condemnPruned: activity('condemnPruned', (input, run) => condemnPruned(context, input, run)),
    sweepCondemned: activity('sweepCondemned', (input, run) => sweepCondemned(context, input, run)),
    keepLocks: activity('keepLocks', (input, run) => keepLocks(context, input, run)),
  };
}

export function createUrgentActivities(context: HostContext): UrgentActivities {
  const releaseOne: Given<Parameters<UrgentActivities['releaseFreeze']>[0], { released: string[] }> = async (
    _,
    { system, freezeId },
    run,
  ) => {
    // The workflow asks only when its capture is over; what a process that it has given up still holds is let go too.
    const evenIfAlive = freezeId !== undefined;
    const onTrouble = (text: string): void => run.log.warn(text);
    const options = { docker: context.docker(), signal: run.signal, onTrouble, evenIfAlive };
    return { released: await releaseFreeze(context.stateDirectory(system), freezeId, options) };
  };
  return {
    releaseFreeze: activity('releaseFreeze', (input, run) => releaseOne(context, input, run), { insistent: true }),
    stopForRestore: activity('stopForRestore', (input, run) => stopForRestore(context, input, run)),
    startServers: activity('startServers', (input, run) => startServers(context, input, run)),
    stopServers: activity('stopServers', (input, run) => stopServers(context, input, run)),
    startAfterRestore: activity('startAfterRestore', (input, run) => startAfterRestore(context, input, run)),
    recordAudit: activity('recordAudit', (input, run) => recordAudit(context, input, run)),
    findBroken: activity('findBroken', (input, run) => findBroken(context, input, run)),
    restartContainers: activity('restartContainers', (input, run) => restartContainers(context, input, run)),
    ...createFailoverActivities(context),
    ...createHandoverActivities(context),
    ...createDnsActivities(context),
    lookAround: activity('lookAround', (input, run) => lookAround(context, input, run)),
    ...createReadinessActivities(context),
    ...createStandbyActivities(context),
    ping: activity('ping', () => Promise.resolve({ host: context.host, version: HOLDFAST_VERSION })),
  };
}

/** What the last worker of this host left paused or stopped is released, for every system known here. */
export async function releaseWhatWasLeft(context: HostContext, signal: AbortSignal): Promise<string[]> {
  const over: string[] = [];
  for (const { name } of await listSystems()) {
    const stateDirectory = context.stateDirectory(name);
    if ((await leftFreezes(stateDirectory)).length === 0) continue;
    const onTrouble = (text: string): void => log('worker').warn({ system: name }, text);
    over.push(...(await releaseFreeze(stateDirectory, undefined, { docker: context.docker(), signal, onTrouble })));
  }
  return over;
}
