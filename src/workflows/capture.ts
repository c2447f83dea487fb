/** The captures of one run, group by group, with everything that was stopped or paused released whatever happens. */
import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { CaptureGroup, CaptureResult } from '../activities/types.ts';
import type { CaptureTicket, ComponentRecord, FreezeRecord } from '../vault/types.ts';
import { whileHostAnswers, type Patience } from './proxies.ts';
import { releaseOrHandOver } from './release-freeze.ts';

export interface CaptureOrder {
  readonly system: string;
  readonly store: string;
  readonly ticket: CaptureTicket;
  readonly groups: readonly CaptureGroup[];
  readonly purpose: 'backup' | 'safety';
  /** For groups that freeze nothing; one that does is tried a handful of times at most. */
  readonly patience: Patience;
  readonly hostSilentSeconds?: number;
}

export interface Gathered {
  readonly components: readonly ComponentRecord[];
  readonly freezes: readonly FreezeRecord[];
  readonly warnings: readonly string[];
}

const HOST_SILENT_SECONDS = 600;

/** In the given order, because the order is the plan's word on which component may be older than which. */
export async function captureGroups(order: CaptureOrder): Promise<Gathered> {
  const components: ComponentRecord[] = [];
  const freezes: FreezeRecord[] = [];
  const warnings: string[] = [];
  for (const [index, group] of order.groups.entries()) {
    const frozen = group.quiesce.mode !== 'none';
    const { result, warning } = frozen
      ? await captureFrozen(order, group, index)
      : await captureLive(order, group, index);
    components.push(...result.components);
    freezes.push(...result.freezes);
    if (warning !== undefined) warnings.push(warning);
  }
  return { components, freezes, warnings };
}

type GroupOutcome = { readonly result: CaptureResult; readonly warning?: string };

async function captureLive(order: CaptureOrder, group: CaptureGroup, index: number): Promise<GroupOutcome> {
  return { result: await captureOn(order, group, freezeIdOf(index), order.patience) };
}

async function captureFrozen(order: CaptureOrder, group: CaptureGroup, index: number): Promise<GroupOutcome> {
  const { system, store, ticket } = order;
  const freezeId = freezeIdOf(index);
  const silentSeconds = silenceOf(order);

  // What is stable is stored while everything still runs, so that inside the freeze hardly anything is left to read.
  const summary = `hot pass: ${group.components.join(', ')}`;
  await whileHostAnswers(system, group.host, { summary, silentSeconds, patience: order.patience }, (host) =>
    host.hotPass({ system, store, ticket, group }),
  );

  // From here on something may be stopped, even if the word of it never comes back.
  let warning: string | undefined;
  let result: CaptureResult;
  try {
    result = await captureOn(order, group, freezeId, order.purpose === 'safety' ? 'brief' : 'sparing');
  } finally {
    const { handedOverTo } = await CancellationScope.nonCancellable(() =>
      releaseOrHandOver({ system, host: group.host, freezeId }, silentSeconds),
    );
    if (handedOverTo !== undefined) warning = `Host ${group.host} is silent: ${handedOverTo} releases it.`;
  }
  return warning === undefined ? { result } : { result, warning };
}

function captureOn(
  order: CaptureOrder,
  group: CaptureGroup,
  freezeId: string,
  patience: Patience,
): Promise<CaptureResult> {
  const { system, store, ticket, purpose } = order;
  const silentSeconds = silenceOf(order);
  const summary = `capture ${group.components.join(', ')}`;
  return whileHostAnswers(system, group.host, { summary, silentSeconds, patience }, (host) =>
    host.captureGroup({ system, store, ticket, group, freezeId, purpose }),
  );
}

/** How long a host of this system may be silent before its work is given up. */
export function silenceOf(facts: { readonly hostSilentSeconds?: number }): number {
  return facts.hostSilentSeconds ?? HOST_SILENT_SECONDS;
}

/** Unique to the run and the group, so that a release can't reach another run's freeze. */
function freezeIdOf(index: number): string {
  return `${workflowInfo().runId}-${index}`;
}
