/** What the stores and the hosts of one system tell, read again and again at a bounded cost. */
import type { HostSeen } from '../../policy/host-look.ts';
import { tell } from '../../observe/told.ts';
import { judgeHosts } from '../../policy/judge-hosts.ts';
import { lookAtCatalogues, type CatalogueMemories } from '../../status/catalogues.ts';
import { drillHistory } from '../../status/drill-runs.ts';
import { decisive, findingsOf, findingsOfFault, lookHere } from '../../status/findings.ts';
import { STORE_LIMIT_MS } from '../../status/asked-once.ts';
import type { EngineState } from '../../status/running.ts';
import type { SeenCatalogue } from '../../status/brief.ts';
import { seenCatalogue } from '../../status/seen.ts';
import { statusOf } from '../../status/system-status.ts';
import type { FileFault, Registered } from '../../system/last-good.ts';
import type { System } from '../../system/types.ts';
import type { DrillReport } from '../../workflows/contract.ts';
import type { EngineFacts, SystemFacts } from '../facts.ts';
import { Bell } from './bell.ts';
import { Kept } from './kept.ts';
import { storesPauseMs } from './pauses.ts';

const HOSTS_EVERY_MS = 2 * 60_000;
/** A trouble that is mended goes from the page as soon as it is seen, whether monitoring has followed it or not. */
const TROUBLE_EVERY_MS = 10_000;
const SCHEDULES_EVERY_MS = 30_000;
/** `up` applies them seconds after the page has begun to look. */
const UNAPPLIED_EVERY_MS = 2_000;
const HOSTS_LIMIT_MS = 60_000;
const DRILLS_SHOWN = 12;

interface HostsSeen {
  readonly hosts: readonly HostSeen[];
  readonly troubled: boolean;
}

/** What a watch of one system is given of all the rest. */
export interface Around {
  readonly engine: () => EngineFacts;
  /** Undefined where the engine can't be asked. */
  readonly schedulesOf: (system: System) => Promise<SystemFacts['schedules']>;
  /** For how long nobody has looked at the page. */
  readonly idleMs: () => number;
}

export class SystemWatch {
  private readonly memories: CatalogueMemories = new Map();
  private readonly hosts = new Kept<HostsSeen>(({ troubled }) => (troubled ? TROUBLE_EVERY_MS : HOSTS_EVERY_MS));
  private readonly schedules = new Kept<SystemFacts['schedules']>((seen) =>
    seen?.every(({ applied }) => applied) === true ? SCHEDULES_EVERY_MS : UNAPPLIED_EVERY_MS,
  );
  private readonly around: Around;
  private readonly bell = new Bell();
  private readonly stopBell = new Bell();
  private stopped = false;
  private news = 0;
  private registered: Registered;
  private known: SystemFacts | undefined;

  constructor(registered: Registered, around: Around) {
    this.registered = registered;
    this.around = around;
  }

  /** What was seen last; nothing but its name before the first time. */
  get facts(): SystemFacts {
    return this.known ?? { name: this.registered.name, backups: [], findings: [], unknown: [] };
  }

  /** What its file says now. */
  update(registered: Registered): void {
    const isNew = sourceOf(registered) !== sourceOf(this.registered);
    this.registered = registered;
    if (isNew) this.bell.ring();
  }

  /** Somebody waits for what is true now. */
  ring(): void {
    this.bell.ring();
  }

  /** Monitoring has found something, or found it gone: what hosts were seen to be before is of no use any more. */
  hearNews(): void {
    this.news += 1;
  }

  stop(): void {
    this.stopped = true;
    for (const bell of [this.bell, this.stopBell]) bell.ring();
  }

  /** Until it is stopped; `seen` after each look. */
  async run(seen: () => void): Promise<void> {
    while (!this.stopped) {
      this.bell.begin();
      const startedMs = Date.now();
      const facts = await this.look();
      seen();
      const { findings, unknown, failure } = facts;
      const troubled = findings.length + decisive(unknown).length > 0 || failure !== undefined;
      const last = { idleMs: this.around.idleMs(), tookMs: Date.now() - startedMs, troubled };
      const { least, most } = storesPauseMs(last);
      await this.stopBell.wait(least);
      await this.bell.wait(most - least);
    }
  }

  /** Never throws: what can't be read is told in its place. */
  async look(): Promise<SystemFacts> {
    this.known = await this.factsNow();
    return this.known;
  }

  private async factsNow(): Promise<SystemFacts> {
    const { name, system, fault } = this.registered;
    const before = this.known;
    if (system === undefined) return withoutFile(name, fault, Date.now());
    try {
      const nowMs = Date.now();
      const known = await lookAtCatalogues(system, { memories: this.memoriesOf(system), limitMs: STORE_LIMIT_MS });
      const state = stateOf(this.around.engine());
      const seen = seenCatalogue(known);
      const schedules = await this.schedulesOf(system, nowMs);
      const status = await statusOf(system, state, seen, schedules ?? [], nowMs);
      const { findings, facts, unknown } = await findingsOf(system, state, nowMs, {
        hosts: (await this.hostsOf(system, nowMs)).hosts,
        ...(fault === undefined ? {} : { fault }),
        read: { known: seen, logs: status.logs, readBacks: status.stores },
      });
      const { backups } = known;
      const drills = await this.drillsOf(system, seen.unread);
      const seenNow = { status, numbers: facts, backups, findings, unknown, drills };
      return { name, system, lookedAtMs: nowMs, ...seenNow, ...(schedules === undefined ? {} : { schedules }) };
    } catch (error) {
      return { backups: [], findings: [], unknown: [], ...before, name, failure: tell(error) };
    }
  }

  /**
   * Looking at components asks databases and Docker, so that it is done less often than looking at stores: but at once
   * when monitoring has found something, or found it gone.
   */
  private hostsOf(system: System, nowMs: number): Promise<HostsSeen> {
    const of = `${this.news}\n${system.sourceText}`;
    return this.hosts.get(of, nowMs, async () => {
      const hosts = await lookHere(system, AbortSignal.timeout(HOSTS_LIMIT_MS));
      const { findings, unknown } = judgeHosts(system, hosts);
      return { hosts, troubled: findings.length + unknown.length > 0 };
    });
  }

  /** What was seen before, where no store tells. */
  private async drillsOf(system: System, unread: SeenCatalogue['unread']): Promise<readonly DrillReport[]> {
    const before = this.known?.drills ?? [];
    if (unread.length === system.stores.length) return before;
    return drillHistory(system, DRILLS_SHOWN, unread).catch(() => before);
  }

  /** Each is asked for by itself, so that they are asked for less often than stores are read. */
  private schedulesOf(system: System, nowMs: number): Promise<SystemFacts['schedules']> {
    return this.schedules.get(system.sourceText, nowMs, () => this.around.schedulesOf(system));
  }

  private memoriesOf({ stores }: System): CatalogueMemories {
    const { memories } = this;
    for (const store of memories.keys()) if (!stores.some((one) => one.name === store)) memories.delete(store);
    return memories;
  }
}

function sourceOf({ system, fault }: Registered): string {
  return `${system?.sourceText ?? ''}\n${fault?.error.message ?? ''}`;
}

function withoutFile(name: string, fault: FileFault, nowMs: number): SystemFacts {
  const { findings, unknown } = findingsOfFault(name, fault, nowMs);
  return { name, backups: [], findings, unknown, failure: tell(fault.error) };
}

function stateOf({ running = false, why, address, operations }: EngineFacts): EngineState {
  const known = { ...(why === undefined ? {} : { why }), ...(address === undefined ? {} : { address }) };
  return { running, ...known, operations };
}
