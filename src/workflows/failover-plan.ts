/** Whether a site may take a system over, of which backups, and what that would be: from facts in the history. */
import { isCancellation } from '@temporalio/workflow';
import type { DnsPlan } from '../policy/failover/dns-plan.ts';
import type { FailoverGathered, FailoverSetup } from '../activities/failover-types.ts';
import type { SystemFacts } from '../activities/types.ts';
import { assessSite, type Assessment, type VantageReport } from '../policy/failover/assess.ts';
import { decideFailover, type FailoverFacts, type FailoverGo } from '../policy/failover/decide.ts';
import { lostSeconds, originOf, withoutBad } from '../policy/failover/takeover.ts';
import type { Origin } from '../policy/failover/lineage.ts';
import type { FailoverInput, FailoverPlan, FellBack, RestorePlan } from './contract.ts';
import { told } from './failure.ts';
import { planOf } from './plan-of-restore.ts';
import { orchestration, urgentlyOn } from './proxies.ts';
import type { Story } from './story.ts';

/** About a minute of a store that is down: the operator is told rather than left waiting. */
const ATTEMPTS = 5;

/** What was looked at and gathered: an older copy is chosen from the same. */
interface Seen {
  readonly assessment: Assessment;
  readonly gathered: FailoverGathered;
  readonly downForMs: number;
}

export interface Decided {
  readonly plan: FailoverPlan;
  readonly seen: Seen;
  /** What the new generation says of its data. */
  readonly origin: Origin;
  /** As the restore is asked for. */
  readonly backup: string | undefined;
}
export type Prepared =
  | { readonly kind: 'go'; readonly decided: Decided }
  | { readonly kind: 'refuse'; readonly assessment: Assessment; readonly reasons: readonly string[] };

/** Looks, gathers, decides and plans. Changes nothing. */
export async function prepare(
  asked: FailoverInput,
  { setup, facts }: { readonly setup: FailoverSetup; readonly facts: SystemFacts },
  story: Story,
): Promise<Prepared> {
  story.begin('assess');
  const reports = await look(setup, overMs(asked, setup));
  const assessment = assessSite(reports, setup.rule);

  story.begin('gather');
  const gathered = await gather(asked, setup);

  story.begin('decide and plan');
  return decide(asked, { setup, facts }, { assessment, gathered, downForMs: downForMs(reports) });
}

/**
 * The same decision from the same facts, without what was found bad since: another store's copy, or the next older one.
 * `n` is the generation that is to be raised for it. Changes nothing.
 */
export function prepareOlder(
  asked: FailoverInput,
  known: { readonly setup: FailoverSetup; readonly facts: SystemFacts },
  { seen }: Pick<Decided, 'seen'>,
  older: { readonly fellBack: FellBack; readonly n: number },
): Promise<Prepared> {
  const { gathered } = seen;
  const copies = withoutBad(gathered.copies, older.fellBack.passedOver);
  return decide(asked, known, { ...seen, gathered: { ...gathered, copies } }, older);
}

async function decide(
  asked: FailoverInput,
  { setup, facts }: { readonly setup: FailoverSetup; readonly facts: SystemFacts },
  seen: Seen,
  older?: { readonly fellBack: FellBack; readonly n: number },
): Promise<Prepared> {
  const { assessment } = seen;
  const judged = judge(asked, setup, seen);
  if (judged.kind === 'refuse') return { ...judged, assessment };
  const restored = await planned(asked, facts, judged.go, older?.fellBack);
  if ('refused' in restored) return { kind: 'refuse', assessment, reasons: [restored.refused] };
  return { kind: 'go', decided: await decidedOf(setup, seen, { n: older?.n, go: judged.go, ...restored }) };
}

/** One look from each place, before something is done that was decided long ago. */
export async function lookOnce({ system, hosts }: FailoverSetup): Promise<Assessment> {
  const reports = await urgentlyOn(hosts[0] ?? '', {
    summary: 'look once more whether the active site answers',
    attempts: ATTEMPTS,
  }).assessSite({ system, looks: 1, overMs: 0 });
  return assessSite(reports, { quorum: 1, looks: 1, overMs: 0 });
}

/** Without a person it has to have been down for as long as was declared; a person who has approved beforehand waits less. */
function overMs({ mode, approve }: FailoverInput, { rule, automaticDownForSeconds = 0 }: FailoverSetup): number {
  return mode === 'plan' || approve !== undefined ? rule.overMs : Math.max(rule.overMs, automaticDownForSeconds * 1000);
}

async function look({ system, hosts, rule }: FailoverSetup, over: number): Promise<readonly VantageReport[]> {
  return urgentlyOn(hosts[0] ?? '', {
    summary: 'look from all places whether the active site answers',
    attempts: ATTEMPTS,
  }).assessSite({ system, looks: rule.looks, overMs: over });
}

async function gather({ backup }: FailoverInput, { system, hosts }: FailoverSetup): Promise<FailoverGathered> {
  const there = urgentlyOn(hosts[0] ?? '', { summary: 'what this site can reach and lacks', attempts: ATTEMPTS });
  return there.gatherFailover({ system, ...(backup === undefined ? {} : { backup }) });
}

/** As long as those saw that saw nothing of it. */
function downForMs(reports: readonly VantageReport[]): number {
  const silent = reports.filter(({ saw }) => saw === 'silent').map(({ overMs: over }) => over);
  return silent.length === 0 ? 0 : Math.min(...silent);
}

