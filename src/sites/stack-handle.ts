/**
 * The part of a system that runs on this machine, as its guard looks at it, starts and stops it: the containers of its Compose
 * projects, those that use its volumes and databases, and its systemd units.
 */
import path from 'node:path';
import { z } from 'zod';
import { readJson, writeDurably } from '../docker/durable-file.ts';
import { readJournals } from '../docker/freeze-journal.ts';
import { stopLevels } from '../docker/order.ts';
import { CHECK_LABEL, OWNER_LABEL } from '../docker/run.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { dueParts, startedAgain, wantedAfter, type PartSeen, type Starts } from '../policy/failover/wanted.ts';
import { serverContainers } from '../postgres/place.ts';
import { stateDirectory } from '../system/home.ts';
import type { System } from '../system/types.ts';
import { bootClockMs } from './boot-clock.ts';
import { readPreparing } from './prepared-file.ts';
import { raced } from './raced.ts';
import { readLease, sitesDirectory } from './site-files.ts';
import type { Stack } from './site-guard.ts';
import { guardedUnits, lookAtUnits, startUnits, stopUnits, unitParts, type UnitGroup } from './stack-units.ts';
import { descending, stopContainers, stopTimes } from './stop-containers.ts';
import { allContainers, isUp } from './system-containers.ts';

/** After a stop what runs is looked at once more; an engine that takes longer is asked again with the next stop. */
const SURVEY_LIMIT_MS = 5000;
const ONE_OFF_LABEL = 'com.docker.compose.oneoff';

const recordSchema = z.object({
  format: z.literal(1),
  wanted: z.array(z.string()),
  /** So that their processes can be ended when the engine does not answer. */
  ids: z.array(z.string()),
});

export interface StackGiven {
  readonly system: System;
  readonly host: string;
  readonly docker: DockerHost;
  /** True while the lease is held and nobody works on the stack: what runs then is what is to run. */
  readonly settled: () => boolean;
  /** Ids of containers that are left alone, as if they were not part of it. */
  readonly spare?: () => Promise<ReadonlySet<string>>;
}

interface Seen {
  readonly containers: readonly ContainerFacts[];
  readonly units: readonly UnitGroup[];
  readonly parts: readonly PartSeen[];
}

export class SystemStack implements Stack {
  private readonly given: StackGiven;
  private starts: Starts = new Map();
  private due: readonly string[] = [];
  private wanted: ReadonlySet<string> | undefined;
  private written = '';
  private ids: readonly string[] = [];
  /** What was to run and went down while it might not, or was held: it has not ended by itself. */
  private readonly stoppedHere = new Set<string>();

  constructor(given: StackGiven) {
    this.given = given;
  }

  /** What was remembered before this process. */
  async load(): Promise<void> {
    const found = await readJson(this.file());
    if (found === undefined) return;
    const { wanted, ids } = recordSchema.parse(found);
    this.wanted = new Set(wanted);
    this.ids = ids;
  }

  /** By the last look, something that is to run does not, and may be started. */
  get lacking(): boolean {
    return this.due.length > 0;
  }

  async look(signal: AbortSignal): Promise<'up' | 'partly' | 'down'> {
    const seen = await this.survey(signal);
    const settled = this.given.settled();
    for (const { name, up } of seen.parts) {
      if (up) this.stoppedHere.delete(name);
      else if (!settled && this.wanted?.has(name) === true) this.stoppedHere.add(name);
    }
    const wanted = this.wantedOf(seen);
    if (settled) await this.remember(wanted, seen);
    this.due = dueParts(seen.parts, wanted, { starts: this.starts, nowMs: bootClockMs() });
    if (!seen.parts.some(({ up }) => up)) return 'down';
    return this.due.length > 0 ? 'partly' : 'up';
  }

  private wantedOf({ parts }: Seen): ReadonlySet<string> {
    const byItself = parts.map((part) => (this.stoppedHere.has(part.name) ? { ...part, endedWell: false } : part));
    return wantedAfter(this.wanted, byItself);
  }

  /** What of it runs, by name. */
  async running(signal: AbortSignal): Promise<string[]> {
    return (await this.survey(signal)).parts.filter(({ up }) => up).map(({ name }) => name);
  }

