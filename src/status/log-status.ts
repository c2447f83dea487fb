/** How far the write-ahead logs of a system are stored: from the store alone, and from who receives them when it answers. */
import { connectEngine, type Engine } from '../engine/connect.ts';
import type { Colours } from '../observe/colours.ts';
import { formatBytes, formatSeconds } from '../observe/format.ts';
import { isLogBehind, logLimitSeconds } from '../policy/judge-log.ts';
import { formatLsn } from '../policy/lsn.ts';
import type { PostgresBaseComponent, System } from '../system/types.ts';
import { explainGaps, rangeText, readWalEnd, readWalInventory } from '../vault/index.ts';
import { readingVault } from '../vault/maintained.ts';
import { QUERIES, workflowIds, type ActivityProgress, type Progress, type WalProgress } from '../workflows/contract.ts';
import { tell, type ToldError } from '../observe/told.ts';
import { answeredInTime, STORE_LIMIT_MS, storeQuestion } from './asked-once.ts';
import type { EngineState } from './running.ts';
import type { UnreadStore } from './store-answers.ts';

const ENGINE_LIMIT_MS = 10_000;

export interface LogStatus {
  readonly component: string;
  readonly store: string;
  /** Undefined while the engine can't be asked. */
  readonly received?: boolean;
  /** What somebody has to look at, or who paused it. */
  readonly waitingFor?: string;
  readonly storedLsn?: string;
  readonly timeline?: number;
  /** What was acknowledged before is stored: from the newest object, or newer from who receives the log. */
  readonly recoveryPointAt?: string;
  readonly recoveryPointAgeSeconds?: number;
  readonly heldBackBytes?: number;
  readonly trouble?: string;
  readonly gaps: readonly string[];
  readonly unread?: ToldError;
}

/** `unread`: as `storeReadBacks`. */
export async function logStatuses(
  system: System,
  engine: EngineState,
  nowMs: number,
  unread: readonly UnreadStore[] = [],
): Promise<LogStatus[]> {
  const logged = system.components.filter(isLogged);
  return Promise.all(logged.map((component) => logStatus(system, component, engine, { nowMs, unread })));
}

/** True when somebody should look: it is not received, it is behind, or it waits for a person. */
export function isBehind(status: LogStatus, system: System, nowMs: number): boolean {
  return isLogBehind(status, logLimitSeconds(system, status.component, nowMs));
}

export function logText(status: LogStatus, colours: Colours): string {
  const { component, received, waitingFor, storedLsn, timeline, recoveryPointAgeSeconds: age, trouble } = status;
  const state =
    received === undefined ? colours.dim('?') : received ? colours.green('received') : colours.red('not received');
  const parts = [
    storedLsn === undefined ? 'nothing stored yet' : `stored up to ${storedLsn} of timeline ${timeline ?? '?'}`,
    age === undefined ? '' : `recovery point ${formatSeconds(age)} ago`,
    status.heldBackBytes === undefined ? '' : `${formatBytes(status.heldBackBytes)} held back`,
  ].filter((part) => part !== '');
  const problems = [
    ...(waitingFor === undefined ? [] : [waitingFor]),
    ...(trouble === undefined ? [] : [trouble]),
    ...(status.unread === undefined ? [] : [`store ${status.store}: ${status.unread.message}`]),
  ];
  return [
    `log    ${component}: ${state}, ${parts.join(', ')}`,
    ...problems.map((problem) => `       ${colours.yellow(problem)}`),
    ...status.gaps.map((gap) => `       ${colours.red('gap')} ${gap}`),
  ].join('\n');
}

type Logged = PostgresBaseComponent & { readonly wal: NonNullable<PostgresBaseComponent['wal']> };

function isLogged(component: System['components'][number]): component is Logged {
  return component.kind === 'postgres' && component.method === 'base' && component.wal !== undefined;
}

