/** One operation at a time on a system at a site, enforced by the server: a child workflow with a fixed id. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { CancellationScope, sleep, startChild, workflowInfo, type ChildWorkflowHandle } from '@temporalio/workflow';
import { workflowIds } from './contract.ts';
import { failure } from './failure.ts';
import { orchestration } from './proxies.ts';
import type { Story } from './story.ts';
import { releaseLockSignal, systemLock, type LockMemo } from './system-lock.ts';

export interface LockRequest {
  readonly system: string;
  readonly site: string;
  readonly operation: 'backup' | 'handover' | 'housekeeping' | 'restart' | 'restore' | 'restoreRows' | 'restoreMissing';
  readonly plan?: string;
  readonly waitSeconds: number;
}

export type Locked<T> = { readonly held: true; readonly value: T } | { readonly held: false; readonly why: string };

/**
 * Runs `body` while holding the system's lock, and frees it whatever happens. Another run of the same operation and plan
 * is not waited for (`held` false); any other operation is, up to the limit, then SystemBusy is thrown.
 */
export async function withSystemLock<T>(
  story: Story,
  request: LockRequest,
  body: () => Promise<T>,
): Promise<Locked<T>> {
  const lock = await take(story, request);
  if ('why' in lock) return { held: false, why: lock.why };
  try {
    return { held: true, value: await body() };
  } finally {
    await CancellationScope.nonCancellable(() => release(lock));
  }
}

type Lock = ChildWorkflowHandle<typeof systemLock>;

async function take(story: Story, request: LockRequest): Promise<Lock | { why: string }> {
  const until = Date.now() + request.waitSeconds * 1000;
  for (let pauseMs = 500; ; pauseMs = Math.min(pauseMs * 2, 60_000)) {
    const lock = await tryToTake(request);
    if (lock !== undefined) {
      story.waitIsOver();
      return lock;
    }
    const holder = await orchestration.lockHolder({ lockId: workflowIds.lock(request.system, request.site) });
    if (holder !== undefined && isSame(holder, request)) {
      return { why: `${request.operation} of plan ${request.plan ?? ''} is already running (${holder.workflowId}).` };
    }
    const by = holder === undefined ? 'an operation that has just ended' : `${holder.operation} ${holder.workflowId}`;
    const leftMs = until - Date.now();
    if (leftMs <= 0) {
      throw failure('SystemBusy', `${request.system} is busy with ${by}; waited ${request.waitSeconds} s.`);
    }
    if (pauseMs === 500) story.waitFor(by);
    await sleep(Math.min(pauseMs, leftMs), { summary: `busy with ${by}` });
  }
}

function isSame(holder: LockMemo, request: LockRequest): boolean {
  return request.operation === 'backup' && holder.operation === 'backup' && holder.plan === request.plan;
}

/** Outside the workflow's own cancellation: a cancelled backup must hold the lock until it has released its freeze. */
async function tryToTake(request: LockRequest): Promise<Lock | undefined> {
  const holder: LockMemo = {
    operation: request.operation,
    ...(request.plan === undefined ? {} : { plan: request.plan }),
    workflowId: workflowInfo().workflowId,
  };
  try {
    return await CancellationScope.nonCancellable(() =>
      startChild(systemLock, {
        workflowId: workflowIds.lock(request.system, request.site),
        args: [holder],
        memo: { ...holder },
        // It holds a name only: when its parent is gone, however it went, the server itself frees the name.
        parentClosePolicy: 'TERMINATE',
        staticSummary: `${request.system}: ${request.operation} ${request.plan ?? ''}`,
      }),
    );
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

async function release(lock: Lock): Promise<void> {
  try {
    await lock.signal(releaseLockSignal);
    await lock.result();
  } catch {
    // A person has ended the lock already: it is free, which is all that is wanted here.
  }
}
