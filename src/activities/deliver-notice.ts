/**
 * One message to one channel, as an activity, and what its fate says of the channel: the incident of a channel that
 * does not work is told by whoever delivers, since several machines do and none of them sees what the others met.
 */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import { channelOf, deliver, type Delivered } from '../notify/deliver.ts';
import { log } from '../observe/log.ts';
import type { Notice } from '../policy/notices.ts';
import { loadKnownSystem } from '../system/index.ts';
import { SIGNALS, workflowIds, type Healed } from '../workflows/contract.ts';
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
    await tellChannel(client, input, delivered.refused);
    return delivered;
  } catch (error) {
    run.signal.throwIfAborted();
    const isFinal = error instanceof HoldfastError && !error.waitingHelps;
    if (isFinal || run.attempt >= TOLD_FROM_ATTEMPT) {
      await tellChannel(client, input, error instanceof Error ? error.message : String(error));
    }
    throw error;
  }
}

/** Nice to have: what was delivered must not be sent again because the engine was busy. */
async function tellChannel(
  client: Client,
  { system, channel, notice }: Delivery,
  why: string | undefined,
): Promise<void> {
  const workflowId = workflowIds.incident(system, 'notify', channel);
  try {
    if (why === undefined) {
      const healed: Healed = { at: new Date().toISOString() };
      await client.workflow.getHandle(workflowId).signal(SIGNALS.healed, healed);
      return;
    }
    await tellFound(client, workflowId, {
      system,
      check: 'notify',
      subject: channel,
      severity: 'warning',
      what: `messages do not get through to ${channel}: of "${notice.title}", ${why}`,
      hint: `Correct the channel in the system file or its receiver, then try it: holdfast notify test ${system} ${channel}`,
    });
  } catch (error) {
    // It works, and nobody had thought otherwise.
    if (error instanceof WorkflowNotFoundError) return;
    log('notify').warn({ err: error, channel }, 'how a delivery went could not be told to its incident');
  }
}