async function logStatus(
  system: System,
  component: Logged,
  engine: EngineState,
  { nowMs, unread }: { readonly nowMs: number; readonly unread: readonly UnreadStore[] },
): Promise<LogStatus> {
  const { name, wal } = component;
  const store = storeQuestion(system, { name: wal.store });
  const missed = unread.find((one) => one.store === wal.store);
  const stored: Stored =
    missed === undefined
      ? await answeredInTime(store, STORE_LIMIT_MS, () => storedLog(system, component)).catch((error: unknown) => ({
          gaps: [],
          unread: tell(error),
        }))
      : { gaps: [], unread: missed.error };
  const live = engine.running ? await liveLog(workflowIds.receiveWal(system.name, name)) : {};
  const point = [stored.recoveryPointAt, live.recoveryPointAt]
    .filter((one) => one !== undefined)
    .toSorted()
    .at(-1);
  return {
    component: name,
    store: wal.store,
    ...stored,
    ...live,
    ...(point === undefined
      ? {}
      : {
          recoveryPointAt: point,
          recoveryPointAgeSeconds: Math.max(0, Math.round((nowMs - Date.parse(point)) / 1000)),
        }),
  };
}

type Stored = Pick<LogStatus, 'storedLsn' | 'timeline' | 'recoveryPointAt' | 'gaps' | 'unread'>;

async function storedLog(system: System, { name, wal }: Logged): Promise<Stored> {
  const config = system.stores.find((one) => one.name === wal.store);
  if (config === undefined) return { gaps: [] };
  return readingVault(system, config, async (from) => {
    const { store } = from;
    const cluster = (await readWalInventory(store, name)).at(-1);
    const last = cluster?.intervals.at(-1);
    if (cluster === undefined || last === undefined) return { gaps: [] };
    const { systemIdentifier, gaps } = cluster;
    const explained = await explainGaps(store, from, { component: name, systemIdentifier }, gaps);
    const { coversUntil, receivedAt } = await readWalEnd(store, from, last);
    return {
      storedLsn: formatLsn(last.to),
      timeline: last.timeline,
      recoveryPointAt: coversUntil ?? receivedAt,
      gaps: explained.map((gap) => `${rangeText(gap)}${gap.why === undefined ? '' : `: ${gap.why}`}`),
    };
  });
}

type Live = Partial<Pick<LogStatus, 'received' | 'waitingFor' | 'heldBackBytes' | 'trouble' | 'recoveryPointAt'>>;

async function liveLog(workflowId: string): Promise<Live> {
  try {
    await using engine = await connectEngine();
    return await engine.client.withDeadline(Date.now() + ENGINE_LIMIT_MS, () => askReceiver(engine, workflowId));
  } catch (error) {
    return error instanceof Error && error.name === 'WorkflowNotFoundError' ? { received: false } : {};
  }
}

async function askReceiver(engine: Engine, workflowId: string): Promise<Live> {
  const handle = engine.client.workflow.getHandle(workflowId);
  const { raw, status } = await handle.describe();
  if (status.name !== 'RUNNING') return { received: false };
  const { defaultPayloadConverter } = await import('@temporalio/common');
  const payload = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0];
  const wal: WalProgress =
    payload === undefined ? {} : (defaultPayloadConverter.fromPayload<ActivityProgress>(payload).wal ?? {});
  const waitingFor = await engine.client
    .withDeadline(Date.now() + 3000, async () => (await handle.query<Progress>(QUERIES.progress)).waitingFor)
    // Without a worker that answers, the heartbeat alone tells.
    .catch(() => undefined);
  const { heldBackBytes, trouble, recoveryPointAt } = wal;
  return {
    received: true,
    ...(waitingFor === undefined ? {} : { waitingFor }),
    ...(heldBackBytes === undefined ? {} : { heldBackBytes }),
    ...(trouble === undefined ? {} : { trouble }),
    ...(recoveryPointAt === undefined ? {} : { recoveryPointAt }),
  };
}
