/** Releasing what a freeze holds, by whoever is left to do it: the worker, the next worker, or the guard. */
import { setTimeout as sleep } from 'node:timers/promises';

import { HoldfastError } from '../failures.ts';
import { answered } from './errors.ts';
import { releaseStep } from './freeze-judge.ts';
import type { FreezeJournal } from './freeze-journal.ts';
import { releasedByOthers } from './freeze-watch.ts';
import { whyNotStarted } from './start-right.ts';
import type { DockerHost, FrozenContainer } from './types.ts';

const LEVEL_PATIENCE_MS = 15_000;

export interface ReleaseOptions {
  readonly signal?: AbortSignal;
  /** No call of this freeze can be under way any more. */
  readonly quiet: boolean;
  /** Everything was just seen to be held by this freeze: release first and look only when that fails. */
  readonly known?: boolean;
  /** Told when something has to be tried again; the message has no secret. */
  readonly onTrouble?: (message: string) => void;
  /** Told why when this site may start nothing any more: what is still is left so. */
  readonly onRefused?: (why: string) => void;
}

/**
 * Returns the ids that it started or unpaused. Levels are released in the opposite order of stopping, each level at
 * once. Retried until all of it runs or is known to be nobody's business: for ever, unless the signal aborts.
 */
export async function releaseContainers(
  docker: DockerHost,
  journal: FreezeJournal,
  options: ReleaseOptions,
): Promise<string[]> {
  // Before the engine is asked anything.
  if (!(await mayStart(journal, options))) return [];
  const known = options.known === true ? journal : await withoutOthers(docker, journal, options);
  const under: Promise<string | undefined>[] = [];
  const levels = [...new Set(journal.intent.containers.map((container) => container.level))].sort((a, b) => b - a);
  for (const level of levels) {
    const containers = journal.intent.containers.filter((container) => container.level === level);
    const ofLevel = containers.map((container) => releaseOne(docker, known, container, options));
    under.push(...ofLevel);
    // One that cannot start must not keep the others down.
    await Promise.race([Promise.allSettled(ofLevel), sleep(LEVEL_PATIENCE_MS, undefined, { ref: false })]);
  }
  const done = await Promise.all(under);
  return done.filter((id) => id !== undefined);
}

/** A site that has lost its right to run starts nothing: what is paused is stopped by who looks after that, its site guard or its worker. */
async function mayStart({ intent }: FreezeJournal, options: ReleaseOptions): Promise<boolean> {
  const why = await whyNotStarted(intent);
  if (why === undefined) return true;
  options.onTrouble?.(
    `SiteFenced: ${intent.system} may not run here, and what a capture has made still stays so: ${why}`,
  );
  options.onRefused?.(why);
  return false;
}

async function withoutOthers(
  docker: DockerHost,
  journal: FreezeJournal,
  options: ReleaseOptions,
): Promise<FreezeJournal> {
  try {
    const others = await releasedByOthers(docker, journal);
    return { ...journal, released: [...journal.released, ...others] };
  } catch (error) {
    // Better to start what somebody paused meanwhile than to leave what this freeze paused.
    options.onTrouble?.(`ask the engine who released what: ${messageOf(error)}`);
    return journal;
  }
}

async function releaseOne(
  docker: DockerHost,
  journal: FreezeJournal,
  container: FrozenContainer,
  options: ReleaseOptions,
): Promise<string | undefined> {
  // What was released before this one may have kept the engine busy for minutes.
  if (!(await mayStart(journal, options))) return undefined;
  if (options.known === true && (await releaseAtOnce(docker, journal, container))) return container.id;
  for (let attempt = 0; ; attempt++) {
    options.signal?.throwIfAborted();
    if (attempt > 0 && !(await mayStart(journal, options))) return undefined;
    try {
      const outcome = await tryOnce(docker, journal, container, options.quiet);
      if (outcome === 'released') return container.id;
      if (outcome === 'nothing') return undefined;
    } catch (error) {
      options.onTrouble?.(`release ${container.name}: ${messageOf(error)}`);
    }
    await sleep(Math.min(50 * 2 ** Math.min(attempt, 6), 2000), undefined, { signal: options.signal });
  }
}

/** One look less while containers are held. Whatever goes wrong here is looked at by the loop that follows. */
async function releaseAtOnce(docker: DockerHost, journal: FreezeJournal, container: FrozenContainer): Promise<boolean> {
  try {
    await (journal.intent.mode === 'pause' ? docker.unpause(container.id) : docker.start(container.id));
    return true;
  } catch {
    return false;
  }
}

async function tryOnce(
  docker: DockerHost,
  journal: FreezeJournal,
  container: FrozenContainer,
  quiet: boolean,
): Promise<'released' | 'nothing' | 'again'> {
  const facts = await docker.inspect(container.id);
  const step = releaseStep(journal, container, { facts, nowMs: Date.now(), quiet });
  if (step.do === 'nothing') return 'nothing';
  // The look may have waited for the engine: whether it may be started is asked again at the next attempt.
  if (step.do === 'wait' || (await whyNotStarted(journal.intent)) !== undefined) return 'again';
  try {
    await (step.do === 'unpause' ? docker.unpause(container.id) : docker.start(container.id));
  } catch (error) {
    // Somebody else was quicker, or it is gone: the next look tells which.
    if (answered(error, 404) || answered(error, 409)) return 'again';
    if (step.do === 'unpause' && /not paused/i.test(messageOf(error))) return 'again';
    throw error;
  }
  return 'released';
}

function messageOf(error: unknown): string {
  if (error instanceof HoldfastError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
