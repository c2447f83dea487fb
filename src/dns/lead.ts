/** The names of a plan led by hand, entry by entry: what a failover does with them, without an engine. */
import { HoldfastError } from '../failures.ts';
import type { DnsEntryPlan, DnsPlan } from '../policy/failover/dns-plan.ts';
import { answerWords } from '../policy/failover/dns-answers.ts';
import type { Stands } from '../policy/failover/dns-standing.ts';
import type { DnsContext } from './context.ts';
import { entryStands } from './standing.ts';
import { awaitEntry, checkEntry, swapEntry, type Begun } from './swap.ts';

export interface LedByHand extends Stands {
  readonly title: string;
  /** Who was asked and what was answered, or what went wrong. */
  readonly lines: readonly string[];
}

/** One after another; what fails is looked at where it leads, and keeps none of the others from being led. Takes nothing back. */
export async function leadByHand(context: DnsContext, plan: DnsPlan): Promise<LedByHand[]> {
  const begunBefore = new Set<number>();
  const begun: Begun = { has: (index) => begunBefore.has(index), mark: (index) => void begunBefore.add(index) };
  const led: LedByHand[] = [];
  for (const entry of plan.entries) led.push(await leadOne(context, plan, entry, begun));
  return led;
}

async function leadOne(context: DnsContext, plan: DnsPlan, entry: DnsEntryPlan, begun: Begun): Promise<LedByHand> {
  const { title } = entry;
  try {
    await awaitEntry(context, entry, await swapEntry(context, plan, entry, begun));
    const answers = await checkEntry(context, plan, entry);
    const lines = answers.map((one) => `${one.role} ${one.server}: ${one.name} ${one.type} is ${answerWords(one)}`);
    return { title, standing: 'here', words: `${title}: leads to ${plan.toSite}`, lines };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    const { standing, words } = await entryStands(context, plan, entry);
    return { title, standing, words, lines: [error.message] };
  }
}
