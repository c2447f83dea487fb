/** Releases what a silent host may still hold, for as long as it takes, after its operation has given up the lock. */
import { CancellationScope, startChild, workflowInfo } from '@temporalio/workflow';
import { workflowIds } from './contract.ts';
import { inOneVoice } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { urgentlyOn } from './proxies.ts';

export interface ReleaseFreezeInput {
  readonly system: string;
  readonly host: string;
  /** Default: every freeze of the system on the host. */
  readonly freezeId?: string;
}

const FIELDS: Fields<ReleaseFreezeInput> = {
  system: { ...NAME, required: true },
  host: { ...NAME, required: true },
  freezeId: NAME,
};

/** Ends when the host's worker has released the freeze. A cancel does not keep it from that. */
export async function releaseFreeze(input: ReleaseFreezeInput): Promise<{ released: readonly string[] }> {
  const { system, host, freezeId } = parseInput<ReleaseFreezeInput>('releaseFreeze', input, FIELDS);
  return inOneVoice(() =>
    CancellationScope.nonCancellable(() =>
      urgentlyOn(host, { summary: `release ${system} on ${host}` }).releaseFreeze({
        system,
        ...(freezeId === undefined ? {} : { freezeId }),
      }),
    ),
  );
}

/**
 * Releases a freeze now, or, when its host stays silent for the given time, leaves that to a workflow of its own which
 * outlives this one. Returns what was left to it. To be called outside the reach of cancellation.
 */
export async function releaseOrHandOver(
  input: ReleaseFreezeInput & { freezeId: string },
  silentSeconds: number,
): Promise<{ handedOverTo?: string }> {
  const { system, host, freezeId } = input;
  const urgent = urgentlyOn(host, { summary: `release ${freezeId}`, giveUpAfterSeconds: silentSeconds });
  try {
    await urgent.releaseFreeze({ system, freezeId });
    return {};
  } catch {
    // Whatever it was, the release has to happen: the workflow below tries until it does, and shows the reason.
    const workflowId = workflowIds.release(system, freezeId);
    await startChild(releaseFreeze, {
      workflowId,
      args: [{ system, host, freezeId }],
      parentClosePolicy: 'ABANDON',
      staticSummary: `${system}: release a freeze on ${host} (left by ${workflowInfo().workflowId})`,
    });
    return { handedOverTo: workflowId };
  }
}