type Judged =
  { readonly kind: 'go'; readonly go: FailoverGo } | { readonly kind: 'refuse'; readonly reasons: readonly string[] };

function judge(asked: FailoverInput, setup: FailoverSetup, { assessment, gathered, downForMs: down }: Seen): Judged {
  const { generation, generations, copies, storesUnread, notReady } = gathered;
  const unreadable = generation !== undefined && 'unreadable' in generation ? generation.unreadable : undefined;
  const facts: FailoverFacts = {
    site: setup.site,
    nowMs: Date.now(),
    assessment,
    generation: generation === undefined || 'unreadable' in generation ? wordFor(generation) : generation,
    ...{ generations, copies, storesUnread, notReady },
    fencing: setup.fencing,
  };
  const { rpoSeconds, automaticDownForSeconds } = setup;
  const decision = decideFailover(facts, {
    planned: asked.planned === true,
    downForMs: down,
    ...(rpoSeconds === undefined ? {} : { rpoMs: rpoSeconds * 1000 }),
    ...(automaticDownForSeconds === undefined ? {} : { automatic: { downForMs: automaticDownForSeconds * 1000 } }),
  });
  if (decision.kind === 'go') return { kind: 'go', go: decision };
  const why = unreadable === undefined ? [] : [`the authority store: ${unreadable}`];
  return { kind: 'refuse', reasons: [...decision.reasons, ...why] };
}

function wordFor(generation: FailoverGathered['generation']): 'unreadable' | undefined {
  return generation === undefined ? undefined : 'unreadable';
}

/** Readers follow later by hand, where it can't be planned now: data counts more. */
async function namesOf(
  { system, site, hosts, names }: FailoverSetup,
  fromSite: string,
): Promise<{ names?: DnsPlan; trouble?: string }> {
  if (names === undefined) return {};
  try {
    const there = urgentlyOn(hosts[0] ?? '', { summary: 'plan where the names lead', attempts: 3 });
    return { names: await there.planDns({ system, toSite: site, fromSite }) };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const how = `lead them afterwards: \`holdfast dns ${system}\``;
    return { trouble: `where the names lead could not be planned (${told(error).message}); ${how}` };
  }
}

async function planned(
  { system, backup: wanted }: FailoverInput,
  facts: SystemFacts,
  go: FailoverGo,
  fellBack?: FellBack,
): Promise<{ restore: RestorePlan; backup: string | undefined } | { refused: string }> {
  // A whole system is chosen by its moment: that of the backup which was named.
  const named = wanted === undefined || wanted.startsWith('before:');
  const backup = named ? wanted : `before:${new Date(go.copy.pointAtMs + 1).toISOString()}`;
  try {
    const restore = await planOf(facts, {
      ...{ system, whole: true, mode: 'plan' },
      ...(backup === undefined ? {} : { backup }),
      ...(fellBack === undefined ? {} : { fellBack }),
    });
    const missing = restore.whole?.missing.filter(({ needed }) => needed) ?? [];
    if (missing.length === 0) return { restore, backup };
    const words = missing.map(({ name, why }) => `${name}: ${why}`).join('; ');
    return { refused: `what the system can not be without has no backup to restore: ${words}` };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { refused: `the restore could not be planned: ${told(error).message}` };
  }
}

async function decidedOf(
  setup: FailoverSetup,
  seen: Seen,
  what: { n: number | undefined; go: FailoverGo; restore: RestorePlan; backup: string | undefined },
): Promise<Decided> {
  const { assessment, gathered } = seen;
  const { n, go, restore, backup } = what;
  const { generation } = gathered;
  const from = generation === undefined || 'unreadable' in generation ? { n: 0, site: '' } : generation;
  const { system, site, fencing, rpoSeconds } = setup;
  const parts = restore.whole?.parts ?? [];
  const dataLossSeconds = lostSeconds(parts, Date.now()) ?? Math.round(go.dataLossMs / 1000);
  const meetsRpo = rpoSeconds === undefined ? undefined : dataLossSeconds <= rpoSeconds;
  const takeover = {
    ...{ system, site, fencing, nextGeneration: n ?? go.nextGeneration },
    from: { generation: from.n, site: from.site },
  };
  const tooMuch = meetsRpo === false && go.meetsRpo !== false ? ['more would be lost than the RPO allows'] : [];
  const { backup: chosen, store, generation: madeUnder, pointAtMs, proved } = go.copy;
  const { names, trouble } = await namesOf(setup, from.site);
  const digested = { restore: restore.digest, ...(names === undefined ? {} : { names }) };
  const { digest } = await orchestration.digestFailover({ takeover, parts: digested });
  return {
    origin: originOf(parts, gathered.copies, go),
    ...{ backup, seen },
    plan: {
      digest,
      ...takeover,
      approval: meetsRpo === false ? 'person' : go.approval,
      copy: {
        ...{ backup: chosen, store, generation: madeUnder, pointAt: new Date(pointAtMs).toISOString() },
        ...(proved === undefined ? {} : { proved }),
      },
      passedOver: go.passedOver.map(({ copy: one, why }) => ({ backup: one.backup, store: one.store, why })),
      dataLossSeconds,
      ...(rpoSeconds === undefined ? {} : { rpoSeconds }),
      ...(meetsRpo === undefined ? {} : { meetsRpo }),
      assessment,
      reasons: [...go.reasons, ...tooMuch, ...(trouble === undefined ? [] : [trouble])],
      ...(names === undefined ? {} : { names }),
      storesUnread: gathered.storesUnread,
      restore,
    },
  };
}
