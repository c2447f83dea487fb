/**
 * One message to one channel, as an activity, and what its fate says of the channel: the incident of a channel that
 * does not work is told by whoever delivers, since several machines do and none of them sees what the others met.
 */
import type { Client } from '@temporalio/client';
import { tellHealed } from '../engine/tell-healed.ts';
import { HoldfastError } from '../failures.ts';
import { answersAgain } from '../notify/answers-again.ts';
import { channelOf, deliver, type Delivered } from '../notify/deliver.ts';
import { log } from '../observe/log.ts';
import type { Notice } from '../policy/notices.ts';
import { loadKnownSystem } from '../system/index.ts';
import type { ChannelConfig } from '../system/types.ts';
import { QUERIES, workflowIds, type IncidentState } from '../workflows/contract.ts';
import type { Run } from './shell.ts';
import { tellFound } from './tell-found.ts';

/** A receiver that is slow for some seconds is nobody's news: it is told from this attempt on. */
const TOLD_FROM_ATTEMPT = 3;

interface Delivery {
  readonly system: string;
  readonly channel: string;
  readonly notice: Notice;
}

export async function deliverNotice(client: Client, input: Delivery, run: Run): Promise<Delivered> {
  const channel = channelOf((await loadKnownSystem(input.system)).system, input.channel);
  try {
    const delivered = await deliver(channel, input.notice, run.signal, run.memory);
    const { refused } = delivered;
    await tellChannel(client, input, refused === undefined ? undefined : { why: refused });
    return delivered;
  } catch (error) {
    run.signal.throwIfAborted();
    const isFinal = error instanceof HoldfastError && !error.waitingHelps;
    if (isFinal || run.attempt >= TOLD_FROM_ATTEMPT) {
      const why = error instanceof Error ? error.message : String(error);
      await tellChannel(client, input, { why, unreachable: !isFinal });
    }
    throw error;
  }
}

/** Nice to have: what was delivered must not be sent again because the engine was busy. */
async function tellChannel(
  client: Client,
  { system, channel, notice }: Delivery,
  trouble: { readonly why: string; readonly unreachable?: boolean } | undefined,
): Promise<void> {
  const workflowId = workflowIds.incident(system, 'notify', channel);
  try {
    if (trouble === undefined) {
      await tellHealed(client, workflowId);
      return;
    }
    const { why, unreachable = false } = trouble;
    await tellFound(client, workflowId, {
      system,
      check: 'notify',
      subject: channel,
      severity: 'warning',
      what: `messages do not get through to ${channel}: of "${notice.title}", ${why}`,
      hint: `Correct the channel in the system file or its receiver, then try it: holdfast notify test ${system} ${channel}`,
      ...(unreachable ? { unreachable } : {}),
    });
  } catch (error) {
    log('notify').warn({ err: error, channel }, 'how a delivery went could not be told to its incident');
  }
}

const ASK_LIMIT_MS = 5_000;
const PROBE_LIMIT_MS = 10_000;

/**
 * Whether the trouble of a channel was that its receiver could not be reached, and it answers now. What it refused may be
 * refused again: only a message tells.
 */
export async function isReachedAgain(client: Client, workflowId: string, channel: ChannelConfig): Promise<boolean> {
  const handle = client.workflow.getHandle(workflowId);
  const state = await client
    .withDeadline(Date.now() + ASK_LIMIT_MS, () => handle.query<IncidentState>(QUERIES.incident))
    // It is over, or nobody has time to say how it is: it is asked again at the next look.
    .catch(() => undefined);
  if (state?.finding.unreachable !== true) return false;
  return answersAgain(channel, AbortSignal.timeout(PROBE_LIMIT_MS));
}
