/**
 * Keeps the values of a page up to date in the background. Each kind of look has its own pace, and each system its own
 * turn, so that a store that hangs delays nothing but its own system; a scrape waits for none of them. A look that fails
 * leaves what was known, and says so by its own metrics.
 */
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { connectEngine } from '../engine/connect.ts';
import { describeSchedule } from '../engine/schedules.ts';
import { log } from '../observe/log.ts';
import { scheduleId } from '../policy/schedules.ts';
import { listIncidents } from '../status/incidents.ts';
import { operationsOf, runningOperations, type EngineState } from '../status/running.ts';
import { engineDirectory } from '../system/home.ts';
import { durationSeconds } from '../system/durations.ts';
import { knownSystems } from '../system/last-good.ts';
import type { System } from '../system/types.ts';
import type { Sample } from './definitions.ts';
import { OPERATIONS } from './ended-runs.ts';
import { countEndedRuns } from './ended-runs-reader.ts';
import { lookAtDisks, lookAtLogs, lookAtStores, type Remembered } from './look.ts';
import { fileSample, findingSamples, incidentSamples, lastMonitor } from './monitor-samples.ts';
import type { MetricsPage } from './page.ts';
import { Paced } from './paced.ts';
import { RunTotals } from './run-totals.ts';
import { operationSamples } from './system-samples.ts';

export interface Pace {
  /** Runs that have ended, and what runs now. */
  readonly engineMs: number;
  /** Write-ahead logs, disks, what the monitor says. */
  readonly logsMs: number;
  /** Whole catalogues; a run of a system that has ended is a reason to look at once. */
  readonly storesMs: number;
}

export const USUAL_PACE: Pace = { engineMs: 15_000, logsMs: 60_000, storesMs: 600_000 };

/** HOLDFAST_METRICS_REFRESH, such as `1m`: how often whole catalogues are read, and the rest at least as often. */
export function paceOf(environment: NodeJS.ProcessEnv): Pace {
  const text = environment['HOLDFAST_METRICS_REFRESH'];
  if (text === undefined || text === '') return USUAL_PACE;
  const asked = durationSeconds(text) * 1000;
  return {
    engineMs: Math.min(USUAL_PACE.engineMs, asked),
    logsMs: Math.min(USUAL_PACE.logsMs, asked),
    storesMs: asked,
  };
}

/** A question for each system, and one for each incident. */
const MONITOR_LIMIT_MS = 60_000;

export interface Collector {
  stop(): Promise<void>;
}

/** Disks alone: what a worker of a host can tell that the one for the stories can't. */
export function collectDisks(page: MetricsPage, host: string | undefined, pace: Pace): Collector {
  const paced = new Paced(page);
  paced.every('disks', '', pace.logsMs, async () => page.replace('disks', await lookAtDisks(host)));
  return paced;
}

/** Everything that stores and engine tell of every system that is registered on this machine. */
export function collectSystems(page: MetricsPage, client: Client, pace: Pace): Collector {
  const collection = new Systems(page, client, pace);
  collection.begin();
  return collection;
}

class Systems implements Collector {
  private readonly page: MetricsPage;
  private readonly client: Client;
  private readonly pace: Pace;
  private readonly paced: Paced;
  private readonly totals: RunTotals;
  private readonly remembered = new Map<string, Remembered>();
  private known = new Map<string, System>();
  private engine: EngineState = { running: false, operations: [] };
  /** Names of systems are needed before the first run is counted. */
  private readonly registerRead = Promise.withResolvers<undefined>();

  constructor(page: MetricsPage, client: Client, pace: Pace) {
    this.page = page;
    this.client = client;
    this.pace = pace;
    this.paced = new Paced(page);
    this.totals = new RunTotals(path.join(engineDirectory(), 'metrics-runs.json'), Date.now());
    page.countBy('backup_operations_total', () => this.totals.all());
  }

  begin(): void {
    const { engineMs } = this.pace;
    this.paced.every('systems', '', engineMs, () =>
      this.followRegister().finally(() => this.registerRead.resolve(undefined)),
    );
    this.paced.every('engine', '', engineMs, () => this.lookAtEngine());
    this.paced.every('monitor', '', this.pace.logsMs, () => this.lookAtMonitor());
    this.paced.every('disks', '', this.pace.logsMs, async () =>
      this.page.replace('disks', await lookAtDisks(undefined)),
    );
  }

  stop(): Promise<void> {
    return this.paced.stop();
  }

