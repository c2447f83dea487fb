/**
 * What is wrong with a system now, and the numbers behind it: read from its stores, which need no engine, and from the
 * engine and the hosts as far as they answer. Judged by src/policy.
 */
import { connectEngine, type Engine } from '../engine/connect.ts';
import { FRAME } from '../engine/schedule-encode.ts';
import { describeSchedules } from '../engine/schedules.ts';
import { log } from '../observe/log.ts';
import type { Begun } from '../policy/first-backup.ts';
import { CHECKS, inOrder, isUnknown, findingId, type Finding, type Unknown } from '../policy/findings.ts';
import type { HostSeen } from '../policy/host-look.ts';
import { judgeStoreClocks } from '../policy/judge-clocks.ts';
import { judgeDrills } from '../policy/judge-drills.ts';
import { judgeEngine, type RunSeen } from '../policy/judge-engine.ts';
import { FILE_SUBJECT, fileTrouble, judgeFile } from '../policy/judge-file.ts';
import { judgeHosts } from '../policy/judge-hosts.ts';
import { judgeLogs } from '../policy/judge-log.ts';
import { judgeFreshness, judgeProof, planState, waitsForFirst } from '../policy/judge-plans.ts';
import { together, type Judged } from '../policy/judged.ts';
import { judgeCopyLags, judgeRule, judgeStores, type StoreSeen } from '../policy/judge-stores.ts';
import { followFindings, scheduleFindings } from '../policy/schedule-findings.ts';
import type { DescribedSchedule } from '../policy/schedule-facts.ts';
import { declaredSchedules } from '../policy/schedules.ts';
import { withReadings } from '../policy/proven-read.ts';
import { judgeSizes } from '../policy/size-anomaly.ts';
import { unseenOf } from '../policy/unseen.ts';
import type { FileFault, Registered } from '../system/last-good.ts';
import type { Plan, System } from '../system/types.ts';
import { readSeen, vaultSinceMs, type SeenCatalogue } from './brief.ts';
import { drillsSeen } from './drill-runs.ts';
import { channelTroubles } from './channel-troubles.ts';
import { isCopyOnItsWay, planCopies, storesBehind } from './copy-status.ts';
import { plansNotFollowed } from './followed.ts';
import { lookAtHost } from './host-look.ts';
import { lastRuns } from './last-runs.ts';
import { logStatuses, type LogStatus } from './log-status.ts';
import { hostHere } from './of-system.ts';
import { numbersOf, type Gathered, type SystemNumbers } from './numbers.ts';
import { storeReadBacks, type StoreReadBack } from './read-back-status.ts';
import { operationsOf, REFUSED_LIMIT_MS, type EngineState } from './running.ts';
import type { UnreadStore } from './store-answers.ts';
import { totalSizes } from './total-size.ts';

export interface SystemFindings {
  readonly system: string;
  /** RFC 3339. */
  readonly at: string;
  /** Critical first. */
  readonly findings: readonly Finding[];
  readonly facts: SystemNumbers;
  /** What could not be looked at: that nothing was found there says nothing. */
  readonly unknown: readonly Unknown[];
}

export interface FindingsOptions {
  /** The system is judged as its file said before it became bad. */
  readonly fault?: FileFault;
  /** What each host said when it was asked. Absent: this machine looks at itself, and the others are unknown. */
  readonly hosts?: readonly HostSeen[];
  /** What the stores said just now to who asks for more than the findings, so that they are not read twice. */
  readonly read?: StoresSaid;
  readonly signal?: AbortSignal;
}

export interface StoresSaid {
  readonly known: SeenCatalogue;
  readonly logs: readonly LogStatus[];
  readonly readBacks: readonly StoreReadBack[];
}

const LOOK_LIMIT_MS = 60_000;
/** It answers such questions in moments; a machine that is busy gets more. */
const ENGINE_LIMIT_MS = 30_000;

