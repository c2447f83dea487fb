/**
 * The world as workflows see it, in memory: a system with a ledger (frozen while it is captured) and files. Keeps what is
 * frozen, stopped and swapped, writes down each call, and fails where a test's script says so.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import type { IncidentActivities } from '../../src/activities/incident-types.ts';
import type {
  BackupFacts,
  CopyActivities,
  CopyTurn,
  CopyTurnInput,
  DrillFacts,
  HostActivities,
  LiveThere,
  OrchestrationActivities,
  PruneActivities,
  SystemFacts,
  UrgentActivities,
  WalActivities,
  WalFacts,
  WalTurn,
  WalTurnInput,
} from '../../src/activities/types.ts';
import type { FrozenFacts, PlanRequest, RestorePlan } from '../../src/workflows/contract.ts';
import { startCopies } from '../../src/activities/start-copies.ts';
import {
  componentRecord,
  gone,
  HOST,
  urgentAnswers,
  housekept,
  isRunning,
  judgedWith,
  NOTHING_COPIED,
  proof,
  rowsPlan,
  storeVerdict,
  untilCancelled,
} from './world-answers.ts';
import { lockHolderOf } from '../../src/activities/lock-holder.ts';
import { WorldAudit } from './world-audit.ts';
import { WorldIncidents } from './world-incidents.ts';
import { cleanActivities } from './world-clean.ts';
import { missingActivities } from './world-missing.ts';
import { drillFacts, drillWorld } from './world-drill.ts';
import { prunes } from './world-prune.ts';
import { WorldStandby } from './world-standby.ts';
import { failoverActivities, failoverFacts, WorldSites, type FailoverWorld } from './world-failover.ts';
import { WorldHandover } from './world-handover.ts';
import { fallenDigest, wholeFacts, wholePlan, type WholeWorld } from './world-whole.ts';

export { HOST, untilCancelled };

export type ActivityName =
  | keyof OrchestrationActivities
  | keyof IncidentActivities
  | keyof HostActivities
  | keyof UrgentActivities
  | keyof WalActivities
  | keyof CopyActivities
  | keyof PruneActivities;

/** Called before the activity does its work; the number counts its calls from 1. */
export type Script = Partial<Record<ActivityName, (call: number, input: unknown) => void | Promise<void>>>;

const AUDITS = /audit|whoAsks|whoAnswered/i;

export function failWith(type: string, message = `scripted ${type}`): never {
  throw ApplicationFailure.create({ type, message });
}

/** What was restored into a server of the stack is bad, and that server never answers again. */
export const GONE_FOR_GOOD: Script = {
  checkBeside: (call) => (call === 2 ? failWith('CheckFailed') : undefined),
  swapBack: (call) => {
    if (call > 1) return;
    throw ApplicationFailure.nonRetryable('the server takes no connections', 'Unhealthy');
  },
};

export interface WorldOptions {
  /** Who asked may not approve; it is always ana who asked. */
  readonly fourEyes?: boolean;
  /** Why a prune asks first. Default: it does not. */
  readonly pruneAsks?: readonly string[];
  readonly script?: Script;
  readonly approvalLimitSeconds?: number;
  readonly hostSilentSeconds?: number;
  readonly quiesce?: 'pause' | 'none';
  /** Live state to be replaced; false is a new machine. */
  readonly liveExists?: boolean;
  /** What a turn of receiving a log ends with; the number counts turns from 1. Default: it goes on until cancelled. */
  readonly turn?: (call: number, input: WalTurnInput) => WalTurn | Promise<WalTurn>;
  /** The log of `ledger` is received. */
  readonly logged?: boolean;
  /** Of the plan; the first by default is `main` alone. */
  readonly stores?: readonly string[];
  /** Which of them takes a capture. Default: the first. */
  readonly chooseStore?: () => Awaited<ReturnType<HostActivities['chooseStore']>>;
  /** What a turn of copying ends with; the number counts turns from 1. Default: one backup, nothing left. */
  readonly copyTurn?: (call: number, input: CopyTurnInput) => Partial<CopyTurn> | Promise<Partial<CopyTurn>>;
  /** Where `config` lives; the ledger always lives on HOST. */
  readonly configHost?: string;
  /** Of a restore of the whole system. */
  readonly whole?: WholeWorld;
  /** What a failover to this site meets. */
  readonly failover?: FailoverWorld;
  /** What a drill is to do, beside what is usual. */
  readonly drill?: Partial<DrillFacts>;
}

