/** How the entries of a plan stand now, by everything that can be asked: for a report when not all has gone well. */
import { HoldfastError } from '../failures.ts';
import { answerWords, type AnswerVerdict } from '../policy/failover/dns-answers.ts';
import { decideSwap } from '../policy/failover/dns-change.ts';
import type { CommandEntryPlan, DnsEntryPlan, DnsPlan } from '../policy/failover/dns-plan.ts';
import { commandHeld, standingOf, type CommandFacts, type Held, type Stands } from '../policy/failover/dns-standing.ts';
import type { DnsEntry } from '../system/dns-types.ts';
import { awaitAnswers } from './answers.ts';
import { readState, verifyNames } from './command.ts';
import { firstLine, serversFor, titleOf, withZone, type DnsContext } from './context.ts';
import { switchState } from './health-switch.ts';

interface Seen {
  readonly held: Held;
  readonly detail?: string;
}

/** Changes nothing. Never throws for what can't be reached: it says so. */
export async function entryStands(context: DnsContext, plan: DnsPlan, entryPlan: DnsEntryPlan): Promise<Stands> {
  const { title } = entryPlan;
  const { toSite } = plan;
  context.report(`looking where ${title} leads`);
  const seen = await reached(context, () => heldNow(context, plan, entryPlan));
  const answers = await answersNow(context, entryPlan, seen.held === 'unread');
  return standingOf({ title, toSite, ...seen, ...answers });
}

async function heldNow(context: DnsContext, plan: DnsPlan, entryPlan: DnsEntryPlan): Promise<Seen> {
  switch (entryPlan.kind) {
    case 'route53': {
      const { changes } = entryPlan;
      const entry = entryOf(context, entryPlan, 'route53');
      const now = await withZone(context, entry, (zone) => zone.read(entry.records, context.signal));
      const decision = decideSwap(changes, now);
      if (decision.kind === 'changed') return { held: 'otherwise', detail: decision.differences.join('; ') };
      return { held: decision.kind === 'done' ? 'as planned' : 'as before' };
    }
    case 'route53-health': {
      const now = await switchState(entryOf(context, entryPlan, 'route53-health'), context);
      return { held: now === entryPlan.wanted ? 'as planned' : 'as before' };
    }
    case 'command': {
      const { facts, detail } = await commandFacts(context, plan, entryPlan);
      return { held: commandHeld(facts), detail };
    }
  }
}

/** What a command's `read` and `verify` say now. Throws DnsCommandFailed. */
export async function commandFacts(
  { signal, resolveSecret, ...context }: DnsContext,
  { toSite, fromSite }: DnsPlan,
  entryPlan: CommandEntryPlan,
): Promise<{ facts: CommandFacts; detail: string }> {
  const entry = entryOf(context, entryPlan, 'command');
  const before = entryPlan.state;
  const call = { place: { site: toSite, fromSite, state: before }, signal, resolveSecret };
  const now = await readState(entry, call);
  const verified = await verifyNames(entry, call);
  const read =
    now === undefined ? 'it has no `read`' : `it reads ${firstLine(now)} and read ${firstLine(before ?? '')}`;
  const said = verified === undefined ? 'it has no `verify`' : `\`verify\` says ${verified ? 'yes' : 'no'}`;
  return { facts: { before, now, verified }, detail: `${read}; ${said}` };
}

async function answersNow(
  context: DnsContext,
  entryPlan: DnsEntryPlan,
  /** They are all that can tell, and come to know of a change somewhat later. */
  waits: boolean,
): Promise<{ answered?: AnswerVerdict; answers: readonly string[] }> {
  if (entryPlan.kind === 'command' || entryPlan.checks.length === 0) return { answers: [] };
  const entry = entryOf(context, entryPlan, entryPlan.kind);
  // Nobody to ask is as good as nobody that answers.
  const servers = await serversFor(entry, context).catch(() => []);
  const { signal, report } = context;
  const withinMs = waits ? entry.answeredWithinSeconds * 1000 : 0;
  const { verdict, answers } = await awaitAnswers(entryPlan.checks, servers, entry, { signal, report, withinMs });
  const words = answers.map((one) => `${one.role} ${one.server} says of ${one.name} ${one.type}: ${answerWords(one)}`);
  return { answered: verdict, answers: words };
}

async function reached({ signal }: DnsContext, look: () => Promise<Seen>): Promise<Seen> {
  try {
    return await look();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return { held: 'unread', detail: error.message };
  }
}

/** The file may have changed since the plan: what is not there any more is not guessed. Throws DnsUnfit. */
export function entryOf<K extends DnsEntry['kind']>(
  { entries }: Pick<DnsContext, 'entries'>,
  { index, title }: DnsEntryPlan,
  kind: K,
): Extract<DnsEntry, { kind: K }> {
  const entry = entries[index];
  if (entry?.kind === kind && titleOf(entry) === title) return entry as Extract<DnsEntry, { kind: K }>;
  throw new HoldfastError('DnsUnfit', `The system file no longer has ${title} at its place in failover.dns.`);
}