  /** Systems come and go while a worker runs, and their files change. */
  private async followRegister(): Promise<void> {
    const registered = await knownSystems();
    const isGone = (name: string): boolean => !registered.some((one) => one.name === name);
    for (const gone of [...this.known.keys()].filter(isGone)) this.forget(gone);
    for (const { name, system, fault } of registered) {
      if (system !== undefined) this.follow(system);
      if (fault !== undefined) {
        log('metrics').warn({ system: name, err: fault.error }, 'the system file can not be used');
      }
    }
    this.page.replace('systems', registered.map(fileSample));
    const failed = registered.find(({ fault }) => fault !== undefined);
    if (failed?.fault !== undefined) throw failed.fault.error;
  }

  private follow(system: System): void {
    const { name } = system;
    const isNew = !this.known.has(name);
    this.known.set(name, system);
    for (const { name: plan } of system.plans) this.beginSeries(name, plan);
    if (!isNew) return;
    this.paced.every('stores', name, this.pace.storesMs, () => this.lookAtStores(name));
    this.paced.every('logs', name, this.pace.logsMs, () => this.lookAtLogs(name));
  }

  private beginSeries(system: string, plan: string): void {
    const labels = { system, operation: 'backup', plan };
    const others = OPERATIONS.filter((operation) => operation !== labels.operation);
    const all = [labels, ...others.map((operation) => ({ system, operation, plan: '' }))];
    for (const one of all) for (const status of ['success', 'failure'] as const) this.totals.begin({ ...one, status });
    this.page.begin('backup_duration_seconds', labels);
  }

  private forget(name: string): void {
    this.known.delete(name);
    this.remembered.delete(name);
    for (const kind of ['stores', 'logs', 'monitor']) {
      this.paced.end(kind, name);
      this.page.replace(`${kind} ${name}`, []);
    }
  }

  private async lookAtStores(name: string): Promise<void> {
    const system = this.known.get(name);
    if (system === undefined) return;
    const before = this.remembered.get(name);
    const found = await lookAtStores(system, this.engine, before, Date.now(), (plan) => this.scheduleMs(name, plan));
    if (!this.known.has(name)) return;
    this.remembered.set(name, found.remembered);
    this.page.replace(`stores ${name}`, found.samples);
  }

  /** When the engine was given the plan's schedule; undefined where it does not say. */
  private async scheduleMs(system: string, plan: string): Promise<number | undefined> {
    const described = describeSchedule(this.client, scheduleId(system, `backup/${plan}`));
    return (await described.catch(() => undefined))?.createdAtMs;
  }

  private async lookAtLogs(name: string): Promise<void> {
    const system = this.known.get(name);
    if (system === undefined) return;
    const samples = await lookAtLogs(system, this.engine, Date.now());
    if (this.known.has(name)) this.page.replace(`logs ${name}`, samples);
  }

  private async lookAtEngine(): Promise<void> {
    this.engine = await runningOperations();
    const up: Sample = { name: 'holdfast_engine_up', labels: {}, value: Number(this.engine.running) };
    if (!this.engine.running) {
      this.page.replace('engine', [up]);
      throw new Error(this.engine.why ?? 'the engine does not answer');
    }
    const operations = [...this.known.keys()].flatMap((name) =>
      operationSamples(name, operationsOf(name, this.engine)),
    );
    this.page.replace('engine', [up, ...operations]);
    await this.registerRead.promise;
    await this.countRuns();
  }

  /** Judging is the monitor's work, on hosts that can look at themselves; here its word is passed on. */
  private async lookAtMonitor(): Promise<void> {
    await this.registerRead.promise;
    await using engine = await connectEngine();
    // An engine that takes the call and never answers would end these looks for good.
    await engine.client.withDeadline(Date.now() + MONITOR_LIMIT_MS, async () => {
      const incidents = await listIncidents(engine);
      for (const name of this.known.keys()) {
        const last = await lastMonitor(engine, name);
        const found = last === undefined ? [] : findingSamples(name, last);
        if (this.known.has(name)) this.page.replace(`monitor ${name}`, [...found, ...incidentSamples(name, incidents)]);
      }
    });
  }

  private async countRuns(): Promise<void> {
    const systems = [...this.known.values()].map(({ name, plans }) => ({
      system: name,
      plans: plans.map((plan) => plan.name),
    }));
    for (const { labels, status, seconds } of await countEndedRuns(this.client, this.totals, systems, Date.now())) {
      if (status === 'success') this.page.observe('backup_duration_seconds', { ...labels }, seconds);
      // What it has changed in the stores is told now and not minutes later.
      this.paced.soon('stores', labels.system);
    }
  }
}
