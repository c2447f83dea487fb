/** Containers and units of a system that are down: found with the end of their logs, started again in order, waited for. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJournals } from '../docker/freeze-journal.ts';
import { stopSeconds } from '../docker/freeze-plan.ts';
import { dependencies, stopLevels } from '../docker/order.ts';
import { seeContainers } from '../docker/see-container.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { judgeContainer, type ContainerSeen } from '../policy/container-state.ts';
import { RESTORE_LABEL } from '../sources/kinds/volume-place.ts';
import { reportsDirectory } from '../system/home.ts';
import type { System } from '../system/types.ts';
import type { RestartFound, RestartTarget } from '../workflows/restart-contract.ts';
import type { HostContext } from './host-context.ts';
import type { ContainerNow, RestartActivities } from './restart-types.ts';
import type { Run } from './shell.ts';
import { startPermit, type StartPermit } from '../sites/start-permit.ts';
import { requireMayRun } from '../sites/standing.ts';
import { allContainers } from '../sites/system-containers.ts';
import { needsDocker } from './stack.ts';
import { findBrokenUnits, restartUnits, type KeepLog } from './restart-units.ts';
import { healthSecondsOf } from './stop-start.ts';

type Input<A extends keyof RestartActivities> = Parameters<RestartActivities[A]>[0];

const POLL_MS = 250;
/** What has no health check is up when it has stayed so for as long as the engine itself asks of a start that counts. */
const STAYS_UP_MS = 10_000;

export async function findBroken(
  context: HostContext,
  input: Input<'findBroken'>,
  run: Run,
): Promise<Omit<RestartFound, 'host'>> {
  const system = await context.system(input.system);
  const docker = context.docker();
  const all = await containersHere(docker, system, context.host);
  // What a restore has made and never started is its own to finish or to remove.
  const lasting = all.filter(({ state, labels }) => state !== 'created' || labels[RESTORE_LABEL] === undefined);
  const seen = await seeContainers(docker, lasting, run.signal);
  const held = await heldByFreezes(context.stateDirectory(system.name));
  const levels = stopLevels(all);
  const keep: KeepLog = (name, words) => keepLog(system.name, input.restartId, { name, words }, run);
  const targets: RestartTarget[] = [];
  const left: { name: string; why: string }[] = [];
  for (const one of seen) {
    if (input.service !== undefined && ![one.service, one.name].includes(input.service)) continue;
    const decided = decide(one, input.service !== undefined, held);
    if (decided === undefined) continue;
    if ('why' in decided) {
      left.push({ name: one.name, why: decided.why });
      continue;
    }
    const details = await docker.describe(one.id);
    const facts = { id: one.id, name: one.name, startedAt: one.startedAt };
    targets.push({
      ...facts,
      ...(one.service === undefined ? {} : { service: one.service }),
      ...decided,
      level: levels.get(one.id) ?? 0,
      stopSeconds: stopSeconds(details),
      log: await keep(one.name, () => logOf(docker, one.id, input.logLines)),
    });
  }
  const units = await findBrokenUnits(system, context.host, input, keep, run);
  return { targets: [...targets, ...units.targets], left: [...left, ...units.left] };
}

type Decided = { readonly why: string } | Pick<RestartTarget, 'what' | 'since' | 'stop'>;

/** Undefined: it is fine, and nobody has named it. */
function decide(one: ContainerSeen, named: boolean, held: ReadonlySet<string>): Decided | undefined {
  if (held.has(one.id)) return { why: 'a capture holds it still: its release starts it again' };
  const verdict = judgeContainer(one, Date.now());
  if (verdict.kind === 'broken') {
    const { what, since, how, doubt } = verdict;
    if (doubt !== undefined && !named) return { why: `${what}; ${doubt}` };
    return { what, ...(since === undefined ? {} : { since }), stop: how !== 'down' };
  }
  if (one.state === 'paused') return { why: 'is paused, and whoever paused it knows why: docker unpause' };
  if (verdict.kind === 'left' && !named) return { why: verdict.why };
  if (!named) return undefined;
  return { what: verdict.kind === 'left' ? verdict.why : 'was named', stop: one.state === 'running' };
}

/** A machine without an engine has no containers, unless the system says that it has. */
async function containersHere(docker: DockerHost, system: System, host: string): Promise<ContainerFacts[]> {
  const own = system.components.filter((component) => component.host === host);
  try {
    return await allContainers(docker, system, own);
  } catch (error) {
    const absent = error instanceof HoldfastError && error.code === 'DockerUnreachable';
    if (absent && !needsDocker({ ...system, components: own }, own)) return [];
    throw error;
  }
}

/** What a capture has paused or stopped and not let go of yet, also one whose worker is dead. */
async function heldByFreezes(stateDirectory: string): Promise<Set<string>> {
  const { journals } = await readJournals(stateDirectory);
  return new Set(
    journals.flatMap(({ intent, released, notOurs }) =>
      intent.containers.map(({ id }) => id).filter((id) => !released.includes(id) && !notOurs.includes(id)),
    ),
  );
}

/** Its words are the operator's alone: they may hold anything, and lie in a file that only the worker's account reads. */
async function keepLog(
  system: string,
  restartId: string,
  { name, words }: { readonly name: string; readonly words: () => Promise<string> },
  run: Run,
): Promise<string> {
  const directory = path.join(reportsDirectory(system), 'restart');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, `${restartId}.${name}.log`.replaceAll(/[^\w.-]/g, '_'));
  run.report({ phase: `log of ${name}` });
  await writeFile(file, await words(), { mode: 0o600 });
  return file;
}

