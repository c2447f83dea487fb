/** The crash suite: an engine with real worker processes, lanes with real stores and containers, and points to strike. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectEngine, startUp } from '../../src/engine/index.ts';
import type { Engine, RunningEngine } from '../../src/engine/index.ts';
import { dockerCorner, type DockerCorner } from '../../test/support/docker.ts';
import { startFaultProxy } from '../../test/support/fault-proxy.ts';
import { S3_ACCESS_KEY, S3_REGION, S3_SECRET_KEY, startS3Server } from '../../test/support/s3-server.ts';
import { run } from '../setup/run.ts';
import { clusterLane } from './cluster-lane.ts';
import { cleanLane } from './clean-lane.ts';
import { runCycle } from './cycle.ts';
import type { Stage, StruckPoint } from './cycle.ts';
import { directoryStore, filesLane, USUAL_ROUND, writeSystemFile } from './lane.ts';
import type { Lane, LaneStore, Round } from './lane.ts';
import { missingLane } from './missing-lane.ts';
import { ownDockerEngine } from './own-docker.ts';
import type { OwnDocker } from './own-docker.ts';
import { cyclesOf, laneOf, pointOf, randomFrom, roundOf } from './points.ts';
import { postgresLane } from './postgres-lane.ts';
import { drillLane } from './drill-lane.ts';
import { drillStackLane } from './drill-stack-lane.ts';
import { restartLane } from './restart-lane.ts';
import { storesLane } from './stores-lane.ts';
import { volumeLane } from './volume-lane.ts';
import { wholeLane } from './whole-lane.ts';

const CLI = path.resolve(import.meta.dirname, '..', '..', 'src', 'cli.ts');

/** Of a component each, and its backups. */
export const COMPONENT_LANES = [
  'crash-files',
  'crash-volume',
  'crash-s3',
  'crash-postgres',
  'crash-cluster',
  'crash-stores',
] as const;
/** Of systems: back as a whole, rehearsed, put right. */
export const SYSTEM_LANES = [
  'crash-whole',
  'crash-drill',
  'crash-drill-stack',
  'crash-restart',
  'crash-missing',
  'crash-clean',
] as const;
export const LANES = [...COMPONENT_LANES, ...SYSTEM_LANES] as const;
export type LaneName = (typeof LANES)[number];

export interface CrashOptions {
  readonly seed: number;
  readonly points: number;
  readonly say: (line: string) => void;
  /** All unless said otherwise. A seed strikes the same point again only among the same lanes. */
  readonly lanes?: readonly LaneName[];
  /** Also what takes long: requests that hang until the client's patience ends. */
  readonly long?: boolean;
  /** Uses a Docker daemon of its own, whose networks lead nowhere. Needs root. */
  readonly ownDocker?: boolean;
  /** Also restarts the Docker daemon, which is then one of its own. */
  readonly restartDocker?: boolean;
  /** Aborting gives up what runs and cleans up. */
  readonly signal?: AbortSignal;
}

/** The run was given up because somebody asked for it; what it had started is gone. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
  constructor() {
    super('the run was interrupted');
  }
}

export interface CrashReport {
  readonly points: readonly StruckPoint[];
  /** One line for each cycle that broke a promise. */
  readonly broken: readonly string[];
}

/** An S3 server of its own behind a proxy that can misbehave. */
async function s3Store(base: string, closers: (() => Promise<void>)[]): Promise<LaneStore> {
  const server = await startS3Server();
  closers.push(() => server.stop());
  const proxy = await startFaultProxy(server.url);
  closers.push(() => proxy.close());
  mkdirSync(base, { recursive: true });
  const secret = (name: string, value: string): { file: string } => {
    const file = path.join(base, name);
    writeFileSync(file, value, { mode: 0o600 });
    return { file };
  };
  const config = {
    kind: 's3',
    bucket: server.bucket,
    prefix: 'crash',
    region: S3_REGION,
    endpoint: proxy.url,
    pathStyle: true,
    accessKeyId: secret('access-key-id', S3_ACCESS_KEY),
    secretAccessKey: secret('secret-access-key', S3_SECRET_KEY),
  };
  return { config, chunkDirectory: path.join(server.bucketPath, 'crash', 'chunks'), proxy };
}

