/**
 * `holdfast up`: the embedded server (unless TEMPORAL_* names another), its registrations, and the workers of this
 * machine, all kept running until this process is asked to end.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { engineDirectory } from '../system/home.ts';
import { connectEngine } from './connect.ts';
import type { Engine } from './connect.ts';
import { pageSpec, pageUrl, type PageOptions } from './page-place.ts';
import { parseMetricsAddress, type MetricsAddress } from './metrics-address.ts';
import { forgetTargets } from './metrics-targets.ts';
import { freePort, preferPort, requirePort } from './ports.ts';
import { identityOf, pidOf } from './process.ts';
import { schedulesFollower, type ScheduleNews } from './follow-schedules.ts';
import { standingFollower, type StandingNews } from './follow-standing.ts';
import { looksForgotten } from './forget-looks.ts';
import type { Repeated } from './repeated.ts';
import { failAttemptsOfDead } from './recover.ts';
import type { FailedAttempt } from './recover.ts';
import { raiseRetention, registerSearchAttributes } from './register.ts';
import { serverSpec, waitUntilServing } from './server.ts';
import {
  checkDatabaseVersion,
  endOrphans,
  recordDatabaseVersion,
  takeInstanceLock,
  writeEngineRecord,
} from './state.ts';
import type { InstanceLock } from './state.ts';
import { supervise } from './supervised.ts';
import type { ChildEvent, ChildSpec, Supervised } from './supervised.ts';
import { engineTarget, isServerNamed } from './target.ts';
import type { EngineTarget } from './target.ts';
import type { SystemFilesFollower } from './system-files.ts';
import { findTemporal } from './tools.ts';
import { waitUntilPolling, workerPlaces } from './workers.ts';

const USUAL_PORT = 7233;
const USUAL_UI_PORT = 8233;
const USUAL_PAGE_PORT = 8234;
const MOURNING_MS = [0, 2_000];

export interface UpOptions {
  /** The hosts that this machine is; one worker process for each, beside the one for the stories. */
  readonly hosts: readonly string[];
  /** Exactly this port, waited for while a predecessor gives it back. Default: 7233, or a free one when that is taken. */
  readonly port?: number;
  /** Likewise; false for no web interface. Default 8233 or a free one. */
  readonly uiPort?: number | false;
  /** Where the first worker shows its metrics; the others follow. Default: what HOLDFAST_METRICS says, else free ports. */
  readonly metrics?: MetricsAddress | 'off';
  /** By which Prometheus asks, beside those that HOLDFAST_METRICS_NAMES says. */
  readonly metricsNames?: readonly string[];
  /** False: the server only. Default true. */
  readonly workers?: boolean;
  /** The page to look at; absent: none. */
  readonly page?: PageOptions;
  /** True: what the system files declare to run by itself is applied, now and when they change. Default false. */
  readonly schedules?: boolean;
  /** After how long looks of monitoring are removed. Default: a day in the embedded server, never in another one. */
  readonly forgetLooksSeconds?: number | undefined;
  /** False: the embedded server fires none of the schedules that its database holds. Default true. */
  readonly fires?: boolean;
  readonly onEvent?: (event: UpEvent) => void;
  /** Aborting gives up starting; what was started is stopped. */
  readonly signal?: AbortSignal;
}

export type UpEvent =
  | ({ readonly kind: 'child' } & ChildEvent)
  | { readonly kind: 'serving'; readonly address: string; readonly uiUrl?: string; readonly from: EngineTarget['from'] }
  | { readonly kind: 'page'; readonly url: string }
  | { readonly kind: 'registered'; readonly searchAttributes: readonly string[] }
  | { readonly kind: 'orphans'; readonly ended: number }
  | { readonly kind: 'given-back'; readonly attempts: readonly FailedAttempt[]; readonly error?: string }
  | ({ readonly kind: 'standing' } & StandingNews)
  | ({ readonly kind: 'schedules' } & ScheduleNews)
  | { readonly kind: 'ready'; readonly hosts: readonly string[] };

export interface RunningEngine {
  readonly target: EngineTarget;
  /** Stops the workers, then the server. A repeat waits for the same end. */
  stop(): Promise<void>;
  /** Process numbers by name, for status and tests; a child between death and restart has none. */
  processes(): Readonly<Record<string, number | undefined>>;
}