export class World {
  readonly calls: { name: ActivityName; input: unknown }[] = [];
  readonly held = new Set<string>();
  readonly audit = new WorldAudit();
  readonly sites = new WorldSites();
  readonly handover = new WorldHandover(this.sites, () => this.manifests.length);
  readonly manifests: { purpose: string; plan: string }[] = [];
  readonly swapped = new Set<string>();
  readonly besides = new Set<string>();
  stopped = false;
  backupInUse = 'backup-1';
  rowsMissing = 2;
  filesMissing = 3;
  cleanCandidates: readonly { backup: string; content?: string; skip?: string }[] = [{ backup: 'backup-1' }];
  readonly infected = new Set<string>();
  /** Objects that are not thawed yet; each look finds one less. */
  stillFrozen = 0;
  /** The plan is run on change. */
  watched = true;
  /** Of the watched files. */
  print = 'first';
  /** Undefined: the system file asks for no log. */
  walFacts: WalFacts | undefined = { host: HOST, mode: 'stream', everySeconds: 5, basePlan: 'daily' };
  readonly incidents = new WorldIncidents();
  readonly standby = new WorldStandby();
  private readonly options: WorldOptions;

  constructor(options: WorldOptions = {}) {
    this.options = options;
  }

  names(): ActivityName[] {
    return this.calls.map(({ name }) => name);
  }

  count(name: ActivityName): number {
    return [...this.calls, ...this.audit.calls].filter((call) => call.name === name).length;
  }

  orchestration(client: Client): OrchestrationActivities & IncidentActivities {
    return this.scripted<OrchestrationActivities & IncidentActivities>({
      ...this.incidents.activities(client),
      describeBackup: ({ system, plan }) => Promise.resolve(this.backupFacts(system, plan)),
      describeSystem: ({ system }) => Promise.resolve(this.facts(system)),
      describeStores: ({ store }) =>
        Promise.resolve((store === undefined ? ['main', 'away'] : [store]).map((name) => ({ name, host: HOST }))),
      describeWal: () => Promise.resolve(this.walFacts),
      ...this.audit.asking(this.options.fourEyes === true),
      describeCopy: () => Promise.resolve({ host: HOST }),
      startCopies: ({ system, targets }) => startCopies(client, system, targets),
      describeChanges: () => Promise.resolve(this.watched ? [{ host: HOST, components: ['config'] }] : []),
      describeStandby: ({ system }) => Promise.resolve(this.standby.wanted ? this.facts(system) : undefined),
      describeDrill: ({ system }) => Promise.resolve(drillFacts(system, this.options.drill ?? {})),
      ...failoverFacts(HOST, this.options.failover ?? {}),
      ...this.handover.facts(HOST),
      describeHousekeeping: () => Promise.resolve({ host: HOST, site: 'home' }),
      stillRuns: ({ workflowId }) => isRunning(client, workflowId),
      lockHolder: ({ lockId }) => lockHolderOf(client, lockId),
      describeMonitoring: () => {
        const { configHost = HOST } = this.options;
        return Promise.resolve({ site: 'home', hosts: [...new Set([HOST, configHost])], ping: true });
      },
      judgeSystem: ({ system, hosts }) => Promise.resolve(judgedWith(system, hosts)),
      signOfLife: () => Promise.resolve(),
      writeReport: () => Promise.resolve(),
    });
  }

