/** What the stores of the registered systems tell, read again and again at a bounded cost. */
import { tell } from '../../observe/told.ts';
import { lookAtCatalogues, type CatalogueMemories } from '../../status/catalogues.ts';
import { seenCatalogue } from '../../status/seen.ts';
import type { EngineState } from '../../status/running.ts';
import { statusOf } from '../../status/system-status.ts';
import { loadSystem } from '../../system/load.ts';
import { listSystems } from '../../system/register.ts';
import type { System } from '../../system/types.ts';
import type { EngineFacts, SystemFacts } from '../facts.ts';
import { troublesOf } from '../troubles.ts';

export class StoresWatch {
  private readonly memories = new Map<string, CatalogueMemories>();

  /** Every registered system, one after another. What can't be read is told in its place. Throws what `listSystems` throws. */
  async look(engine: EngineFacts, before: readonly SystemFacts[]): Promise<SystemFacts[]> {
    const registered = await listSystems();
    for (const name of this.memories.keys()) {
      if (!registered.some((system) => system.name === name)) this.memories.delete(name);
    }
    const found: SystemFacts[] = [];
    for (const { name } of registered) {
      found.push(
        await this.systemFacts(
          name,
          engine,
          before.find((one) => one.name === name),
        ),
      );
    }
    return found;
  }

  private async systemFacts(name: string, engine: EngineFacts, before: SystemFacts | undefined): Promise<SystemFacts> {
    try {
      const system = await loadSystem(name);
      const nowMs = Date.now();
      const known = await lookAtCatalogues(system, { memories: this.memoriesOf(system) });
      const status = await statusOf(system, stateOf(engine), seenCatalogue(known), nowMs);
      const findings = troublesOf(system, status, nowMs);
      return { name, system, lookedAtMs: nowMs, status, backups: known.backups, findings };
    } catch (error) {
      return { backups: [], findings: [], ...before, name, failure: tell(error) };
    }
  }

  private memoriesOf({ name, stores }: System): CatalogueMemories {
    const memories = this.memories.get(name) ?? (new Map() as CatalogueMemories);
    this.memories.set(name, memories);
    for (const store of memories.keys()) if (!stores.some((one) => one.name === store)) memories.delete(store);
    return memories;
  }
}

function stateOf({ running = false, why, address, operations }: EngineFacts): EngineState {
  const known = { ...(why === undefined ? {} : { why }), ...(address === undefined ? {} : { address }) };
  return { running, ...known, operations };
}
