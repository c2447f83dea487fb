/** A container with all that the engine tells of how it came to be as it is. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ContainerInspectInfo } from 'dockerode';
import type { ContainerSeen } from '../policy/container-state.ts';
import { containerFacts } from './facts.ts';
import { OWNER_LABEL } from './run.ts';
import type { ContainerFacts, DockerHost } from './types.ts';

/** The engine tells of a stop a moment after the end, in an order of its own. */
const BEFORE_END_MS = 2000;
const AFTER_END_MS = 10_000;
/** Of Compose. */
const ONE_OFF_LABEL = 'com.docker.compose.oneoff';
/** The engine's word for never. */
const NEVER = '0001-01-01T00:00:00Z';

/** What is gone meanwhile is left out, and what runs once only: `docker compose run`, and containers of Holdfast's own. */
export async function seeContainers(
  docker: DockerHost,
  containers: readonly ContainerFacts[],
  signal: AbortSignal,
): Promise<ContainerSeen[]> {
  const lasting = containers.filter(
    ({ labels }) => labels[ONE_OFF_LABEL] !== 'True' && labels[OWNER_LABEL] === undefined,
  );
  const seen = await Promise.all(lasting.map((container) => seeContainer(docker, container, signal)));
  return seen.filter((one) => one !== undefined);
}

async function seeContainer(
  docker: DockerHost,
  { id, name, service }: ContainerFacts,
  signal: AbortSignal,
): Promise<ContainerSeen | undefined> {
  const details = await docker.describe(id);
  if (details === undefined) return undefined;
  const now = containerFacts(details);
  const { State: state, HostConfig: host } = details;
  const finishedAt = state.FinishedAt === NEVER ? undefined : state.FinishedAt;
  const unhealthySince = failingSince(details);
  const ended = now.state === 'exited' ? finishedAt : undefined;
  const byHand = ended === undefined ? undefined : await stoppedByHand(docker, details, ended, signal);
  return {
    id,
    name,
    ...(service === undefined ? {} : { service }),
    state: now.state,
    health: now.health,
    ...(unhealthySince === undefined ? {} : { unhealthySince }),
    exitCode: state.ExitCode,
    error: state.Error,
    oomKilled: state.OOMKilled,
    restartPolicy: host.RestartPolicy?.Name ?? '',
    mostRestarts: host.RestartPolicy?.MaximumRetryCount ?? 0,
    restarts: details.RestartCount,
    startedAt: state.StartedAt,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(byHand === undefined ? {} : { stoppedByHand: byHand }),
  };
}

/** What was once certain of an end, by container and time: the engine forgets it within minutes. */
const certain = new Map<string, boolean>();
const MOST_REMEMBERED = 1000;

/** Undefined when nobody knows any more. */
async function stoppedByHand(
  docker: DockerHost,
  details: ContainerInspectInfo,
  finishedAt: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const end = `${details.Id} ${finishedAt}`;
  const known = certain.get(end);
  if (known !== undefined) return known;
  const told = (await toldByEvents(docker, details.Id, finishedAt, signal)) ?? (await neverByHand(details));
  if (told === undefined) return undefined;
  if (certain.size >= MOST_REMEMBERED) certain.clear();
  certain.set(end, told);
  return told;
}

/** The engine remembers its last few hundred events: a stop is told beside the end, a fall is an end alone. */
async function toldByEvents(
  docker: DockerHost,
  id: string,
  finishedAt: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const endedMs = Date.parse(finishedAt);
  const events = await docker.events({
    sinceMs: endedMs - BEFORE_END_MS,
    untilMs: Math.min(endedMs + AFTER_END_MS, Date.now()),
    types: ['container'],
    actions: ['die', 'stop'],
    signal,
  });
  const actions = new Set<string>();
  for await (const { subject, action } of events) if (subject === id) actions.add(action);
  if (actions.has('stop')) return true;
  return actions.has('die') ? false : undefined;
}

/**
 * False when the engine's own note says that nobody has stopped it or sent it a signal since it was started. The note is
 * no part of the API, and set by harmless signals as well: that it is set, absent or out of reach says nothing.
 */
async function neverByHand({ HostnamePath }: ContainerInspectInfo): Promise<false | undefined> {
  if (!path.isAbsolute(HostnamePath)) return undefined;
  try {
    const text = await readFile(path.join(path.dirname(HostnamePath), 'config.v2.json'), 'utf8');
    const note = JSON.parse(text) as { readonly HasBeenManuallyStopped?: unknown };
    return note.HasBeenManuallyStopped === false ? false : undefined;
  } catch {
    // An engine elsewhere, another release of it, or an account that may not look.
    return undefined;
  }
}

/** The beginning of the last row of failed checks; the engine keeps five. */
function failingSince({ State: { Health: health } }: ContainerInspectInfo): string | undefined {
  const checks = health?.Log ?? [];
  const lastGood = checks.findLastIndex(({ ExitCode }) => ExitCode === 0);
  const [first] = checks.slice(lastGood + 1);
  if (first === undefined) return undefined;
  const began = new Date(first.Start);
  return Number.isNaN(began.getTime()) ? undefined : began.toISOString();
}
