/** The names of a system led to a site, entry by entry, and back: what a failover's activities call. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import { answerWords } from '../policy/failover/dns-answers.ts';
import { reverseOf, type AnswerCheck } from '../policy/failover/dns-change.ts';
import { commandRevert } from '../policy/failover/dns-standing.ts';
import { switchAnswers, type DnsEntryPlan, type DnsPlan, type HealthEntryPlan } from '../policy/failover/dns-plan.ts';
import type { DnsCommandEntry, Route53Entry, Route53HealthEntry } from '../system/dns-types.ts';
import { awaitAnswers, type Answers, type ServerAnswer } from './answers.ts';
import { changeNames, readState, verifyNames } from './command.ts';
import { firstLine, serversFor, withZone, type DnsContext } from './context.ts';
import { setSwitch } from './health-switch.ts';
import { commandFacts, entryOf } from './standing.ts';

export interface Settled {
  readonly inSyncAtMs: number;
  readonly resubmitted: number;
}

/** What an attempt before this one has begun, for commands that can't be asked what is done. */
export interface Begun {
  has(index: number): boolean;
  mark(index: number): void;
}

/** Makes one entry's change, only where it stands as it was planned. The id is of a change to be waited for. Throws DnsChanged. */
export async function swapEntry(
  context: DnsContext,
  plan: DnsPlan,
  entryPlan: DnsEntryPlan,
  begun: Begun,
): Promise<string | undefined> {
  const { signal, resolveSecret } = context;
  context.report(`changing ${entryPlan.title}`);
  switch (entryPlan.kind) {
    case 'route53': {
      const entry = entryOf(context, entryPlan, 'route53');
      const done = await withZone(context, entry, (zone) => zone.swap(entryPlan.changes, signal));
      return done.kind === 'submitted' ? done.changeId : undefined;
    }
    case 'route53-health':
      await setSwitch(entryOf(context, entryPlan, 'route53-health'), entryPlan.wanted, context);
      return undefined;
    case 'command': {
      const entry = entryOf(context, entryPlan, 'command');
      const { toSite: site, fromSite } = plan;
      const call = { place: { site, fromSite, state: entryPlan.state }, signal, resolveSecret };
      if (!begun.has(entryPlan.index)) {
        const now = await readState(entry, call);
        if (now !== entryPlan.state) {
          if ((await verifyNames(entry, call)) === true) return undefined;
          const text = `${entry.name} reads ${firstLine(now ?? '')} and read ${firstLine(entryPlan.state ?? '')} when the plan was made.`;
          throw new HoldfastError('DnsChanged', text);
        }
        begun.mark(entryPlan.index);
      }
      await changeNames(entry, call);
      return undefined;
    }
  }
}

/** Waits for one entry's change. Throws DnsPending, DnsChanged, DnsNotAnswered. */
export async function awaitEntry(
  context: DnsContext,
  entryPlan: DnsEntryPlan,
  changeId: string | undefined,
): Promise<Settled> {
  switch (entryPlan.kind) {
    case 'route53': {
      const entry = entryOf(context, entryPlan, 'route53');
      const submitted = changeId === undefined ? {} : { changeId };
      const { signal, report } = context;
      return withZone(context, entry, (zone) =>
        zone.awaitInSync(entryPlan.changes, submitted, { signal, report, withinMs: entry.inSyncWithinSeconds * 1000 }),
      );
    }
    case 'route53-health':
      return awaitSwitch(context, entryPlan, entryPlan.checks);
    case 'command':
      return { inSyncAtMs: Date.now(), resubmitted: 0 };
  }
}

/** The checkers look, the name servers answer: nothing else tells that a switch has worked. */
async function awaitSwitch(
  context: DnsContext,
  entryPlan: HealthEntryPlan,
  checks: readonly AnswerCheck[],
): Promise<Settled> {
  const entry = entryOf(context, entryPlan, 'route53-health');
  const { intervalSeconds, failureThreshold } = entry.check;
  const withinMs = (entry.answeredWithinSeconds + intervalSeconds * failureThreshold) * 1000;
  const answers = await askFor(context, entry, checks, withinMs);
  if (!isAnswered(answers)) throw notAnswered(answers, withinMs);
  return { inSyncAtMs: Date.now(), resubmitted: 0 };
}

/**
 * Puts back what stood there, where it still stands as the plan made it. What was never changed, what somebody has changed
 * since and what nobody can look at is left. Throws DnsChanged, DnsPending, DnsNotAnswered.
 */