/** A log driver may not give its lines back. */
async function logOf(docker: DockerHost, id: string, lines: number): Promise<string> {
  try {
    return await docker.logTail(id, lines);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'DockerRefused') throw error;
    return `${error.message}\n`;
  }
}

export async function restartContainers(
  context: HostContext,
  input: Input<'restartContainers'>,
  run: Run,
): Promise<{ containers: ContainerNow[]; dependants: ContainerNow[] }> {
  const system = await context.system(input.system);
  await requireMayRun(system, run.signal);
  const permit = startPermit(system, run.signal);
  const docker = context.docker();
  const limitMs = healthSecondsOf(system) * 1000;
  const targets = input.targets.filter(({ component }) => component === undefined);
  const levels = [...new Set(targets.map(({ level }) => level))].toSorted((a, b) => b - a);
  const containers: ContainerNow[] = [];
  for (const level of levels) {
    const now = targets.filter((target) => target.level === level);
    run.report({ phase: `start ${now.map(({ name }) => name).join(', ')}` });
    containers.push(...(await Promise.all(now.map((target) => restartOne(docker, target, { limitMs, permit }, run)))));
  }
  const units = input.targets.filter(({ component }) => component !== undefined);
  containers.push(...(await restartUnits(context, system, units, { addToLog: noteAgain, permit }, run)));
  const waiting = await dependantsOf(docker, system, context.host, targets);
  run.report({ phase: `wait for ${waiting.map(({ name }) => name).join(', ') || 'nothing more'}` });
  const dependants = await Promise.all(
    waiting.map((one) => untilUp(docker, one, { limitMs, staysUpMs: 0 }, run.signal)),
  );
  return { containers, dependants };
}

async function restartOne(
  docker: DockerHost,
  target: RestartTarget,
  { limitMs, permit }: { readonly limitMs: number; readonly permit: StartPermit },
  run: Run,
): Promise<ContainerNow> {
  const before = await docker.inspect(target.id);
  // An earlier attempt of this step, or somebody else, may have started it meanwhile.
  const isOld = before?.startedAt === target.startedAt;
  try {
    if (isOld && target.stop) await docker.stop(target.id, target.stopSeconds);
    await permit();
    await docker.start(target.id);
  } catch (error) {
    if (!(error instanceof HoldfastError) || !['DockerRefused', 'ContainerMissing'].includes(error.code)) throw error;
    return { name: target.name, ok: false, now: error.message };
  }
  const outcome = await untilUp(docker, target, { limitMs, staysUpMs: STAYS_UP_MS }, run.signal);
  if (!outcome.ok) {
    await noteAgain(target, await logOf(docker, target.id, 100));
  }
  return outcome;
}

async function noteAgain({ log }: RestartTarget, words: string): Promise<void> {
  await appendFile(log, `\n--- after it was started again at ${new Date().toISOString()} ---\n${words}`);
}

interface Patience {
  readonly limitMs: number;
  /** What has no health check has to stay up for so long. */
  readonly staysUpMs: number;
}

async function untilUp(
  docker: DockerHost,
  { id, name }: Pick<RestartTarget, 'id' | 'name'>,
  { limitMs, staysUpMs }: Patience,
  signal: AbortSignal,
): Promise<ContainerNow> {
  const end = performance.now() + limitMs;
  let upSince: { startedAt: string; atMs: number } | undefined;
  for (;;) {
    signal.throwIfAborted();
    const facts = await docker.inspect(id);
    if (facts === undefined) return { name, ok: false, now: 'is gone' };
    const { state, health, startedAt } = facts;
    if (state === 'running' && health === 'healthy') return { name, ok: true, now: 'healthy' };
    if (state !== 'running' || health !== 'none') upSince = undefined;
    else if (upSince?.startedAt !== startedAt) upSince = { startedAt, atMs: performance.now() };
    if (upSince !== undefined && performance.now() - upSince.atMs >= staysUpMs) return { name, ok: true, now: 'up' };
    const fell = state === 'exited' || state === 'dead';
    // One that the engine starts again by itself is given its time.
    const details = fell ? await docker.describe(id) : undefined;
    const isOver = fell && ['', 'no', undefined].includes(details?.HostConfig.RestartPolicy?.Name);
    if (isOver && details?.State.ExitCode === 0) return { name, ok: true, now: 'ended well' };
    if (isOver || performance.now() > end) {
      const code = details === undefined ? '' : ` (exit ${details.State.ExitCode})`;
      return { name, ok: false, now: health === 'none' ? `${state}${code}` : `${state}${code}, ${health}` };
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** What is up and depends on these, also by way of others. */
async function dependantsOf(
  docker: DockerHost,
  system: System,
  host: string,
  targets: readonly RestartTarget[],
): Promise<ContainerFacts[]> {
  const all = await containersHere(docker, system, host);
  const concerned = new Set(targets.map(({ id }) => id));
  for (let before = -1; before !== concerned.size;) {
    before = concerned.size;
    const services = all
      .filter(({ id }) => concerned.has(id))
      .map(({ project, service }) => `${project ?? ''}/${service ?? ''}`);
    for (const one of all) {
      const needs = dependencies(one.labels).map(({ service }) => `${one.project ?? ''}/${service}`);
      if (needs.some((need) => services.includes(need))) concerned.add(one.id);
    }
  }
  return all.filter(
    ({ id, state }) => state === 'running' && concerned.has(id) && !targets.some((one) => one.id === id),
  );
}