  host(): HostActivities {
    return this.scripted<HostActivities>({
      ...missingActivities(this),
      ...drillWorld(this.besides, this.options.configHost ?? HOST),
      ...cleanActivities(this),
      chooseStore: ({ stores }) =>
        Promise.resolve(this.options.chooseStore?.() ?? { store: stores[0] ?? 'main', passedOver: [] }),
      beginCapture: ({ captureId, plan, startedAtMs }) =>
        Promise.resolve({
          captureId,
          manifestKey: `backups/${plan}/x.json`,
          backupId: 'backup-2',
          plan,
          epoch: 'e1',
          startedAt: new Date(startedAtMs).toISOString(),
        }),
      hotPass: () => Promise.resolve(),
      captureGroup: ({ group, freezeId }) => {
        if (group.quiesce.mode !== 'none') this.held.add(freezeId);
        const components = group.components.map((name) => componentRecord(name));
        return Promise.resolve({ components, freezes: [] });
      },
      commitCapture: ({ ticket, purpose }) => {
        this.manifests.push({ purpose, plan: ticket.plan });
        return Promise.resolve({ manifestKey: ticket.manifestKey, sha256: 'ab', pointAt: ticket.startedAt });
      },
      commitConfiguration: () =>
        Promise.resolve({ commit: 'c'.repeat(40), unchanged: false, files: 3, leftOut: [], leftOutCount: 0 }),
      abandonCapture: () => Promise.resolve(),
      verifyBackup: ({ manifestKey, level }) => Promise.resolve(proof(manifestKey, level)),
      verifyStore: ({ store, level }) => Promise.resolve(storeVerdict(store, level)),
      goThrough: ({ list }) => Promise.resolve(gone(list)),
      housekeep: ({ task, dryRun }) => Promise.resolve(housekept(task, dryRun)),
      findBackup: ({ store }) =>
        Promise.resolve({ store: store ?? 'main', manifestKey: 'backups/daily/x.json', backup: this.backupInUse }),
      lookAtLive: ({ components }) => {
        const { configHost: host = HOST, liveExists: exists = true } = this.options;
        const seen = components.map((name) => ({ name, exists, problems: ['looked at'] }));
        return Promise.resolve({ host, components: seen, stack: [] });
      },
      planRestore: ({ seen, ...asked }) => Promise.resolve(this.plan(seen, asked)),
      thawBackup: () => {
        this.stillFrozen = Math.max(0, this.stillFrozen - 1);
        return Promise.resolve({ left: this.stillFrozen, bytes: this.stillFrozen * 100 });
      },
      restoreBeside: ({ component, restoreId, target }) => {
        this.besides.add(component);
        return Promise.resolve({ component, restoreId, place: target ?? `/beside/${component}`, facts: {} });
      },
      runChecks: () => Promise.resolve(this.options.whole?.checks?.(this.count('runChecks')) ?? []),
      runReconcile: () => Promise.resolve(this.options.whole?.reconcile ?? []),
      checkBeside: () => Promise.resolve({ ok: true, checks: [{ name: 'content', ok: true, detail: 'as captured' }] }),
      swapIn: ({ beside }) => {
        this.swapped.add(beside.component);
        return Promise.resolve();
      },
      swapBack: ({ beside }) => {
        this.swapped.delete(beside.component);
        return Promise.resolve();
      },
      commitRestore: ({ beside }) => {
        this.besides.delete(beside.component);
        return Promise.resolve({ aside: `/aside/${beside.component}` });
      },
      discardBeside: ({ beside }) => {
        this.besides.delete(beside.component);
        return Promise.resolve();
      },
      checkLive: () => Promise.resolve({ ok: true, checks: [{ name: 'there', ok: true, detail: 'it is there' }] }),
      bringRows: ({ component, store = 'main', backup = this.backupInUse }) => {
        this.besides.add(component);
        const manifestKey = 'backups/daily/x.json';
        const pointAt = '2026-11-21T02:00:00Z';
        return Promise.resolve({ store, backup, manifestKey, pointAt, copy: '/copy.sqlite', warnings: [] });
      },
      previewRows: ({ table }) => Promise.resolve(rowsPlan(table, this)),
      applyRows: () => {
        this.swapped.add('rows');
        return Promise.resolve({ added: this.rowsMissing, replaced: 0, checks: [], warnings: [] });
      },
      discardRows: ({ component }) => {
        this.besides.delete(component);
        return Promise.resolve();
      },
    });
  }

  urgent(): UrgentActivities {
    return this.scripted<UrgentActivities>({
      releaseFreeze: ({ freezeId }) => {
        const released = [...this.held].filter((held) => freezeId === undefined || held === freezeId);
        for (const held of released) this.held.delete(held);
        return Promise.resolve({ released });
      },
      stopForRestore: () => {
        this.stopped = true;
        return Promise.resolve({ stopped: ['ledger'] });
      },
      startAfterRestore: () => {
        this.stopped = false;
        return Promise.resolve({ started: ['ledger'] });
      },
      ...this.audit.writing(),
      ...urgentAnswers(this.standby),
      ...failoverActivities(this.sites, this.options.failover ?? {}),
      ...this.handover.activities(),
    });
  }