async function makeLanes(only: readonly LaneName[], base: string, closers: (() => Promise<void>)[]): Promise<Lane[]> {
  const place = (name: string): string => path.join(base, name);
  const corner = async (): Promise<DockerCorner> => {
    const made = await dockerCorner();
    closers.push(() => made.cleanUp());
    return made;
  };
  const makers: Readonly<Record<LaneName, (name: LaneName, at: string) => Promise<Lane>>> = {
    'crash-files': (name, at) => Promise.resolve(filesLane(name, at, directoryStore(at))),
    'crash-volume': async (name, at) => volumeLane(name, at, directoryStore(at), await corner()),
    'crash-s3': async (name, at) => filesLane(name, at, await s3Store(at, closers)),
    'crash-postgres': (name, at) => postgresLane(name, at, directoryStore(at)),
    'crash-cluster': (name, at) => clusterLane(name, at, directoryStore(at)),
    'crash-stores': (name, at) => Promise.resolve(storesLane(name, at)),
    'crash-whole': async (name, at) => wholeLane(name, at, directoryStore(at), await corner()),
    'crash-drill': async (name, at) => drillLane(name, at, directoryStore(at), await corner()),
    'crash-drill-stack': async (name, at) => drillStackLane(name, at, directoryStore(at), await corner()),
    'crash-restart': async (name, at) => restartLane(name, at, directoryStore(at), await corner()),
    'crash-missing': (name, at) => Promise.resolve(missingLane(name, at, directoryStore(at))),
    'crash-clean': (name, at) => Promise.resolve(cleanLane(name, at, directoryStore(at))),
  };
  const lanes: Lane[] = [];
  for (const name of only) {
    const lane = await makers[name](name, place(name.replace('crash-', '')));
    closers.push(() => lane.close());
    lanes.push(lane);
  }
  return lanes;
}

async function register(lane: Lane, base: string): Promise<void> {
  await run(process.execPath, [CLI, 'init', writeSystemFile(lane, base)], { env: { NO_COLOR: '1' } });
}

async function runLane(
  stage: Stage,
  cycles: readonly (readonly [Round, number[]])[],
  options: CrashOptions,
): Promise<CrashReport> {
  const points: StruckPoint[] = [];
  const broken: string[] = [];
  const docker = stage.lane.usesDocker && stage.arena.restartDocker !== undefined;
  const database = stage.lane.database !== undefined;
  const { hard = false } = stage.lane;
  const targets = { store: stage.lane.proxy !== undefined, docker, database, hard, hang: options.long === true };
  for (const [round, seeds] of cycles) {
    try {
      const struck = seeds.map((seed) => pointOf(seed, { ...targets, round }));
      points.push(...(await runCycle(stage, round, struck, randomFrom(seeds[0] ?? 0)())));
      options.say(`  ${stage.lane.name}: ${points.length} held, the last of seed ${seeds.at(-1) ?? 0}`);
    } catch (error) {
      // What was under way when the run was given up breaks nothing.
      if (options.signal?.aborted === true) break;
      broken.push(error instanceof Error ? error.message : String(error));
      options.say(`  BROKEN ${broken.at(-1) ?? ''}`);
      // What a broken cycle left would only break the next ones in other ways.
      break;
    }
  }
  return { points, broken };
}

function hasTwoStores({ lane }: Stage): boolean {
  return lane.stores !== undefined;
}

function roundsOf({ lane }: Stage): readonly [Round, ...Round[]] {
  const [first = USUAL_ROUND, ...others] = lane.rounds ?? [];
  return [first, ...others];
}

