/** One group of components, read inside one freeze when it asks for one, and believed only when that was unbroken. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beginFreeze } from '../docker/freeze.ts';
import { releaseFreeze } from '../docker/freeze-left.ts';
import { planFreeze, type FreezeScope } from '../docker/freeze-plan.ts';
import { hostLock, type HostLock } from '../docker/host-lock.ts';
import type { StartRight } from '../docker/start-right.ts';
import type { HeldFreeze } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { ensureGuard } from '../guard/ensure.ts';
import { kindOf } from '../sources/kinds/index.ts';
import { holdfastHome } from '../system/home.ts';
import type { Component, System } from '../system/types.ts';
import type { ComponentRecord, FreezeRecord, WriterVault } from '../vault/types.ts';
import { addCounts, NO_COUNTS, openSink } from './capture.ts';
import { checkStored, readsBack } from './check-stored.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { clearLeftovers, reopenLeft } from './leftovers.ts';
import type { Run } from './shell.ts';
import { believedPath, isHeld, leasePath, readLease } from '../sites/site-files.ts';
import { rememberBriefly } from '../sites/standing.ts';
import { projectOf } from '../sites/system-containers.ts';
import type { RecordingSink } from './sink.ts';
import type { CaptureResult, HostActivities } from './types.ts';

type Input = Parameters<HostActivities['captureGroup']>[0];

/** How often one attempt reads a group again because something broke its freeze. */
const FREEZE_TRIES = 3;
const LOCK_POLL_MS = 250;

export async function captureGroup(context: HostContext, input: Input, run: Run): Promise<CaptureResult> {
  const system = await context.system(input.system);
  for (const name of input.group.components) await reopenLeft(context, system, componentOf(system, name), run);
  const captured = await captureAlone(context, system, input, run);
  // Nothing is frozen any more, and the lock of the system keeps restores away.
  for (const name of input.group.components) await clearLeftovers(context, system, componentOf(system, name), run);
  return captured;
}

async function captureAlone(context: HostContext, system: System, input: Input, run: Run): Promise<CaptureResult> {
  const lock = await waitForHostLock(run.signal);
  try {
    return await context.withWriter(system, input.store, (vault) =>
      captureUnbroken(context, system, vault, input, run),
    );
  } finally {
    await lock.release();
  }
}

async function captureUnbroken(
  context: HostContext,
  system: System,
  vault: WriterVault,
  input: Input,
  run: Run,
): Promise<CaptureResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await captureOnce(context, system, vault, input, { ...run, attempt: run.attempt + attempt - 1 });
    } catch (error) {
      const broken = error instanceof HoldfastError && error.code === 'FreezeBroken';
      if (!broken || attempt >= FREEZE_TRIES) throw error;
      run.log.warn({ err: error }, 'the freeze was broken: the group is read again');
    }
  }
}

/** One capture at a time on a host: two at once would lengthen each other's freeze. The kernel frees a dead one's. */
async function waitForHostLock(signal: AbortSignal): Promise<HostLock> {
  for (;;) {
    try {
      return await hostLock(`capture of ${holdfastHome()}`, signal);
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'HostBusy')) throw error;
      await sleep(LOCK_POLL_MS, undefined, { signal });
    }
  }
}

interface Read {
  readonly component: Component;
  readonly capturedAt: string;
  readonly facts: Record<string, unknown>;
  readonly warnings: readonly string[];
  readonly judged?: boolean;
  readonly sink: RecordingSink;
}

async function captureOnce(
  context: HostContext,
  system: System,
  vault: WriterVault,
  input: Input,
  run: Run,
): Promise<CaptureResult> {
  const reads: Read[] = [];
  try {
    const freezes = await readAll(context, system, vault, input, run, reads);
    // After the release: waiting for a disk must not lengthen the freeze.
    for (const { sink } of reads) await sink.finish();
    const components: ComponentRecord[] = [];
    for (const read of reads) components.push(await recordOf(context, system, input, run, read));
    return { components, freezes };
  } finally {
    for (const { sink } of reads) await sink.close();
  }
}

async function readAll(
  context: HostContext,
  system: System,
  vault: WriterVault,
  input: Input,
  run: Run,
  reads: Read[],
): Promise<FreezeRecord[]> {
  // Caches and threads are ready before anything stands still.
  if (input.group.quiesce.mode !== 'none') await vault.prepare(input.ticket);
  const freeze = await freezeFor(context, system, input, run);
  const signal = freeze?.signal ?? run.signal;
  let record: FreezeRecord | undefined;
  try {
    for (const name of input.group.components) {
      reads.push(await readOne(context, system, vault, input, { ...run, signal }, name));
    }
    await freeze?.prove();
  } catch (error) {
    // The freeze's own limit says more than whatever the aborted reading threw.
    const { reason } = signal as { reason?: unknown };
    throw signal.aborted && reason instanceof HoldfastError ? reason : error;
  } finally {
    if (freeze !== undefined) await lookOnce(system, run);
    record = await freeze?.release();
  }
  return record === undefined || record.containers.length === 0 ? [] : [record];
}

