/**
 * Starts again what is down of a system, alone on it: an operation that has stopped something is waited for. What is down is
 * found on each host with the end of its log, started in order, waited for with what depends on it, and noted in the
 * incident that follows it.
 */
import { ActivityFailure, defineQuery, isCancellation, log, setHandler, workflowInfo } from '@temporalio/workflow';
import type { ContainerNow } from '../activities/types.ts';
import { QUERIES, type RestartFound, type RestartInput, type RestartResult } from './contract.ts';
import { failure, inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { withSystemLock } from './lock.ts';
import { noting, orchestration, urgentlyOn } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

export const restartQuery = defineQuery<readonly RestartFound[]>(QUERIES.restart);

const FIELDS: Fields<RestartInput> = {
  system: { ...NAME, required: true },
  service: { type: 'string' },
  logLines: { type: 'number' },
  waitSeconds: { type: 'number' },
};

const STEPS = ['wait for the system', 'find what is down', 'start it again', 'report'] as const;
const WAIT_SECONDS = 15 * 60;
const LOG_LINES = 100;
/** A host that does not answer may not hold up the others for ever. */
const HOST_LIMIT_SECONDS = 30 * 60;

export async function restart(input: RestartInput): Promise<RestartResult> {
  const found: RestartFound[] = [];
  setHandler(restartQuery, () => found, { description: 'What was found, and where the end of its log is' });
  const asked = parseInput<RestartInput>('restart', input, FIELDS);
  const story = new Story('restart', STEPS);
  return inOneVoice(() => reportingFailure(asked.system, 'restart', () => run(asked, story, found)));
}

async function run(asked: RestartInput, story: Story, found: RestartFound[]): Promise<RestartResult> {
  const { system, waitSeconds = WAIT_SECONDS } = asked;
  story.about(system);
  const beganMs = Date.now();
  const { site, components } = await orchestration.describeSystem({ system });
  const hosts = [...new Set(components.map(({ host }) => host))];

  story.begin('wait for the system');
  const lock = { system, site, operation: 'restart', waitSeconds } as const;
  const locked = await withSystemLock(story, lock, () => restartLocked(asked, hosts, story, found));
  if (!locked.held) throw failure('SystemBusy', locked.why);
  const result = resultOf(found, locked.value, { beganMs, nowMs: Date.now(), system });

  story.begin('report');
  await note(system, result);
  await writeDown({
    system,
    kind: 'restart',
    id: workflowInfo().runId,
    report: { ...result },
    about: aboutOf(asked, result),
  });
  story.finish();
  return result;
}

interface Restarted {
  readonly containers: ReadonlyMap<string, ContainerNow>;
  readonly dependants: readonly ContainerNow[];
}

async function restartLocked(
  { system, service, logLines = LOG_LINES }: RestartInput,
  hosts: readonly string[],
  story: Story,
  found: RestartFound[],
): Promise<Restarted> {
  story.begin('find what is down');
  const named = service === undefined ? {} : { service };
  const restartId = workflowInfo().runId;
  for (const host of hosts) {
    const there = await on(host, `find what is down on ${host}`).findBroken({ system, restartId, logLines, ...named });
    found.push({ host, ...there });
  }
  if (service !== undefined && found.every(({ targets, left }) => targets.length + left.length === 0)) {
    throw failure('ContainerMissing', `No host of ${system} has a service or container ${service}.`);
  }

  story.begin('start it again');
  const containers = new Map<string, ContainerNow>();
  const dependants: ContainerNow[] = [];
  for (const { host, targets } of found.filter((one) => one.targets.length > 0)) {
    const summary = `start ${targets.map(({ name }) => name).join(', ')}`;
    const done = await on(host, summary).restartContainers({ system, targets });
    for (const one of done.containers) containers.set(`${host}/${one.name}`, one);
    dependants.push(...done.dependants);
  }
  return { containers, dependants };
}

function on(host: string, summary: string) {
  return urgentlyOn(host, { summary: summary.slice(0, 180), giveUpAfterSeconds: HOST_LIMIT_SECONDS, attempts: 8 });
}

function resultOf(
  found: readonly RestartFound[],
  { containers: ends, dependants }: Restarted,
  { beganMs, nowMs, system }: { readonly beganMs: number; readonly nowMs: number; readonly system: string },
): RestartResult {
  const left = found.flatMap((one) => one.left);
  const containers = found.flatMap(({ host, targets }) =>
    targets.map(({ name, service, what, since, log: file }) => {
      const end = ends.get(`${host}/${name}`);
      const about = { ...(service === undefined ? {} : { service }), ...(since === undefined ? {} : { since }) };
      return { name, host, what, ...about, ok: end?.ok ?? false, now: end?.now ?? 'unknown', log: file };
    }),
  );
  const base = { containers, dependants, left };
  if (containers.length === 0) return { outcome: 'nothing', ...base };
  const isWell = [...containers, ...dependants].every(({ ok }) => ok);
  if (!isWell) return { outcome: 'unhealthy', ...base, next: nextAfter(system) };
  const began = containers.flatMap(({ since }) => (since === undefined ? [] : [Date.parse(since)]));
  const downMs = began.length === 0 ? {} : { downMs: nowMs - Math.min(...began) };
  return { outcome: 'restarted', ...base, recoveryMs: nowMs - beganMs, ...downMs };
}

function aboutOf({ service }: RestartInput, { containers }: RestartResult): string {
  return `${service ?? 'what was down'}: ${containers.map(({ name, host }) => `${name} on ${host}`).join(', ')}`;
}

function nextAfter(system: string): string {
  return (
    'Read the end of its log: a wrong setting or a full disk is to be mended there. Damaged data is restored: see what ' +
    `a restore would do with holdfast restore ${system} --dry-run`
  );
}

/** Nice to have: what was started runs, whether it could be noted or not. */
async function note(system: string, { containers }: RestartResult): Promise<void> {
  if (containers.length === 0) return;
  const notes = containers.map(({ name, service, what, now, ok }) => ({
    check: 'service' as const,
    subject: service ?? name,
    what: `restart of ${name}, which ${what}: ${ok ? now : `did not help, ${now}`}`,
  }));
  try {
    await noting.noteIncidents({ system, notes });
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('the restart could not be noted in its incident', { why: told(error).message });
  }
}