/** Never throws for what is down: that is what it is there to find. Throws on a system file that can't be judged. */
export async function findingsOf(
  system: System,
  engine: EngineState,
  nowMs: number,
  options: FindingsOptions = {},
): Promise<SystemFindings> {
  const signal = options.signal ?? AbortSignal.timeout(LOOK_LIMIT_MS);
  const { read } = options;
  const [said, logs, readBacks, { runs, schedules, channels }, hosts, totals, drills] = await Promise.all([
    read?.known ?? readSeen(system, signal),
    read?.logs ?? logStatuses(system, engine, nowMs),
    read?.readBacks ?? storeReadBacks(system, nowMs),
    engine.running ? askEngine(system) : NOT_SAID,
    options.hosts ?? lookHere(system, signal),
    totalSizes(system, nowMs, signal),
    drillsSeen(system, read?.known.unread),
  ]);
  const backups = withReadings(said.backups, readBacks);
  const known = { ...said, backups };
  const begunOf = (plan: Plan): Begun => ({
    vaultMs: vaultSinceMs(known.vaults, plan.stores),
    scheduleMs: schedules?.described.find(({ name }) => name === `backup/${plan.name}`)?.createdAtMs,
  });
  const stores = system.stores.map(({ name }) => storeSeen(name, known.unread, readBacks, totals));
  const behind = storesBehind(system, known, operationsOf(system.name, engine), nowMs);
  const copies = planCopies(system, known, readBacks, (plan) => planState(backups, plan, nowMs).newest?.id);
  const onItsWay = isCopyOnItsWay(behind);
  const unread = stores.flatMap((one) =>
    one.unread === undefined ? [] : [{ store: one.store, why: one.unread.message }],
  );

  const { findings: all, unknown } = together([
    ...system.plans.map((plan) => judgeFreshness(system, plan, backups, known, nowMs, begunOf(plan))),
    ...system.plans.map((plan) => judgeProof(system, plan, backups, known, nowMs, begunOf(plan))),
    judgeLogs(system, logs, nowMs),
    judgeEngine(system, { ...engine, ...(runs === undefined ? {} : { runs }) }),
    judgeHosts(system, hosts),
    judgeSchedules(system, schedules, nowMs),
    drills.unread
      ? { findings: [], unknown: [{ what: 'drill', why: 'the reports of drills could not be read' }] }
      : found(judgeDrills(system, drills.reports, drillsSince(system, known.vaults, schedules), nowMs)),
    found([
      ...faultFindings(system.name, options.fault, nowMs),
      ...system.plans.flatMap((plan) => judgeSizes(system, plan, backups, nowMs)),
      ...judgeStores(system, stores, backups),
      ...judgeStoreClocks(system, backups, nowMs),
      ...judgeCopyLags(
        system,
        behind.flatMap(({ worst }) => worst ?? []),
      ),
      ...(onItsWay || unread.length > 0 ? [] : judgeRule(system, copies)),
    ]),
    channels ?? untold(system),
    { findings: [], unknown: unseenOf(system, { unread, hosts: hosts.map(({ host }) => host), onItsWay }) },
  ]);
  const gathered: Gathered = {
    system,
    backups,
    stores,
    logs,
    hosts,
    runs: runs ?? [],
    engineRunning: engine.running,
    nowMs,
    firstDue: (plan) => waitsForFirst(plan, backups, begunOf(plan), nowMs),
  };
  const findings = inOrder(withoutTwins(all));
  return {
    system: system.name,
    at: new Date(nowMs).toISOString(),
    findings,
    facts: numbersOf(gathered),
    // What was found is known, whatever else could not be seen of it.
    unknown: unknown.filter(({ what }) => !findings.some((one) => findingId(one) === what)),
  };
}

/** From when on drills could have been made: since their schedules were applied, or else since there is a vault. */
function drillsSince(
  { stores }: System,
  vaults: Parameters<typeof vaultSinceMs>[0],
  schedules: { readonly described: readonly DescribedSchedule[] } | undefined,
): number | undefined {
  const applied = (schedules?.described ?? []).filter(({ name }) => name.startsWith('drill/'));
  const known = applied.map(({ createdAtMs }) => createdAtMs);
  if (known.length > 0) return Math.max(...known);
  return vaultSinceMs(
    vaults,
    stores.map(({ name }) => name),
  );
}

/** True when nothing is wrong that could be seen, and all that decides could be seen. */
export function isKept({ findings, unknown }: Pick<SystemFindings, 'findings' | 'unknown'>): boolean {
  return findings.length === 0 && decisive(unknown).length === 0;
}

/** What must be known for somebody to be safe. */
export function decisive(unknown: readonly Unknown[]): readonly Unknown[] {
  return unknown.filter(({ what }) => isUnknown(what, DECISIVE));
}

const DECISIVE = [{ what: 'freshness' }, { what: 'proof' }, { what: 'copy' }, { what: 'wal' }];

/** How deliveries go is known to the engine alone. */
function untold({ notify }: System): Judged {
  const why = 'the engine did not say how deliveries go';
  return { findings: [], unknown: notify.length === 0 ? [] : [{ what: 'notify', why }] };
}

function found(findings: readonly Finding[]): Judged {
  return { findings, unknown: [] };
}

