/**
 * The ways in which workflows ask for work. All the patience of the operations is here: which failures are tried again,
 * how often, and how long a silent host is waited for.
 */
import type { Duration, RetryPolicy } from '@temporalio/common';
import { isCancellation, proxyActivities, proxyLocalActivities, type ActivityOptions } from '@temporalio/workflow';
import type { AskingActivities, AuditActivities } from '../activities/audit-types.ts';
import type { IncidentActivities } from '../activities/incident-types.ts';
import type {
  CopyActivities,
  HostActivities,
  OrchestrationActivities,
  PruneActivities,
  UrgentActivities,
  WalActivities,
} from '../activities/types.ts';
import { FINAL_CODES } from '../failures.ts';
import { copyQueue, hostQueue, ORCHESTRATION_QUEUE, urgentHostQueue, walQueue } from '../task-queues.ts';
import { failure, neverStarted } from './failure.ts';

/** Whatever touches data is waited for when it is cancelled: the next step must not run beside it. */
const TOUCHES_DATA = {
  startToCloseTimeout: '24 hours',
  heartbeatTimeout: '30 seconds',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
} as const satisfies ActivityOptions;

/** About four hours of a store or an engine being down. */
const PATIENT: RetryPolicy = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '5 minutes',
  maximumAttempts: 55,
  nonRetryableErrorTypes: [...FINAL_CODES],
};

/** Each attempt stops or pauses something that people use: a handful of them, then the run says why it failed. */
const SPARING: RetryPolicy = {
  ...PATIENT,
  initialInterval: '2 seconds',
  maximumInterval: '1 minute',
  maximumAttempts: 8,
};

/** A step that is nice to have: it may not hold up what it belongs to. */
const BRIEF: RetryPolicy = { ...PATIENT, maximumInterval: '10 seconds', maximumAttempts: 3 };

/** Undoing is tried for as long as it takes. */
const FOR_EVER: RetryPolicy = { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' };

/** Facts and the lock's holder: read where the workflow runs, without a round trip to the server. */
export const orchestration = proxyLocalActivities<OrchestrationActivities>({
  startToCloseTimeout: '20 seconds',
  retry: {
    initialInterval: '200 milliseconds',
    maximumInterval: '10 seconds',
    nonRetryableErrorTypes: [...FINAL_CODES],
  },
});

/** Starting the copies of a backup that is made already: an engine in trouble must not keep it from ending. */
export const starting = proxyLocalActivities<Pick<OrchestrationActivities, 'startCopies'>>({
  startToCloseTimeout: '20 seconds',
  scheduleToCloseTimeout: '1 minute',
  retry: {
    initialInterval: '200 milliseconds',
    maximumInterval: '5 seconds',
    maximumAttempts: 10,
    nonRetryableErrorTypes: [...FINAL_CODES],
  },
});

/** A report is nice to have: a full disk must not keep a run from ending. */
export const reporting = proxyLocalActivities<Pick<OrchestrationActivities, 'writeReport'>>({
  startToCloseTimeout: '20 seconds',
  scheduleToCloseTimeout: '1 minute',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '2 seconds', maximumAttempts: 5 },
});

/** Who asked and who answered, and who writes it down: read where the workflow runs. */
export const asking = proxyLocalActivities<AskingActivities>({
  startToCloseTimeout: '20 seconds',
  retry: {
    initialInterval: '200 milliseconds',
    maximumInterval: '10 seconds',
    nonRetryableErrorTypes: [...FINAL_CODES],
  },
});

/** One try of one host: there may be others that can write the log, and there is always a next round. */
export function auditingOn(host: string) {
  return proxyActivities<AuditActivities>({
    taskQueue: urgentHostQueue(host),
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout: '30 seconds',
    scheduleToStartTimeout: '1 minute',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: { initialInterval: '1 second', maximumAttempts: 3, nonRetryableErrorTypes: [...FINAL_CODES] },
    summary: `write the audit log on ${host}`,
  });
}

/** Who is told: read anew whenever somebody is to be. */
export const escalating = proxyLocalActivities<Pick<IncidentActivities, 'describeEscalation'>>({
  startToCloseTimeout: '20 seconds',
  retry: {
    initialInterval: '200 milliseconds',
    maximumInterval: '10 seconds',
    nonRetryableErrorTypes: [...FINAL_CODES],
  },
});

/** The alarm log is nice to have: nobody waits for it before others are told. */
export const recording = proxyLocalActivities<Pick<IncidentActivities, 'recordAlarms'>>({
  startToCloseTimeout: '20 seconds',
  scheduleToCloseTimeout: '1 minute',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '2 seconds', maximumAttempts: 5 },
});

/** What was done about a trouble, said in its incident: nobody waits for it. */
export const noting = proxyActivities<Pick<IncidentActivities, 'noteIncidents'>>({
  taskQueue: ORCHESTRATION_QUEUE,
  startToCloseTimeout: '30 seconds',
  heartbeatTimeout: '20 seconds',
  scheduleToCloseTimeout: '2 minutes',
  retry: BRIEF,
  summary: 'note it in the incident',
});

/** What monitoring has found, told to its incidents. */
export const reconciling = proxyActivities<Pick<IncidentActivities, 'reconcileIncidents'>>({
  taskQueue: ORCHESTRATION_QUEUE,
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { ...PATIENT, maximumInterval: '30 seconds' },
  summary: 'open and heal incidents',
});

