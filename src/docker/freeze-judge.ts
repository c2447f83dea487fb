/** What a freeze has to do with one container to release it. Pure: no clock, no engine. */
import type { FreezeJournal } from './freeze-journal.ts';
import type { ContainerFacts, FrozenContainer } from './types.ts';

export type ReleaseStep =
  | { readonly do: 'unpause' | 'start'; readonly why: string }
  /** Its stop or pause may still be under way in the engine: look again. */
  | { readonly do: 'wait'; readonly why: string }
  | { readonly do: 'nothing'; readonly why: string };

/** A run that began up to this long after the touch is still the run that was touched. */
const SLACK_MS = 2000;
/** How long a pause that was asked for may take to happen; a stop has its container's own time on top. */
const IN_FLIGHT_MS = 3000;

/**
 * Only what the journal says this freeze touched, and only while it is the same run of the same container: what an
 * operator has since removed, started, or paused by himself is left alone.
 * `quiet` says that no call of this freeze can be under way any more (every answer came in).
 */
export function releaseStep(
  journal: FreezeJournal,
  container: FrozenContainer,
  now: { readonly facts: ContainerFacts | undefined; readonly nowMs: number; readonly quiet: boolean },
): ReleaseStep {
  const touchedAtMs = journal.touchedAtMs[container.id];
  if (touchedAtMs === undefined) return nothing('it was not touched');
  if (journal.notOurs.includes(container.id)) return nothing('somebody else had paused or stopped it first');
  if (journal.released.includes(container.id)) return nothing('it was released already');
  const { facts } = now;
  if (facts === undefined || facts.state === 'removing' || facts.state === 'dead') {
    return nothing('it was removed');
  }
  if (Date.parse(facts.startedAt) > touchedAtMs + SLACK_MS) return nothing('somebody started it since');
  return journal.intent.mode === 'pause'
    ? releasePaused(facts, touchedAtMs, now)
    : releaseStopped(facts, container, touchedAtMs, now);
}

function releasePaused(
  facts: ContainerFacts,
  touchedAtMs: number,
  now: { readonly nowMs: number; readonly quiet: boolean },
): ReleaseStep {
  if (facts.state === 'paused') return { do: 'unpause', why: 'this freeze paused it' };
  if (facts.state !== 'running') return nothing(`it is ${facts.state}, which a pause does not do`);
  if (now.quiet || now.nowMs > touchedAtMs + IN_FLIGHT_MS) return nothing('it runs');
  return { do: 'wait', why: 'its pause may be under way' };
}

function releaseStopped(
  facts: ContainerFacts,
  container: FrozenContainer,
  touchedAtMs: number,
  now: { readonly nowMs: number; readonly quiet: boolean },
): ReleaseStep {
  if (facts.state === 'exited' || facts.state === 'created') {
    return { do: 'start', why: 'this freeze stopped it' };
  }
  if (facts.state === 'paused') return nothing('somebody paused it');
  const limitMs = touchedAtMs + container.stopSeconds * 1000 + IN_FLIGHT_MS;
  if (now.quiet || now.nowMs > limitMs) return nothing('it runs');
  return { do: 'wait', why: 'its stop may be under way' };
}

function nothing(why: string): ReleaseStep {
  return { do: 'nothing', why };
}