function faultFindings(system: string, fault: FileFault | undefined, nowMs: number): Finding[] {
  return fault === undefined ? [] : [judgeFile(system, fileTrouble(system, fault, nowMs))];
}

/** The machine of the engine and a host are often one, with one file. */
function withoutTwins(findings: readonly Finding[]): Finding[] {
  const isFileHere = findings.some((one) => findingId(one) === `system-file/${FILE_SUBJECT}`);
  return findings.filter(({ check, subject }) => check !== 'system-file' || subject === FILE_SUBJECT || !isFileHere);
}

/** Of one of those that are registered, whatever became of its file. */
export function findingsOfKnown(known: Registered, engine: EngineState, nowMs: number): Promise<SystemFindings> {
  const { name, system, fault } = known;
  if (system === undefined) return Promise.resolve(findingsOfFault(name, fault, nowMs));
  return findingsOf(system, engine, nowMs, fault === undefined ? {} : { fault });
}

/** Of a system of which nothing is known but that its file is bad. */
export function findingsOfFault(system: string, fault: FileFault, nowMs: number): SystemFindings {
  const why = 'its system file can not be used';
  return {
    system,
    at: new Date(nowMs).toISOString(),
    findings: faultFindings(system, fault, nowMs),
    facts: { plans: [], stores: [], logs: [], disks: [], clocks: [], runs: [], engineRunning: false },
    unknown: CHECKS.filter((check) => check !== 'system-file').map((what) => ({ what, why })),
  };
}

interface Scheduled {
  readonly described: readonly DescribedSchedule[];
  /** Plans on change. */
  readonly notFollowed: readonly string[];
}

interface EngineSaid {
  readonly runs: readonly RunSeen[] | undefined;
  readonly schedules: Scheduled | undefined;
  readonly channels: Judged | undefined;
}

const NOT_SAID: EngineSaid = { runs: undefined, schedules: undefined, channels: undefined };

async function askEngine(system: System): Promise<EngineSaid> {
  const orUnknown = <T>(asked: Promise<T>): Promise<T | undefined> =>
    asked.catch((error: unknown) => {
      // The judgment tells that it is unknown.
      log('status').warn({ err: error, system: system.name }, 'the engine did not say everything');
      return undefined;
    });
  const connected = await orUnknown(connectEngine(undefined, { refusedLimitMs: REFUSED_LIMIT_MS }));
  if (connected === undefined) return NOT_SAID;
  await using engine = connected;
  // One that hangs from now on keeps the connection: without a deadline nothing would be known of the stores either.
  const untilMs = Date.now() + ENGINE_LIMIT_MS;
  const inTime = <T>(ask: () => Promise<T>) => orUnknown(engine.client.withDeadline(untilMs, ask));
  const [runs, schedules, channels] = await Promise.all([
    inTime(() => lastRuns(engine, system)),
    inTime(() => schedulesOf(engine, system)),
    inTime(() => channelTroubles(engine, system)),
  ]);
  return { runs, schedules, channels };
}

async function schedulesOf(engine: Engine, system: System): Promise<Scheduled> {
  const described = await describeSchedules(engine.client, system.name, declaredSchedules(system));
  return { described, notFollowed: await plansNotFollowed(engine, system) };
}

function judgeSchedules(system: System, seen: Scheduled | undefined, nowMs: number): Judged {
  if (seen !== undefined) {
    const { described, notFollowed } = seen;
    return found([...scheduleFindings(system, described, nowMs, FRAME), ...followFindings(system, notFollowed)]);
  }
  return { findings: [], unknown: [{ what: 'schedule', why: 'the engine did not say what is scheduled' }] };
}

/** This machine, when it is a host of the system. */
export async function lookHere(system: System, signal: AbortSignal): Promise<HostSeen[]> {
  const host = hostHere(system);
  return host === undefined ? [] : [{ host, look: await lookAtHost(system, host, { signal }) }];
}

function storeSeen(
  store: string,
  unread: readonly UnreadStore[],
  readBacks: readonly StoreReadBack[],
  totals: ReadonlyMap<string, { readonly bytes: number; readonly atMs: number }>,
): StoreSeen {
  const missed = unread.find((one) => one.store === store);
  const read = readBacks.find((one) => one.store === store);
  const total = totals.get(store);
  const error = missed?.error ?? read?.unread;
  return {
    store,
    ...(error === undefined ? {} : { unread: { message: error.message, hint: error.hint } }),
    errors: read?.errors ?? 0,
    bad: read?.bad ?? [],
    ...(total === undefined ? {} : { totalBytes: total.bytes, totalAtMs: total.atMs }),
  };
}
