/** One system as `status` tells it: facts from stores and engine, judged by src/policy. */
import type { Colours } from '../observe/colours.ts';
import { formatAge, formatSeconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { shortDigest } from '../policy/approval.ts';
import { freshness, type Freshness } from '../policy/freshness.ts';
import type { Begun } from '../policy/first-backup.ts';
import { factOf, waitsForFirst } from '../policy/judge-plans.ts';
import { withReadings } from '../policy/proven-read.ts';
import type { Plan, System } from '../system/types.ts';
import { readSeen, vaultSinceMs, type SeenCatalogue } from './brief.ts';
import {
  behindText,
  copiesText,
  isCopyOnItsWay,
  planCopies,
  storesBehind,
  type PlanCopies,
  type StoreBehind,
} from './copy-status.ts';
import { firstDueText } from './findings-text.ts';
import { leftSlots, leftSlotText, type LeftSlotStatus } from './left-slots.ts';
import { toldDue } from './numbers.ts';
import { isBehind, logStatuses, logText, type LogStatus } from './log-status.ts';
import { readBackText, storeReadBacks, type StoreReadBack } from './read-back-status.ts';
import type { ReplicaSeen } from '../policy/replica.ts';
import { replicasSeen, replicaText } from './replica-status.ts';
import { isForPeople, operationsOf, type EngineState, type RunningOperation } from './running.ts';
import { nextText, pauseText, schedulesOf, type ScheduleState } from './schedule-state.ts';
import type { UnreadStore } from './store-answers.ts';
import type { ExitCode } from '../observe/told.ts';

export interface PlanStatus extends Freshness {
  readonly plan: string;
  readonly backups: number;
  /** It has just begun: until then that it has no backup is no fault. */
  readonly firstDue?: { readonly at: string; readonly until: string };
}

export interface SystemStatus {
  readonly system: string;
  readonly plans: readonly PlanStatus[];
  readonly operations: readonly RunningOperation[];
  /** The write-ahead logs that are received. */
  readonly logs: readonly (LogStatus & { readonly behind: boolean })[];
  /** Replication slots that nobody reads from any more. */
  readonly slots: readonly LeftSlotStatus[];
  /** When each store was last read back as a whole, and what was found. */
  readonly stores: readonly StoreReadBack[];
  /** Stores that lack backups they should have. */
  readonly behind: readonly StoreBehind[];
  /** What the copies of each plan's newest backup come to. */
  readonly copies: readonly PlanCopies[];
  /** Of buckets that replicate themselves: what is at the other place. Absent: there are none. */
  readonly replicas?: readonly ReplicaSeen[];
  /** What runs by itself, next and paused; empty while the engine is down. */
  readonly schedules: readonly ScheduleState[];
  /** Stores that could not be read; undefined knowledge, not bad news. */
  readonly unread: readonly UnreadStore[];
}

export async function systemStatus(system: System, engine: EngineState, nowMs: number): Promise<SystemStatus> {
  const schedules = engine.running ? await schedulesOf(system) : [];
  return statusOf(system, engine, await readSeen(system), schedules, nowMs);
}

/** Of a system of which nothing is known, not even its stores. */
export function statusOfNothing(system: string): SystemStatus {
  const nothing = { plans: [], operations: [], logs: [], slots: [], stores: [], behind: [], copies: [], schedules: [] };
  return { system, ...nothing, unread: [] };
}

/** The same of catalogues and schedules that were read already. */
export async function statusOf(
  system: System,
  engine: EngineState,
  said: SeenCatalogue,
  schedules: readonly ScheduleState[],
  nowMs: number,
): Promise<SystemStatus> {
  const operations = operationsOf(system.name, engine);
  const stores = await storeReadBacks(system, nowMs, said.unread);
  const known = { ...said, backups: withReadings(said.backups, stores) };
  const plans = system.plans.map((plan) => {
    const own = known.backups.filter((one) => one.plan === plan.name);
    const first =
      known.unread.length > 0 ? undefined : waitsForFirst(plan, own, begunOf(plan, known, schedules), nowMs);
    return {
      plan: plan.name,
      backups: own.length,
      ...freshness(own.map(factOf), plan, nowMs),
      ...(first === undefined ? {} : { firstDue: toldDue(first) }),
    };
  });
  const logs = (await logStatuses(system, engine, nowMs, said.unread)).map((log) => ({
    ...log,
    behind: isBehind(log, system, nowMs),
  }));
  const slots = await leftSlots(system);
  const behind = storesBehind(system, known, operations, nowMs);
  const copies = planCopies(system, known, stores, (name) => plans.find(({ plan }) => plan === name)?.newest?.id);
  const { unread } = known;
  const replicas = await replicasSeen(system, known.backups, unread, nowMs);
  return {
    ...{ system: system.name, plans, operations, logs, slots, stores, behind, copies, schedules, unread },
    ...(replicas.length === 0 ? {} : { replicas }),
  };
}

function begunOf(plan: Plan, { vaults }: SeenCatalogue, schedules: readonly ScheduleState[]): Begun {
  const createdAt = schedules.find(({ name }) => name === `backup/${plan.name}`)?.createdAt;
  return {
    vaultMs: vaultSinceMs(vaults, plan.stores),
    scheduleMs: createdAt === undefined ? undefined : Date.parse(createdAt),
  };
}

/** Not being able to read a store outweighs what the others say. A plan that never ran and has no rpo is no fault. */
export function exitOf(statuses: readonly SystemStatus[]): ExitCode {
  if (statuses.some(({ unread }) => unread.length > 0)) return 2;
  const promised = statuses.flatMap(({ plans }) => plans).filter(({ limitSeconds }) => limitSeconds !== undefined);
  const waits = statuses.some(({ operations }) => operations.some(({ waitingFor }) => isForPeople(waitingFor)));
  const behind = statuses.some(({ logs }) => logs.some((log) => log.behind));
  const left = statuses.some(({ slots }) => slots.length > 0);
  const bad = statuses.some(({ stores }) => stores.some((store) => store.errors > 0));
  const late = statuses.some(isLate);
  const wrong = waits || behind || left || bad || late;
  return wrong || promised.some(({ state, firstDue }) => state !== 'fresh' && firstDue === undefined) ? 1 : 0;
}

/** A copy that is on its way is no fault yet, whatever the rule says of this moment. */
function isLate({ behind, copies }: SystemStatus): boolean {
  return behind.some(({ late }) => late) || (!isCopyOnItsWay(behind) && copies.some(({ ok }) => ok === false));
}

const STATE_COLOUR = { fresh: 'green', stale: 'red', missing: 'red', unbounded: 'dim' } as const;

export function systemText(status: SystemStatus, colours: Colours): string {
  const nowMs = Date.now();
  const rows = status.plans.map(({ plan, state, why, newest, limitSeconds, backups, firstDue }) => [
    plan,
    firstDue === undefined ? stateText({ state, limitSeconds }, status, colours) : colours.yellow('none yet'),
    newest === undefined ? '' : `${newest.id}, ${formatAge(newest.pointAtMs, nowMs)}`,
    limitSeconds === undefined ? '' : formatSeconds(limitSeconds),
    nextText(
      status.schedules.find(({ name }) => name === `backup/${plan}`),
      nowMs,
    ),
    String(backups),
    firstDue !== undefined
      ? firstDueText(firstDue, nowMs)
      : state === 'stale' || (state === 'missing' && limitSeconds !== undefined && status.unread.length === 0)
        ? why
        : '',
  ]);
  const lines = [
    colours.bold(status.system),
    ...(rows.length === 0 ? [] : [table(['plan', 'state', 'newest', 'rpo', 'next', 'backups', ''], rows, colours)]),
    ...status.copies.map((one) => copiesText(one, colours)),
    ...status.behind.map((one) => behindText(one, colours, nowMs)),
    ...(status.replicas ?? []).map((one) => replicaText(one, colours, nowMs)),
    ...status.logs.map((log) => logText(log, colours)),
    ...status.slots.map((slot) => colours.yellow(leftSlotText(slot))),
    ...status.stores.map((store) => readBackText(store, colours, nowMs)),
    ...status.schedules.flatMap((one) => pauseText(status.system, one, colours)),
    ...status.operations.map((operation) => operationText(status.system, operation, colours, nowMs)),
    ...status.unread.map(({ store, error }) => `${colours.red('unread')} store ${store}: ${error.message}`),
  ];
  return lines.join('\n');
}

/** Where no store that could be read has one, another may: that is no news of a missing backup. */
function stateText(
  { state, limitSeconds }: { readonly state: Freshness['state']; readonly limitSeconds: number | undefined },
  { unread }: SystemStatus,
  colours: Colours,
): string {
  if (state === 'missing' && unread.length > 0) return colours.yellow('not known');
  if (state === 'missing' && limitSeconds === undefined) return colours.dim('none yet');
  return colours[STATE_COLOUR[state]](state);
}

function operationText(system: string, operation: RunningOperation, colours: Colours, nowMs: number): string {
  const { workflowId, startedAt, phase = 'no worker answers', waitingFor, digest, trouble } = operation;
  const since = formatAge(Date.parse(startedAt), nowMs);
  if (waitingFor === undefined) {
    const more = trouble === undefined ? '' : `\n       ${colours.yellow(trouble)}`;
    return `${colours.cyan('runs')}   ${workflowId}: ${phase}, started ${since}${more}`;
  }
  const next = digest === undefined ? '' : ` — holdfast approve ${system} ${shortDigest(digest)}`;
  return `${colours.yellow('waits')}  ${workflowId}: for ${waitingFor}, started ${since}${next}`;
}