  /** What others depend on first, and no waiting for health: that is for those who look at the system. */
  async start(signal: AbortSignal): Promise<void> {
    const seen = await this.survey(signal);
    const now = { starts: this.starts, nowMs: bootClockMs() };
    const due = new Set(dueParts(seen.parts, this.wantedOf(seen), now));
    for (const name of due) this.starts = startedAgain(this.starts, name, bootClockMs());
    const levels = stopLevels(seen.containers);
    const troubles: unknown[] = [];
    const starting = seen.containers.filter(({ name }) => due.has(`container ${name}`));
    for (const level of descending(starting.map(({ id }) => levels.get(id) ?? 0))) {
      const ofLevel = starting.filter(({ id }) => (levels.get(id) ?? 0) === level);
      signal.throwIfAborted();
      const ends = await Promise.allSettled(ofLevel.map((one) => this.startOne(one)));
      troubles.push(...ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : [])));
    }
    signal.throwIfAborted();
    this.mustBeSettled('the units');
    await startUnits(seen.units, due, signal);
    // One that can't start keeps none of the others down.
    if (troubles[0] !== undefined) throw asError(troubles[0]);
  }

  private async startOne({ id, name }: ContainerFacts): Promise<void> {
    this.mustBeSettled(name);
    await this.given.docker.start(id);
  }

  /** The engine may have hung since the last look, and the lease have run out meanwhile. */
  private mustBeSettled(what: string): void {
    if (this.given.settled()) return;
    throw new HoldfastError('SiteFenced', `${what}: not started, since the lease is over, or the stack is held`);
  }

  /**
   * What depends on others first; what has not ended in good time is killed, and what is paused at once. Containers and the
   * units of each manager go beside each other: what hangs keeps none of the others up.
   */
  async stop(withinMs: number, signal: AbortSignal): Promise<void> {
    const { system, host, docker } = this.given;
    const times = stopTimes(withinMs);
    const ends = await Promise.allSettled([
      stopContainers({ docker, list: () => this.containersHere(), knownIds: this.ids }, times, signal),
      ...guardedUnits(system, host).map((component) => stopUnits(component, times, signal)),
    ]);
    signal.throwIfAborted();
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw asError(failed.reason);
    const seen = await this.survey(AbortSignal.any([signal, AbortSignal.timeout(SURVEY_LIMIT_MS)]));
    const left = seen.parts.filter(({ up }) => up).map(({ name }) => name);
    if (left.length > 0) throw new HoldfastError('Unhealthy', `still runs: ${left.join(', ')}`);
  }

  private async containersHere(): Promise<ContainerFacts[]> {
    const { system, host, docker } = this.given;
    if (!concernsEngine(system)) return [];
    const components = system.components.filter((component) => component.host === host);
    const all = await allContainers(docker, system, components);
    const filled = await this.filledAhead();
    const spared = await this.given.spare?.();
    return all.filter(({ id, labels }) => !isHelper(labels) && !filled.has(id) && spared?.has(id) !== true);
  }

  private async survey(signal: AbortSignal): Promise<Seen> {
    const { system, host, docker } = this.given;
    const [containers, journals, units] = await raced(
      Promise.all([
        this.containersHere(),
        readJournals(stateDirectory(system.name)),
        lookAtUnits(guardedUnits(system, host), signal),
      ]),
      signal,
    );
    const frozen = new Set(
      journals.journals.flatMap(({ intent, released }) =>
        intent.containers.flatMap(({ id }) => (released.includes(id) ? [] : [id])),
      ),
    );
    const details = await Promise.all(
      containers.map(async (one) => (one.state === 'exited' ? docker.describe(one.id) : undefined)),
    );
    const parts = containers.map((one, index) => ({
      name: `container ${one.name}`,
      up: isUp(one),
      fresh: one.state === 'created',
      endedWell: one.state === 'exited' && details[index]?.State.ExitCode === 0,
      frozen: frozen.has(one.id),
    }));
    return { containers, units, parts: [...parts, ...unitParts(units)] };
  }

  /**
   * Database servers that a standby has started alone, to restore into them ahead: they run no system. Only while the guard has
   * read no newer generation than the one that was prepared for: a site that took over since guards them all.
   */
  private async filledAhead(): Promise<ReadonlySet<string>> {
    const { system, docker } = this.given;
    const preparing = await readPreparing(system.name);
    if (preparing === undefined || (await readLease(system.name))?.generation !== preparing.generation)
      return new Set();
    const dumps = system.components.flatMap((one) =>
      one.kind === 'postgres' && one.method === 'dump' ? [one.server] : [],
    );
    const servers = await Promise.all(dumps.map((server) => serverContainers(server, docker)));
    return new Set(servers.flat().map(({ id }) => id));
  }

  /** What runs at this moment is what is to run, whatever was remembered. For who stops it on purpose, to start it again. */
  async rememberRunning(signal: AbortSignal): Promise<void> {
    const seen = await this.survey(signal);
    await this.remember(new Set(seen.parts.filter(({ up }) => up).map(({ name }) => name)), seen);
  }

  private async remember(wanted: ReadonlySet<string>, { containers }: Seen): Promise<void> {
    const record = { format: 1, wanted: [...wanted].toSorted(), ids: containers.map(({ id }) => id).toSorted() };
    this.wanted = wanted;
    this.ids = record.ids;
    const text = JSON.stringify(record);
    if (text === this.written) return;
    await writeDurably(this.file(), record);
    this.written = text;
  }

  private file(): string {
    return path.join(sitesDirectory(this.given.system.name), 'stack.json');
  }
}

/** Containers that Holdfast itself runs for a while, and those of `docker compose run`, are no part of the stack. */
function isHelper(labels: Readonly<Record<string, string>>): boolean {
  if (labels[ONE_OFF_LABEL]?.toLowerCase() === 'true') return true;
  return labels[OWNER_LABEL] !== undefined || labels[CHECK_LABEL] !== undefined;
}

/** A system of units and files alone has no engine that must answer. */
function concernsEngine(system: System): boolean {
  return system.compose !== undefined || system.components.some(({ kind }) => kind !== 'files' && kind !== 'systemd');
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new HoldfastError('Internal', String(error));
}
