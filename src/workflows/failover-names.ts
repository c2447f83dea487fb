/**
 * Names are led to the site that runs the system now: each entry of `failover.dns` by itself, and forwards only. The site before
 * is fenced, so that a name led back would lead to nothing; one that can't be led stays where it was, and is told.
 */
import { CancellationScope, isCancellation, patched, TemporalFailure } from '@temporalio/workflow';
import type { DnsActivities } from '../activities/failover/dns-types.ts';
import type { FailoverSetup } from '../activities/failover-types.ts';
import type { DnsEntryPlan, DnsPlan } from '../policy/failover/dns-plan.ts';
import type { Standing, Stands } from '../policy/failover/dns-standing.ts';
import type { FailoverPlan, NamesLed } from './contract.ts';
import { told } from './failure.ts';
import { urgentlyOn } from './proxies.ts';

const ATTEMPTS = 8;
/** Each of them waits for as long as is declared. */
const WAITING_ATTEMPTS = 2;
const NAMES_GO_FORWARD = 'failover-names-go-forward-2026-11';

/** What leads names, as this workflow asks for it. */
export interface Leading {
  readonly change: Pick<DnsActivities, 'swapDns'>;
  readonly wait: Pick<DnsActivities, 'awaitDns' | 'checkAnswers'>;
  readonly look: Pick<DnsActivities, 'standDns'>;
  /** Runs what has to be done although the operation was cancelled. */
  readonly uncancelled: <T>(work: () => Promise<T>) => Promise<T>;
}

interface EntryLed {
  readonly title: string;
  readonly standing: Standing;
  readonly lines: readonly string[];
  readonly oldAnswerUntil?: string;
}

/** Never throws: the system runs here by now, so that a person leads the names when this can't. */
export async function leadNames(setup: FailoverSetup, planned: NonNullable<FailoverPlan['names']>): Promise<NamesLed> {
  if (!patched(NAMES_GO_FORWARD)) return leadOrBack(setup, planned);
  const { system, hosts } = setup;
  const on = (summary: string, attempts: number) => urgentlyOn(hosts[0] ?? '', { summary, attempts });
  return leadForward(
    {
      change: on('lead the names here', ATTEMPTS),
      wait: on('until the names lead here', WAITING_ATTEMPTS),
      look: on('look where the names lead', WAITING_ATTEMPTS),
      uncancelled: (work) => CancellationScope.nonCancellable(work),
    },
    system,
    planned,
  );
}

/**
 * Every entry beside the others, since one of them may be the way that works when the rest is down; commands one after
 * another, since nobody knows what two of them share.
 */
export async function leadForward(leading: Leading, system: string, planned: DnsPlan): Promise<NamesLed> {
  const { entries, unplanned = [] } = planned;
  const commands = entries.filter(({ kind }) => kind === 'command');
  const others = entries.filter(({ kind }) => kind !== 'command');
  const one = (entry: DnsEntryPlan): Promise<EntryLed> => leadEntry(leading, system, { ...planned, entries: [entry] });
  const [first, ...rest] = await Promise.all([
    inTurn(commands, one),
    ...others.map(async (entry) => [await one(entry)]),
  ]);
  const led = [...rest.flat(), ...first];
  const until = led.flatMap(({ oldAnswerUntil }) => (oldAnswerUntil === undefined ? [] : [oldAnswerUntil])).sort();
  const left = led.some(({ standing }) => standing === 'as before' || standing === 'unknown');
  const waits = led.some(({ standing }) => standing === 'on its way');
  return {
    ok: unplanned.length === 0 && led.every(({ standing }) => standing === 'here'),
    lines: [
      ...led.flatMap(({ lines }) => lines),
      ...unplanned.map((words) => `not planned, and left as it was: ${words}`),
      ...(left || unplanned.length > 0 ? [`lead what is left by hand: \`holdfast dns ${system} --lead\``] : []),
      ...(waits
        ? [`what is on its way needs nothing: \`holdfast dns ${system}\` shows when all name servers say so`]
        : []),
    ],
    entries: led.map(({ title, standing }) => ({ title, standing })),
    ...(until.length === 0 ? {} : { oldAnswerUntil: until.at(-1) ?? '' }),
  };
}

async function inTurn<I, O>(all: readonly I[], work: (one: I) => Promise<O>): Promise<O[]> {
  const done: O[] = [];
  for (const one of all) done.push(await work(one));
  return done;
}

/** One entry: when something goes wrong it is looked at where its names lead, and nothing is taken back. */
async function leadEntry(
  { change, wait, look, uncancelled }: Leading,
  system: string,
  planned: DnsPlan,
): Promise<EntryLed> {
  const title = planned.entries[0]?.title ?? '';
  let oldAnswerUntil: string | undefined;
  const until = (): Pick<EntryLed, 'oldAnswerUntil'> => (oldAnswerUntil === undefined ? {} : { oldAnswerUntil });
  try {
    const swapped = await change.swapDns({ system, toSite: planned.toSite, planned });
    ({ oldAnswerUntil } = await wait.awaitDns({ system, planned, swapped }));
    const { lines } = await wait.checkAnswers({ system, planned });
    return { title, standing: 'here', lines, ...until() };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    const why = isCancellation(error) ? 'it was cancelled' : told(error).message;
    const { standing, words } = await uncancelled(() => standsNow(look, system, planned));
    return { title, standing, lines: [`${title}: ${why}`, words], ...until() };
  }
}

async function standsNow(look: Leading['look'], system: string, planned: DnsPlan): Promise<Stands> {
  const title = planned.entries[0]?.title ?? '';
  try {
    const [stands] = (await look.standDns({ system, planned })).entries;
    return stands ?? { standing: 'unknown', words: `${title}: nobody said where it leads` };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    return { standing: 'unknown', words: `${title}: where it leads could not be looked at: ${told(error).message}` };
  }
}

/** As runs of before do it: all entries together, and back when one of them can't be led. */
async function leadOrBack(
  { system, site, hosts }: FailoverSetup,
  planned: NonNullable<FailoverPlan['names']>,
): Promise<NamesLed> {
  const there = urgentlyOn(hosts[0] ?? '', { summary: 'lead the names here', attempts: ATTEMPTS });
  try {
    const swapped = await there.swapDns({ system, toSite: site, planned });
    const { oldAnswerUntil } = await there.awaitDns({ system, planned, swapped });
    const { lines } = await there.checkAnswers({ system, planned });
    return { ok: true, lines, oldAnswerUntil };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    const back = await CancellationScope.nonCancellable(() => leadBack(system, hosts, planned));
    return { ok: false, lines: [told(error).message, back] };
  }
}

async function leadBack(
  system: string,
  hosts: readonly string[],
  previous: NonNullable<FailoverPlan['names']>,
): Promise<string> {
  try {
    const there = urgentlyOn(hosts[0] ?? '', { summary: 'lead the names back', attempts: ATTEMPTS });
    await there.revertDns({ system, previous });
    return `the names lead where they led before: change them with \`holdfast dns ${system} --lead\``;
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    return `where the names lead now is not known: ${told(error).message}`;
  }
}
