/** Where an operation is, by its history: each piece of work as it is handed out, that of its restore among them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { NAMESPACE } from '../../src/engine/server.ts';
import { WORKFLOWS } from '../../src/workflows/contract.ts';

const AGAIN_MS = 100;
const LONG_POLL_MS = 60_000;

/** Their pieces of work are those of the operation that has begun them. */
const BELOW: ReadonlySet<string> = new Set([WORKFLOWS.restore, WORKFLOWS.backup, WORKFLOWS.verify]);

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
interface Execution {
  readonly workflowId: string;
  readonly runId: string;
}

/** The names of the activities that were handed out, in their order. */
export class Steps {
  readonly begun: string[] = [];
  /** How often a person was asked. */
  asked = 0;
  private readonly waiting: { readonly name: string; readonly go: () => void }[] = [];

  heed(name: string): void {
    this.begun.push(name);
    for (const one of this.waiting) if (one.name === name) one.go();
  }

  /** Resolves when this one is handed out from now on; never when it is not. */
  next(name: string): Promise<undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.waiting.push({ name, go: () => resolve(undefined) });
    return promise;
  }
}

/** Resolves when the operation has ended, or the signal is aborted. An engine that is away is waited for. */
export async function followSteps(
  client: Client,
  execution: Execution,
  steps: Steps,
  signal: AbortSignal,
): Promise<void> {
  const below: Promise<void>[] = [];
  let heard = 0;
  const heed = (event: HistoryEvent): void => {
    const id = Number(event.eventId ?? 0);
    if (id <= heard) return;
    heard = id;
    const activity = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (typeof activity === 'string') steps.heed(activity);
    const child = event.childWorkflowExecutionStartedEventAttributes;
    if (!BELOW.has(child?.workflowType?.name ?? '')) return;
    const { workflowId, runId } = child?.workflowExecution ?? {};
    if (typeof workflowId === 'string' && typeof runId === 'string') {
      below.push(followSteps(client, { workflowId, runId }, steps, signal));
    }
  };
  let token: Uint8Array | undefined;
  while (!signal.aborted) {
    try {
      const page = await pageOf(client, execution, token, signal);
      for (const event of page.history?.events ?? []) heed(event);
      token = page.nextPageToken;
      if (token.length === 0) break;
    } catch {
      // From the beginning: a token of an engine that was killed may be none of the next.
      token = undefined;
      await sleep(AGAIN_MS);
    }
  }
  await Promise.all(below);
}

async function pageOf(client: Client, execution: Execution, token: Uint8Array | undefined, signal: AbortSignal) {
  const ask = () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace: NAMESPACE,
      execution,
      waitNewEvent: true,
      ...(token === undefined ? {} : { nextPageToken: token }),
    });
  return client.connection.withDeadline(Date.now() + LONG_POLL_MS, () =>
    client.connection.withAbortSignal(signal, ask),
  );
}
