/**
 * The page's knowledge, kept up to date in the background: often while somebody looks and something runs, rarely when
 * nobody does. A request is answered from memory whatever the engine and the stores are doing.
 */
import { findingId, inOrder } from '../../policy/findings.ts';
import { judgeEngine } from '../../policy/judge-engine.ts';
import type { System } from '../../system/types.ts';
import { NOTHING_KNOWN, type EngineFacts, type Knowledge, type SystemFacts } from '../facts.ts';
import { Bell } from './bell.ts';
import { EngineWatch } from './engine-watch.ts';
import { enginePauseMs } from './pauses.ts';
import { StoresWatch } from './stores-watch.ts';

/** Who was away for this long comes back. */
const RETURN_MS = 20_000;

export class Watch {
  private knowledge = NOTHING_KNOWN;
  private readonly engine: EngineWatch;
  private readonly stores: StoresWatch;
  private readonly engineBell = new Bell();
  private readonly engineSeen = Promise.withResolvers<undefined>();
  private stopped = false;
  private lookedAtByPeopleMs = -Infinity;
  private loops: Promise<unknown> = Promise.resolve();

  constructor(options: { readonly uiUrl?: string | undefined } = {}) {
    this.engine = new EngineWatch(options.uiUrl);
    const around = {
      engine: () => this.knowledge.engine,
      schedulesOf: (system: System) => this.engine.schedulesOf(system),
      idleMs: () => this.idleMs(),
    };
    this.stores = new StoresWatch(around, (known) => {
      const { engine } = this.knowledge;
      this.knowledge = { ...known, engine, systems: known.systems.map((facts) => withEngine(facts, engine)) };
    });
  }

  start(): void {
    this.loops = Promise.all([this.watchEngine(), this.watchStores()]);
  }

  /** What is known now, for somebody who looks. */
  look(nowMs: number): Knowledge {
    const idleMs = nowMs - this.lookedAtByPeopleMs;
    this.lookedAtByPeopleMs = nowMs;
    // Whoever comes back sees what was known, and soon what is.
    if (idleMs > RETURN_MS) {
      this.engineBell.ring();
      this.stores.ring();
    }
    return this.knowledge;
  }

  /** For programs that ask whether this one is well: no reason to look more often. */
  glance(): Knowledge {
    return this.knowledge;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.engineBell.ring();
    this.stores.stop();
    await this.loops;
    await this.engine.close();
  }

  private idleMs(): number {
    return Date.now() - this.lookedAtByPeopleMs;
  }

  private async watchEngine(): Promise<void> {
    while (!this.stopped) {
      this.engineBell.begin();
      const { engine: known } = this.knowledge;
      const engine = await this.engine.look();
      const systems = this.knowledge.systems.map((facts) => withEngine(facts, engine));
      this.knowledge = { ...this.knowledge, engine, systems };
      this.engineSeen.resolve(undefined);
      // What has ended has changed the stores, and findings tell of the engine too.
      if (followedIn(known) !== followedIn(engine)) this.stores.hearNews();
      if (stateOf(known) !== stateOf(engine)) this.stores.ring();
      await this.engineBell.wait(enginePauseMs({ idleMs: this.idleMs(), busy: engine.operations.length > 0 }));
    }
  }

  private async watchStores(): Promise<void> {
    // Else the first findings would say that no engine runs.
    await this.engineSeen.promise;
    await this.stores.run();
  }
}

/** The engine is looked at more often than the stores: whether it runs is known from there, both ways. */
function withEngine(facts: SystemFacts, engine: EngineFacts): SystemFacts {
  const { system, findings } = facts;
  const { running, why } = engine;
  if (system === undefined || running === undefined) return facts;
  const others = findings.filter((finding) => findingId(finding) !== findingId({ check: 'engine', subject: 'engine' }));
  const own = running ? [] : judgeEngine(system, { running, ...(why === undefined ? {} : { why }) }).findings;
  return { ...facts, findings: inOrder([...others, ...own]) };
}

function stateOf(engine: EngineFacts): string {
  const { operations, running = false } = engine;
  return [String(running), ...operations.map(({ runId }) => runId), followedIn(engine)].join(' ');
}

function followedIn({ incidents }: EngineFacts): string {
  return incidents.map(({ runId, state }) => `${runId} ${state.state}`).join(' ');
}
