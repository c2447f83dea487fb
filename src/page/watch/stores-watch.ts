/** What the stores of the registered systems tell, read again and again at a bounded cost. */
import type { HostSeen } from '../../policy/host-look.ts';
import { tell } from '../../observe/told.ts';
import { judgeHosts } from '../../policy/judge-hosts.ts';
import { lookAtCatalogues, type CatalogueMemories } from '../../status/catalogues.ts';
import { drillHistory } from '../../status/drill-runs.ts';
import { findingsOf, findingsOfFault, lookHere } from '../../status/findings.ts';
import type { EngineState } from '../../status/running.ts';
import { seenCatalogue } from '../../status/seen.ts';
import { statusOf } from '../../status/system-status.ts';
import { knownSystems, type FileFault, type Registered } from '../../system/last-good.ts';
import type { System } from '../../system/types.ts';
import type { EngineFacts, SystemFacts } from '../facts.ts';
import { Kept } from './kept.ts';

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

export class StoresWatch {
  private readonly memories = new Map<string, CatalogueMemories>();
  private readonly hosts = new Kept<HostsSeen>(({ troubled }) => (troubled ? TROUBLE_EVERY_MS : HOSTS_EVERY_MS));
  private readonly schedules = new Kept<SystemFacts['schedules']>((seen) =>
    seen?.every(({ applied }) => applied) === true ? SCHEDULES_EVERY_MS : UNAPPLIED_EVERY_MS,
  );
  private readonly ask: (system: System) => Promise<SystemFacts['schedules']>;
  private news = 0;

  /** `ask`: for the schedules of a system. */
  constructor(ask: (system: System) => Promise<SystemFacts['schedules']>) {
    this.ask = ask;
  }

  /** Monitoring has found something, or found it gone: what hosts were seen to be before is of no use any more. */
  hearNews(): void {
    this.news += 1;
  }

  /** Every registered system, one after another. What can't be read is told in its place. Throws what `knownSystems` throws. */
  async look(engine: EngineFacts, before: readonly SystemFacts[]): Promise<SystemFacts[]> {
    const registered = await knownSystems();
    for (const name of this.memories.keys()) {
      if (registered.some((system) => system.name === name)) continue;
      this.memories.delete(name);
      this.hosts.forget(name);
      this.schedules.forget(name);
    }
    const found: SystemFacts[] = [];
    for (const one of registered) {
      const known = before.find(({ name }) => name === one.name);
      found.push(await this.systemFacts(one, engine, known));
    }
    return found;
  }

  private async systemFacts(
    registered: Registered,
    engine: EngineFacts,
    before: SystemFacts | undefined,
  ): Promise<SystemFacts> {
    const { name, system, fault } = registered;
    if (system === undefined) return withoutFile(name, fault, Date.now());
    try {
      const nowMs = Date.now();
      const known = await lookAtCatalogues(system, { memories: this.memoriesOf(system) });
      const state = stateOf(engine);
      const seen = seenCatalogue(known);
      const schedules = await this.schedulesOf(system, nowMs);
      const status = await statusOf(system, state, seen, schedules ?? [], nowMs);
      const { findings, facts, unknown } = await findingsOf(system, state, nowMs, {
        hosts: (await this.hostsOf(system, nowMs)).hosts,
        ...(fault === undefined ? {} : { fault }),
        read: { known: seen, logs: status.logs, readBacks: status.stores },
      });
      const { backups } = known;
      const drills = await drillHistory(system, DRILLS_SHOWN).catch(() => before?.drills ?? []);
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
    return this.hosts.get(system.name, of, nowMs, async () => {
      const hosts = await lookHere(system, AbortSignal.timeout(HOSTS_LIMIT_MS));
      const { findings, unknown } = judgeHosts(system, hosts);
      return { hosts, troubled: findings.length + unknown.length > 0 };
    });
  }

  /** Each is asked for by itself, so that they are asked for less often than stores are read. */
  private schedulesOf(system: System, nowMs: number): Promise<SystemFacts['schedules']> {
    return this.schedules.get(system.name, system.sourceText, nowMs, () => this.ask(system));
  }

  private memoriesOf({ name, stores }: System): CatalogueMemories {
    const memories = this.memories.get(name) ?? (new Map() as CatalogueMemories);
    this.memories.set(name, memories);
    for (const store of memories.keys()) if (!stores.some((one) => one.name === store)) memories.delete(store);
    return memories;
  }
}

function withoutFile(name: string, fault: FileFault, nowMs: number): SystemFacts {
  const { findings, unknown } = findingsOfFault(name, fault, nowMs);
  return { name, backups: [], findings, unknown, failure: tell(fault.error) };
}

function stateOf({ running = false, why, address, operations }: EngineFacts): EngineState {
  const known = { ...(why === undefined ? {} : { why }), ...(address === undefined ? {} : { address }) };
  return { running, ...known, operations };
}