  wal(): WalActivities {
    const turn = (input: WalTurnInput): Promise<WalTurn> => {
      const { turn: scripted = untilCancelled } = this.options;
      return Promise.resolve(scripted(this.count('receiveWal'), input));
    };
    return this.scripted<WalActivities>({
      receiveWal: turn,
      collectWal: turn,
      ...this.handover.watching(),
      awaitChange: async ({ print }) =>
        print === this.print ? untilCancelled() : { changed: true, print: this.print },
    });
  }

  copies(): CopyActivities & PruneActivities {
    return this.scripted<CopyActivities & PruneActivities>({
      copyTurn: async (input) => {
        const turn = (await this.options.copyTurn?.(this.count('copyTurn'), input)) ?? {
          backups: 1,
          objects: 3,
          bytes: 30,
        };
        return { ...NOTHING_COPIED, ...turn };
      },
      ...prunes(this.options.pruneAsks),
    });
  }

  facts(system: string): SystemFacts {
    const budgetSeconds = 60;
    const { quiesce = 'none', logged = false } = this.options;
    return {
      system,
      site: 'home',
      approvalLimitSeconds: this.options.approvalLimitSeconds ?? 600,
      keepAsideSeconds: 60,
      ...(this.options.hostSilentSeconds === undefined ? {} : { hostSilentSeconds: this.options.hostSilentSeconds }),
      fileSha256: 'f'.repeat(64),
      ...(this.options.whole === undefined ? {} : wholeFacts(HOST, this.options.whole)),
      components: [
        {
          name: 'ledger',
          kind: 'volume',
          tier: 'critical',
          host: HOST,
          quiesce: { mode: quiesce, budgetSeconds },
          ...(logged ? { log: true as const } : {}),
        },
        { name: 'config', kind: 'files', tier: 'important', host: this.options.configHost ?? HOST },
      ],
    };
  }

  backupFacts(system: string, plan: string): BackupFacts {
    const { quiesce = 'none' } = this.options;
    return {
      ...this.facts(system),
      plan,
      store: this.options.stores?.[0] ?? 'main',
      stores: this.options.stores ?? ['main'],
      verify: 'presence',
      groups: [{ host: HOST, components: ['ledger', 'config'], quiesce: { mode: quiesce, budgetSeconds: 60 } }],
      commitHost: HOST,
    };
  }

  plan(seen: readonly LiveThere[] = [], { whole, fellBack }: Partial<PlanRequest> = {}): RestorePlan {
    const { liveExists = true, configHost = HOST } = this.options;
    const hosts = { ledger: HOST, config: configHost };
    return {
      digest: fallenDigest(fellBack) ?? (this.backupInUse === 'backup-1' ? 'a' : 'b').repeat(64),
      backup: this.backupInUse,
      manifestKey: 'backups/daily/x.json',
      store: 'main',
      pointAt: '2026-11-21T02:00:00Z',
      actions: [{ component: 'ledger', action: 'swap', on: ['ledger-data'] }],
      components: (['ledger', 'config'] as const).map((name) => {
        return { name, kind: 'files', host: hosts[name], sizeBytes: 1, liveExists };
      }),
      warnings: seen.flatMap(({ host, components }) =>
        components.flatMap(({ name, problems }) => problems.map((problem) => `${name} on ${host}: ${problem}`)),
      ),
      ...(this.options.whole?.late === undefined
        ? {}
        : { servers: this.options.whole.late.map((component) => ({ component, stack: 'stack', service: 'db' })) }),
      ...(this.stillFrozen === 0 ? {} : { frozen: this.frozen() }),
      ageSeconds: 60,
      ...(whole === true ? { whole: wholePlan(this.backupInUse, this.options.whole ?? {}, fellBack) } : {}),
    };
  }

  frozen(): FrozenFacts {
    const times = { speed: 'bulk', hoursLeast: 5, hoursMost: 12 } as const;
    return { objects: this.stillFrozen, bytes: 1000, storageClass: 'GLACIER', ...times };
  }

  private scripted<T extends object>(activities: T): T {
    const wrapped = Object.entries(activities).map(([key, run]) => {
      const name = key as ActivityName;
      const call = async (input: unknown): Promise<unknown> => {
        (AUDITS.test(name) ? this.audit.calls : this.calls).push({ name, input });
        await this.options.script?.[name]?.(this.count(name), input);
        return (run as (given: unknown) => Promise<unknown>)(input);
      };
      return [name, call];
    });
    return Object.fromEntries(wrapped) as T;
  }
}