export async function revertEntry(
  context: DnsContext,
  plan: DnsPlan,
  entryPlan: DnsEntryPlan,
  begun: Begun,
): Promise<Settled> {
  const { signal, report, resolveSecret } = context;
  report(`putting ${entryPlan.title} back`);
  switch (entryPlan.kind) {
    case 'route53': {
      const entry = entryOf(context, entryPlan, 'route53');
      const changes = reverseOf(entryPlan.changes);
      return withZone(context, entry, async (zone) => {
        // Only who has begun it has something to wait for: names that are protected may never have been changed.
        const whenDone = begun.has(entryPlan.index) ? 'again' : 'leave';
        begun.mark(entryPlan.index);
        const done = await zone.swap(changes, signal, whenDone);
        const submitted = done.kind === 'submitted' ? { changeId: done.changeId } : {};
        return zone.awaitInSync(changes, submitted, { signal, report, withinMs: entry.inSyncWithinSeconds * 1000 });
      });
    }
    case 'route53-health': {
      const entry = entryOf(context, entryPlan, 'route53-health');
      if (entryPlan.was === entryPlan.wanted) return { inSyncAtMs: Date.now(), resubmitted: 0 };
      await setSwitch(entry, entryPlan.was, context);
      return awaitSwitch(context, entryPlan, switchAnswers(entry, entryPlan.was));
    }
    case 'command': {
      const entry = entryOf(context, entryPlan, 'command');
      const { toSite, fromSite } = plan;
      const place = { site: fromSite ?? '', fromSite: toSite, state: entryPlan.state };
      const call = { place, signal, resolveSecret };
      // An attempt before this one has seen that it is to be put back, and may have done so by half.
      if (!begun.has(entryPlan.index)) {
        const { facts, detail } = await commandFacts(context, plan, entryPlan);
        const todo = commandRevert(facts);
        if (todo === 'as it was') return { inSyncAtMs: Date.now(), resubmitted: 0 };
        if (todo === 'leave') {
          const text = `${entry.name} was left as it is, since nothing says that it stands as it was led to ${toSite}`;
          throw new HoldfastError('DnsChanged', `${text} (${detail}).`);
        }
        begun.mark(entryPlan.index);
      }
      await changeNames(entry, call);
      return { inSyncAtMs: Date.now(), resubmitted: 0 };
    }
  }
}

/**
 * Who was asked and what was answered, also by those few that are silent or say otherwise (see judgeServers). Throws
 * DnsNotAnswered when most authoritative servers do not come to say it in time.
 */
export async function checkEntry(
  context: DnsContext,
  plan: DnsPlan,
  entryPlan: DnsEntryPlan,
): Promise<readonly ServerAnswer[]> {
  if (entryPlan.kind === 'command') {
    await verifyCommand(context, plan, entryOf(context, entryPlan, 'command'));
    return [];
  }
  const entry = entryOf(context, entryPlan, entryPlan.kind);
  const withinMs = entry.answeredWithinSeconds * 1000;
  const answers = await askFor(context, entry, entryPlan.checks, withinMs);
  if (!isAnswered(answers)) throw notAnswered(answers, withinMs);
  return answers.answers;
}

async function verifyCommand(context: DnsContext, plan: DnsPlan, entry: DnsCommandEntry): Promise<void> {
  const { signal, resolveSecret, report } = context;
  const { toSite: site, fromSite } = plan;
  const endMs = performance.now() + entry.timeoutSeconds * 1000;
  for (;;) {
    const good = await verifyNames(entry, { place: { site, fromSite, state: undefined }, signal, resolveSecret });
    if (good !== false) return;
    if (performance.now() >= endMs) {
      const text = `${entry.name}: \`verify\` does not find that the names lead to ${site}, after ${entry.timeoutSeconds} s.`;
      throw new HoldfastError('DnsNotAnswered', text);
    }
    report(`${entry.name}: not verified yet`);
    await sleep(1000, undefined, { signal });
  }
}

async function askFor(
  context: DnsContext,
  entry: Route53Entry | Route53HealthEntry,
  checks: readonly AnswerCheck[],
  withinMs: number,
): Promise<Answers> {
  const { signal, report } = context;
  return awaitAnswers(checks, await serversFor(entry, context), entry, { signal, report, withinMs });
}

function isAnswered({ verdict }: Answers): boolean {
  return verdict === 'answered' || verdict === 'answered by most';
}

function notAnswered({ answers }: Answers, withinMs: number): HoldfastError {
  const wrong = answers.filter(({ role, verdict }) => role === 'authoritative' && verdict !== 'as wanted');
  const told = (wrong.length > 0 ? wrong : answers).map(
    (one) => `${one.server} says of ${one.name} ${one.type}: ${answerWords(one)}`,
  );
  return new HoldfastError('DnsNotAnswered', `After ${Math.round(withinMs / 1000)} s ${told.join('; ')}.`);
}