/** Everything one `up` has started, and the record of it that survives its death. */
class Household {
  private readonly children: Supervised[] = [];
  private readonly options: UpOptions;
  private lock: InstanceLock | undefined;
  private place: { address: string; uiUrl?: string; pageUrl?: string } | undefined;
  private stopping: Promise<void> | undefined;
  private readonly followers: SystemFilesFollower[] = [];
  private looks: Repeated | undefined;

  constructor(options: UpOptions) {
    this.options = options;
  }

  tell(event: UpEvent): void {
    this.options.onEvent?.(event);
  }

  start(spec: ChildSpec): Supervised {
    const child = supervise(spec, (event) => {
      this.tell({ kind: 'child', ...event });
      const works = spec.name !== 'server' && spec.name !== 'page';
      if (event.what === 'died' && event.pid !== undefined && works) this.mourn(event.pid);
      // The child isn't known here before its first start has been told of.
      queueMicrotask(() => this.writeRecord());
    });
    this.children.push(child);
    this.writeRecord();
    return child;
  }

  /** Work of a dead worker is given back, twice because the first look may come before its record is searchable. */
  mourn(pid: number): void {
    for (const delayMs of MOURNING_MS) {
      const timer = setTimeout(() => {
        this.giveBack(pid).catch((error: unknown) => {
          // The server may be down as well; then the heartbeat time-out does it.
          this.tell({
            kind: 'given-back',
            attempts: [],
            error: error instanceof Error ? error.message : String(error),
          });
        });
      }, delayMs);
      timer.unref();
    }
  }

  private async giveBack(pid: number): Promise<void> {
    if (this.stopping !== undefined) return;
    await using engine = await connectEngine();
    const attempts = await failAttemptsOfDead(engine.client, pid);
    if (attempts.length > 0) this.tell({ kind: 'given-back', attempts });
  }

  /** Now, and whenever a system file changes. */
  async follow(engine: Engine, follower: SystemFilesFollower): Promise<void> {
    this.followers.push(follower);
    await follower.ensure(engine);
    follower.follow();
  }

  forgetLooks(keptMs?: number): void {
    this.looks = looksForgotten(keptMs);
    this.looks.start();
  }

  takeLock(): void {
    this.lock = takeInstanceLock();
    if (this.lock === undefined) {
      throw new HoldfastError('EngineRunning', `an engine runs already in ${engineDirectory()}`);
    }
  }

  serveAt(place: { address: string; uiUrl?: string }): void {
    this.place = place;
  }

  /** Its deaths are told like those of the others, and nothing waits for it. */
  async startPage(options: PageOptions): Promise<void> {
    const port = await choosePort(options.port, USUAL_PAGE_PORT);
    const url = pageUrl(port, options.address);
    if (this.place !== undefined) this.place = { ...this.place, pageUrl: url };
    this.start(pageSpec(port, options));
    this.tell({ kind: 'page', url });
  }

  /** Only the owner of the embedded server keeps a record; workers of a named server are nobody else's business. */
  private writeRecord(): void {
    if (this.place === undefined || this.stopping !== undefined) return;
    const children = this.children.map((child) => child.identity()).filter((identity) => identity !== undefined);
    writeEngineRecord({ ...this.place, owner: identityOf(process.pid) ?? '', children });
  }

  processes(): Record<string, number | undefined> {
    return Object.fromEntries(
      this.children.map((child) => {
        const identity = child.identity();
        return [child.name, identity === undefined ? undefined : pidOf(identity)];
      }),
    );
  }

  async stop(): Promise<void> {
    this.stopping ??= this.stopInOrder();
    return this.stopping;
  }

  private async stopInOrder(): Promise<void> {
    await this.looks?.stop();
    await Promise.all(this.followers.map((follower) => follower.stop()));
    const workers = this.children.filter((child) => child.name !== 'server');
    // Workers hand back what they were doing while there is still a server to hand it to.
    await Promise.all(workers.map((child) => child.stop()));
    await Promise.all(this.children.map((child) => child.stop()));
    if (this.place !== undefined) rmSync(path.join(engineDirectory(), 'engine.json'), { force: true });
    this.lock?.release();
  }
}

async function choosePort(asked: number | undefined, usual: number): Promise<number> {
  if (asked === 0) return freePort();
  return asked === undefined ? preferPort(usual) : requirePort(asked);
}