/** How long one message is tried: an incident has newer news by then, an operation that ended has not. */
const DELIVERY_LIMITS: Readonly<Record<'incident' | 'announcement', Duration>> = {
  incident: '1 hour',
  announcement: '6 hours',
};

export function delivering(summary: string, what: keyof typeof DELIVERY_LIMITS) {
  return proxyActivities<Pick<IncidentActivities, 'notify'>>({
    taskQueue: ORCHESTRATION_QUEUE,
    startToCloseTimeout: '15 minutes',
    heartbeatTimeout: '30 seconds',
    scheduleToCloseTimeout: DELIVERY_LIMITS[what],
    retry: {
      initialInterval: '5 seconds',
      backoffCoefficient: 2,
      maximumInterval: '5 minutes',
      nonRetryableErrorTypes: [...FINAL_CODES],
    },
    summary,
  });
}

export type Patience = 'patient' | 'sparing' | 'brief';

export interface HostOptions {
  readonly summary?: string;
  readonly patience?: Patience;
  /** The step is not begun by a host that has been silent for so long (see `whileHostAnswers`). Default: no limit. */
  readonly silentSeconds?: number;
  /** The step as a whole may not take longer: for what is done on the way out. */
  readonly giveUpAfterSeconds?: number;
}

/** Long work on a host. */
export function onHost(host: string, options: HostOptions = {}) {
  const { summary, patience = 'patient', silentSeconds, giveUpAfterSeconds } = options;
  return proxyActivities<HostActivities>({
    ...TOUCHES_DATA,
    taskQueue: hostQueue(host),
    retry: { patient: PATIENT, sparing: SPARING, brief: BRIEF }[patience],
    ...(summary === undefined ? {} : { summary }),
    ...(silentSeconds === undefined ? {} : { scheduleToStartTimeout: silentSeconds * 1000 }),
    ...(giveUpAfterSeconds === undefined ? {} : { scheduleToCloseTimeout: giveUpAfterSeconds * 1000 }),
  });
}

/** The same for steps that undo, or that must not stay half-done: tried until they succeed. */
export function onHostForEver(host: string, summary: string) {
  return proxyActivities<HostActivities>({ ...TOUCHES_DATA, taskQueue: hostQueue(host), retry: FOR_EVER, summary });
}

/** The same where what is to be undone may be past mending: then the rest has to be undone without it. */
export function onHostInsistently(host: string, { summary, attempts }: { summary: string; attempts: number }) {
  const retry = { ...FOR_EVER, maximumAttempts: attempts };
  return proxyActivities<HostActivities>({ ...TOUCHES_DATA, taskQueue: hostQueue(host), retry, summary });
}

/** Short work that never stands behind a long capture. */
export function urgentlyOn(host: string, options: { summary: string; giveUpAfterSeconds?: number; attempts?: number }) {
  return proxyActivities<UrgentActivities>({
    taskQueue: urgentHostQueue(host),
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout: '30 seconds',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    summary: options.summary,
    ...(options.giveUpAfterSeconds === undefined ? {} : { scheduleToCloseTimeout: options.giveUpAfterSeconds * 1000 }),
    retry: options.attempts === undefined ? FOR_EVER : { ...FOR_EVER, maximumAttempts: options.attempts },
  });
}

/** Receiving a log: as long as a turn takes, on a host that may be away for days. */
export function receivingOn(host: string, summary: string) {
  return proxyActivities<WalActivities>({
    ...TOUCHES_DATA,
    taskQueue: walQueue(host),
    retry: { ...FOR_EVER, nonRetryableErrorTypes: [...FINAL_CODES] },
    summary,
  });
}

/** Copying: a turn may wait for its store for days. */
export function copyingOn(host: string, summary: string) {
  return proxyActivities<CopyActivities>({
    ...TOUCHES_DATA,
    taskQueue: copyQueue(host),
    retry: { ...FOR_EVER, maximumInterval: '5 minutes', nonRetryableErrorTypes: [...FINAL_CODES] },
    summary,
  });
}

/** Pruning: beside the copies, so that a sweep that waits for a capture holds no slot of captures. */
export function pruningOn(host: string, summary: string) {
  return proxyActivities<PruneActivities>({
    ...TOUCHES_DATA,
    taskQueue: copyQueue(host),
    retry: { ...FOR_EVER, maximumInterval: '5 minutes', nonRetryableErrorTypes: [...FINAL_CODES] },
    summary,
  });
}

/**
 * Asks a host for one step until it has taken it. A host that has not taken it in time may be busy with a long capture or
 * may be gone: the urgent queue tells which. Busy is waited for; gone ends with HostSilent, so that a lock isn't held for
 * a machine that may never come back.
 */
export async function whileHostAnswers<T>(
  system: string,
  host: string,
  options: HostOptions & { silentSeconds: number },
  step: (activities: ReturnType<typeof onHost>) => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await step(onHost(host, options));
    } catch (error) {
      if (!neverStarted(error)) throw error;
      if (!(await answers(system, host, options.silentSeconds))) {
        throw failure('HostSilent', `The worker of host ${host} has taken no work for a long time.`, { host });
      }
    }
  }
}

async function answers(system: string, host: string, silentSeconds: number): Promise<boolean> {
  const { ping } = proxyActivities<UrgentActivities>({
    taskQueue: urgentHostQueue(host),
    scheduleToCloseTimeout: Math.min(silentSeconds, 10) * 1000,
    cancellationType: 'TRY_CANCEL',
    summary: `is ${host} there?`,
  });
  try {
    await ping({ system });
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return false;
  }
}