async function strikeAll(
  lanes: readonly Lane[],
  engine: RunningEngine,
  client: Engine,
  docker: OwnDocker | undefined,
  options: CrashOptions,
): Promise<CrashReport> {
  const stages: Stage[] = lanes.map((lane) => ({
    lane,
    client: client.client,
    arena: {
      engine,
      lane: lane.name,
      proxy: lane.proxy,
      ...(lane.database === undefined ? {} : { database: lane.database }),
      ...(docker === undefined ? {} : { restartDocker: () => docker.restart() }),
    },
    say: options.say,
    steps: {},
    count: { cycles: 0, backups: 0 },
  }));
  const all = cyclesOf(options.seed, options.points);
  const cycles = stages.map((stage, number) => {
    const rounds = roundsOf(stage);
    return all
      .filter((seeds) => laneOf(seeds, stages.length) === number)
      .map((seeds) => [rounds[roundOf(seeds, stages.length, rounds.length)] ?? rounds[0], seeds] as const);
  });
  // Without a crash first: what the steps are and how long they take; one lane after the other, undisturbed.
  const measure = async (of: readonly Stage[]): Promise<void> => {
    for (const stage of of) {
      const own = new Set((cycles[stages.indexOf(stage)] ?? []).map(([round]) => round));
      for (const round of own) await runCycle(stage, round, [], 0.3);
    }
  };
  // Where two stores are at work most of the time is spent waiting for one another: that disturbs nobody.
  const [quiet, busy] = [stages.filter(hasTwoStores), stages.filter((stage) => !hasTwoStores(stage))];
  await Promise.all([measure(busy), ...quiet.map((stage) => measure([stage]))]);
  const reports = await Promise.all(stages.map((stage, number) => runLane(stage, cycles[number] ?? [], options)));
  return {
    points: reports.flatMap(({ points }) => points),
    broken: reports.flatMap(({ broken }) => broken),
  };
}

/**
 * Runs the points of the seeds from `seed` on, the lanes beside each other. Everything it starts is its own: engine,
 * workers, stores, container, volumes, state; all of it is gone at the end. Throws InterruptedError when the signal says so.
 */
export async function runCrashSuite(options: CrashOptions): Promise<CrashReport> {
  const base = mkdtempSync(path.join(tmpdir(), 'holdfast-crash-'));
  const closers: (() => Promise<void>)[] = [];
  const restore = setEnvironment('HOLDFAST_HOME', path.join(base, 'home'));
  closers.push(() => {
    restore();
    return Promise.resolve();
  });
  try {
    const isOwn = options.restartDocker === true || options.ownDocker === true;
    const docker = isOwn ? await ownDockerEngine({ network: 'isolated' }) : undefined;
    if (docker !== undefined) {
      const restoreHost = setEnvironment('DOCKER_HOST', docker.host);
      closers.push(async () => {
        await docker.close();
        restoreHost();
      });
    }
    const lanes = await makeLanes(options.lanes ?? LANES, base, closers);
    for (const lane of lanes) {
      requireGoing(options.signal);
      await register(lane, base);
    }
    requireGoing(options.signal);
    const hosts = lanes.map(({ name }) => name);
    const engine = await startUp({ hosts, port: 0, uiPort: false, onEvent: (event) => tellDeaths(event, options.say) });
    closers.push(() => engine.stop());
    const client = await connectEngine(engine.target);
    // What is under way when the run is given up is asked again and again: on a closed channel that throws out of a timer.
    closers.push(() => (options.signal?.aborted === true ? Promise.resolve() : client.close()));
    options.say(`seeds ${options.seed} to ${options.seed + options.points - 1}`);
    return await Promise.race([
      strikeAll(lanes, engine, client, options.restartDocker === true ? docker : undefined, options),
      aborted(options.signal),
    ]);
  } finally {
    await closeAll(closers);
    rmSync(base, { recursive: true, force: true });
  }
}

/** The last first, and all of them: what one cannot remove must not keep the others. Throws the first failure. */
async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.toReversed()) await close().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/** For this process and its children; returns how to undo it. */
function setEnvironment(name: string, value: string): () => void {
  const before = process.env[name];
  process.env[name] = value;
  return () => {
    if (before === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before;
  };
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const leave = (): void => reject(new InterruptedError());
    if (signal?.aborted === true) leave();
    else signal?.addEventListener('abort', leave, { once: true });
  });
}

function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new InterruptedError();
}

function tellDeaths(event: { readonly kind: string }, say: (line: string) => void): void {
  if (process.env['HOLDFAST_CRASH_VERBOSE'] !== undefined) say(`  ${JSON.stringify(event)}`);
}