/** Whoever is active by now: nothing that is said of it may keep containers still. */
async function lookOnce(system: System, run: Run): Promise<void> {
  try {
    await rememberBriefly(system);
  } catch (error) {
    run.log.warn({ err: error }, 'which site is active could not be seen: what was known of it counts');
  }
}

async function freezeFor(
  context: HostContext,
  system: System,
  input: Input,
  run: Run,
): Promise<HeldFreeze | undefined> {
  const scope = scopeOf(system, input);
  if (scope === undefined) return undefined;
  const docker = context.docker();
  const stateDirectory = context.stateDirectory(system.name);
  const onTrouble = (message: string): void => run.log.warn(message);
  // An earlier attempt may have died inside this very freeze.
  await releaseFreeze(stateDirectory, scope.freezeId, { docker, signal: run.signal, onTrouble });
  await requireGuard(system);
  const guard = await ensureGuard(stateDirectory, run.signal);
  try {
    run.report({ phase: scope.mode === 'pause' ? 'pausing' : 'stopping' });
    const intent = await planFreeze(docker, scope);
    const onRefused = (why: string): void =>
      run.log.error(
        { code: 'SiteFenced', system: system.name },
        `what was still for a capture is not started again: ${why}`,
      );
    return await beginFreeze(intent, { docker, stateDirectory, guard, signal: run.signal, onTrouble, onRefused });
  } catch (error) {
    guard.close();
    throw error;
  }
}

/** Throws SiteFenced where nobody could start again what a freeze stops: under a lease that is the site guard alone. */
async function requireGuard(system: System): Promise<void> {
  if (system.failover?.fencing !== 'lease' || isHeld(await readLease(system.name))) return;
  throw new HoldfastError(
    'SiteFenced',
    `no guard of ${system.name} holds the lease here: what a capture stops nobody could start again`,
    { hint: `holdfast site ${system.name} shows the guard; a plan with quiesce none needs none.` },
  );
}

/** Undefined where nothing asks to be quiet, or nothing of the group is used by containers. */
function scopeOf(system: System, { group, freezeId }: Input): FreezeScope | undefined {
  const { mode, budgetSeconds } = group.quiesce;
  const members = group.components.map((name) => componentOf(system, name));
  const volumes = members.flatMap((member) => (member.kind === 'volume' ? [member.volume] : []));
  const projects = members.flatMap((member) => (member.kind === 'compose' ? [member.project] : []));
  const names = members.flatMap((member) => (member.kind === 'sqlite' ? member.usedBy : []));
  if (mode === 'none' || volumes.length + projects.length + names.length === 0) return undefined;
  const project = projectOf(system);
  const namesProject = project === undefined ? {} : { namesProject: project };
  const scope = { freezeId, system: system.name, mode, budgetSeconds, volumes, projects, names, ...namesProject };
  return { ...scope, ...startRight(system) };
}

/** A release may be the work of a process that knows no system files: it is told where this machine's own knowledge lies. */
function startRight({ name, site, failover }: System): StartRight {
  if (failover === undefined) return {};
  return failover.fencing === 'lease' ? { lease: leasePath(name) } : { believed: { file: believedPath(name), site } };
}

async function readOne(
  context: HostContext,
  system: System,
  vault: WriterVault,
  input: Input,
  run: Run,
  name: string,
): Promise<Read> {
  const component = componentOf(system, name);
  const capturedAt = new Date().toISOString();
  const sink = await openSink(vault, input.ticket, name, run, `capture: ${name}`, readsBack(system, component));
  try {
    const kindContext = { ...context.kindContext(system, run), raw: input.purpose === 'safety' };
    const captured = await kindOf(component.kind).capture(component, sink, kindContext);
    return { component, capturedAt, ...captured, sink };
  } catch (error) {
    await sink.close();
    throw error;
  }
}

async function recordOf(
  context: HostContext,
  system: System,
  input: Input,
  run: Run,
  { component, capturedAt, facts, warnings, judged, sink }: Read,
): Promise<ComponentRecord> {
  const counts = sink.counts.reduce(addCounts, NO_COUNTS);
  const told = [...warnings];
  if (counts.changedCount > 0) {
    told.push(`${component.name}: ${counts.changedCount} files changed while they were read`);
  }
  if (component.kind === 'systemd' && !component.keepUp && input.group.quiesce.mode !== 'none') {
    told.push(`${component.name}: its units ran on: a capture holds containers still, and stops no unit`);
  }
  if (input.purpose === 'backup') {
    const { store, ticket } = input;
    const { stored } = sink;
    told.push(...(await checkStored(context, system, { store, ticket, stored, judged }, component, run)));
    if (readsBack(system, component)) sink.wasReadBack();
  }
  return {
    name: component.name,
    kind: component.kind,
    tier: component.tier,
    host: component.host,
    capturedAt,
    artifacts: sink.refs,
    facts,
    warnings: told,
    counts,
  };
}