/** Returns the numbers of processes that a killed predecessor had left and that have been ended. */
async function startServer(household: Household, options: UpOptions): Promise<number[]> {
  const binary = await findTemporal();
  if (binary === undefined) throw new HoldfastError('ToolMissing', 'there is no Temporal server binary');
  household.takeLock();
  checkDatabaseVersion();
  const orphans = await endOrphans();
  if (orphans.length > 0) household.tell({ kind: 'orphans', ended: orphans.length });
  const port = await choosePort(options.port, USUAL_PORT);
  const uiPort = options.uiPort === false ? undefined : await choosePort(options.uiPort, USUAL_UI_PORT);
  const address = `127.0.0.1:${port}`;
  household.serveAt({ address, ...(uiPort === undefined ? {} : { uiUrl: `http://127.0.0.1:${uiPort}` }) });
  const { fires = true } = options;
  const ports = { port, ...(uiPort === undefined ? {} : { uiPort }) };
  const server = household.start(serverSpec(binary.path, { ...ports, fires }));
  await waitUntilServing(address, () => server.identity() !== undefined, options.signal);
  return orphans;
}

async function register(
  household: Household,
  engine: Engine,
  { embedded, forgetLooksSeconds }: { embedded: boolean; forgetLooksSeconds: number | undefined },
): Promise<void> {
  const { connection, target } = engine;
  if (embedded) {
    await raiseRetention(connection, target.namespace);
    recordDatabaseVersion();
  }
  // How long another server keeps what, its people decide.
  if (embedded || forgetLooksSeconds !== undefined) {
    household.forgetLooks(forgetLooksSeconds === undefined ? undefined : forgetLooksSeconds * 1000);
  }
  const searchAttributes = await registerSearchAttributes(connection, target.namespace);
  if (searchAttributes.length > 0) household.tell({ kind: 'registered', searchAttributes });
}

async function startWorkers(household: Household, engine: Engine, options: UpOptions): Promise<void> {
  // They find the server as every program does: by the same variables, or by the record of this machine's engine.
  const metrics = options.metrics ?? parseMetricsAddress(process.env['HOLDFAST_METRICS']) ?? 'off';
  forgetTargets();
  const started = workerPlaces(options.hosts, metrics, options.metricsNames).map((place) => ({
    place,
    child: household.start(place.spec),
  }));
  await Promise.all(
    started.map(({ place, child }) =>
      waitUntilPolling(engine.connection, engine.target.namespace, place, child, options.signal),
    ),
  );
  const { hosts } = options;
  await household.follow(
    engine,
    standingFollower(hosts, (news) => household.tell({ kind: 'standing', ...news })),
  );
  if (options.schedules === true) {
    await household.follow(
      engine,
      schedulesFollower((news) => household.tell({ kind: 'schedules', ...news })),
    );
  }
  household.tell({ kind: 'ready', hosts });
}

/**
 * Resolves when server and workers are at work. Throws EngineRunning, EngineVersion, PortTaken, ToolMissing,
 * EngineUnreachable or HostSilent, after stopping what it had started.
 */
export async function startUp(options: UpOptions): Promise<RunningEngine> {
  const household = new Household(options);
  try {
    const embedded = !isServerNamed();
    const orphans = embedded ? await startServer(household, options) : [];
    const target = engineTarget();
    await using engine = await connectEngine(target);
    await register(household, engine, { embedded, forgetLooksSeconds: options.forgetLooksSeconds });
    const { address, uiUrl, from } = target;
    household.tell({ kind: 'serving', address, from, ...(uiUrl === undefined ? {} : { uiUrl }) });
    for (const pid of orphans) household.mourn(pid);
    if (options.page !== undefined) await household.startPage(options.page);
    if (options.workers !== false) await startWorkers(household, engine, options);
    return { target, stop: () => household.stop(), processes: () => household.processes() };
  } catch (error) {
    await household.stop();
    throw error;
  }
}

/** Runs until SIGINT or SIGTERM, then stops everything in order. Rejects when it cannot start. */
export async function runUp(options: UpOptions): Promise<void> {
  const starting = new AbortController();
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        starting.abort(new HoldfastError('Rejected', `${signal} while starting`));
        resolve();
      });
    }
  });
  const signal = options.signal === undefined ? starting.signal : AbortSignal.any([options.signal, starting.signal]);
  const running = await startUp({ ...options, signal });
  await asked;
  await running.stop();
}
