/** Names led from site to site, for a failover and back: each step may run twice, and is told by its entry. */
import { oldAnswerUntil, answerWords } from '../../policy/failover/dns-answers.ts';
import type { DnsPlan } from '../../policy/failover/dns-plan.ts';
import { dnsContext, type DnsContext } from '../../dns/context.ts';
import { planNames } from '../../dns/plan.ts';
import { entryStands } from '../../dns/standing.ts';
import { awaitEntry, checkEntry, revertEntry, swapEntry, type Begun, type Settled } from '../../dns/swap.ts';
import type { HostContext } from '../host-context.ts';
import { activity, type Run } from '../shell.ts';
import type { DnsActivities, DnsSettled } from './dns-types.ts';

/** `pollMs` is the pause between two looks at a change of Route 53; the usual one unless said otherwise. */
export function createDnsActivities(
  context: Pick<HostContext, 'system'>,
  options: { readonly pollMs?: number } = {},
): DnsActivities {
  const open = async (name: string, run: Run): Promise<DnsContext> => ({
    ...dnsContext(await context.system(name)),
    ...options,
    signal: run.signal,
    report: (phase) => run.report({ phase }),
  });
  return {
    planDns: activity('planDns', async ({ system, toSite, fromSite }, run) =>
      planNames(await open(system, run), toSite, fromSite),
    ),
    swapDns: activity('swapDns', async ({ system, planned }, run) => {
      const dns = await open(system, run);
      const begun = begunBy(run);
      const entries: { index: number; changeId?: string }[] = [];
      for (const entry of planned.entries) {
        const changeId = await swapEntry(dns, planned, entry, begun);
        entries.push({ index: entry.index, ...(changeId === undefined ? {} : { changeId }) });
      }
      return { entries };
    }),
    awaitDns: activity('awaitDns', async ({ system, planned, swapped }, run) => {
      const dns = await open(system, run);
      const settled: Settled[] = [];
      for (const entry of planned.entries) {
        const changeId = swapped.entries.find(({ index }) => index === entry.index)?.changeId;
        settled.push(await awaitEntry(dns, entry, changeId));
      }
      return settledOf(planned, settled);
    }),
    revertDns: activity('revertDns', async ({ system, previous }, run) => {
      const dns = await open(system, run);
      const begun = begunBy(run);
      const settled: Settled[] = [];
      const failed: unknown[] = [];
      // The last that was changed first; one that can't be put back keeps none of the others from it.
      for (const entry of previous.entries.toReversed()) {
        try {
          settled.push(await revertEntry(dns, previous, entry, begun));
        } catch (error) {
          run.signal.throwIfAborted();
          failed.push(error);
        }
      }
      if (failed.length > 0) throw failed[0];
      return settledOf(previous, settled);
    }),
    checkAnswers: activity('checkAnswers', async ({ system, planned }, run) => {
      const dns = await open(system, run);
      const answers = [];
      for (const entry of planned.entries) answers.push(...(await checkEntry(dns, planned, entry)));
      const lines = answers.map(
        (one) => `${one.role} ${one.server}: ${one.name} ${one.type} is ${answerWords(one)}, ${one.verdict}`,
      );
      return { answers, lines };
    }),
    standDns: activity('standDns', async ({ system, planned }, run) => {
      const dns = await open(system, run);
      const entries = [];
      for (const entry of planned.entries) {
        entries.push({ index: entry.index, ...(await entryStands(dns, planned, entry)) });
      }
      return { entries };
    }),
  };
}

function settledOf({ entries }: DnsPlan, settled: readonly Settled[]): DnsSettled {
  const inSyncAtMs = Math.max(...settled.map((one) => one.inSyncAtMs), 0) || Date.now();
  const oldest = Math.max(0, ...entries.map(({ oldTtlSeconds }) => oldTtlSeconds));
  return {
    inSyncAt: new Date(inSyncAtMs).toISOString(),
    oldAnswerUntil: oldAnswerUntil(inSyncAtMs, oldest),
    resubmitted: settled.reduce((sum, one) => sum + one.resubmitted, 0),
  };
}

/** Kept for the attempts after this one. */
function begunBy({ memory }: Run): Begun {
  const indexes = new Set(memory?.kept ?? []);
  return {
    has: (index) => indexes.has(String(index)),
    mark: (index) => {
      indexes.add(String(index));
      memory?.keep([...indexes]);
    },
  };
}
