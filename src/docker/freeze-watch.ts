/** Listens to the engine while something is frozen, for what a look at the end would not show. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { FreezeJournal } from './freeze-journal.ts';
import type { DockerEvent, DockerHost, FreezeIntent } from './types.ts';

export interface FreezeWatch {
  /** What broke the freeze, in words; undefined while nothing did. */
  broken(): string | undefined;
  /** Containers outside the freeze that were unpaused meanwhile: the operator's, which may write. */
  awakened(): readonly string[];
  stop(): void;
}

const WATCHED = ['unpause', 'start', 'restart', 'die', 'destroy', 'mount'];

/** Pure: what an event means for a freeze. */
export function breaks(intent: FreezeIntent, event: DockerEvent): string | undefined {
  if (event.type === 'volume') {
    const writes = event.attributes['read/write'] !== 'false';
    if (event.action !== 'mount' || !writes || !intent.volumes.includes(event.subject)) return undefined;
    return `a container was started that writes to volume ${event.subject}`;
  }
  const container = intent.containers.find((candidate) => candidate.id === event.subject);
  if (container === undefined) return undefined;
  const stopping = intent.mode === 'stop' && event.action === 'die';
  return stopping || event.action === 'mount' ? undefined : `container ${container.name}: ${event.action}`;
}

/**
 * Resolves when the engine is known to deliver events. An operator who unpauses and pauses again leaves no trace in the
 * container's state, only here. A stream that breaks off counts as broken: then nothing is known any more.
 */
export async function watchFreeze(docker: DockerHost, intent: FreezeIntent): Promise<FreezeWatch> {
  const ended = new AbortController();
  const awake = new Set<string>();
  let reason: string | undefined;
  const note = (event: DockerEvent): void => {
    reason ??= breaks(intent, event);
    const foreign = event.action === 'unpause' && !intent.containers.some(({ id }) => id === event.subject);
    if (foreign) awake.add(event.subject);
  };
  const events = await docker.events({
    sinceMs: intent.plannedAtMs,
    types: ['container', 'volume'],
    actions: WATCHED,
    signal: ended.signal,
  });
  const follow = async (): Promise<void> => {
    try {
      for await (const event of events) note(event);
      if (!ended.signal.aborted) reason ??= 'the engine stopped answering';
    } catch (error) {
      if (!ended.signal.aborted) reason ??= `the engine's events broke off: ${String(error)}`;
    }
  };
  void follow();
  return {
    broken: () => reason,
    awakened: () => [...awake],
    stop: () => {
      ended.abort();
    },
  };
}

/** Lets events that happened before now arrive. */
export async function drain(): Promise<void> {
  await sleep(2);
}

/**
 * Containers that somebody unpaused after this freeze had paused them, as far as the engine still remembers (its last
 * 256 events): what they are by now is that person's doing. The freeze's own release is not yet among them. For a stop
 * nothing is asked: there the container's start time says it.
 */
export async function releasedByOthers(docker: DockerHost, journal: FreezeJournal): Promise<string[]> {
  const times = Object.values(journal.touchedAtMs);
  if (times.length === 0 || journal.intent.mode === 'stop') return [];
  const signal = AbortSignal.timeout(10_000);
  const events = await docker.events({
    sinceMs: Math.min(...times),
    untilMs: Date.now(),
    types: ['container'],
    actions: ['pause', 'unpause'],
    signal,
  });
  const held = new Set<string>();
  const loosened = new Set<string>();
  for await (const event of events) {
    if (event.action === 'pause') held.add(event.subject);
    // One before it was held is part of how it came to run.
    if (event.action === 'unpause' && held.has(event.subject)) loosened.add(event.subject);
  }
  signal.throwIfAborted();
  return journal.intent.containers.map(({ id }) => id).filter((id) => loosened.has(id));
}
