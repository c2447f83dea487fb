/**
 * Plays years of two or three sites by the decisions that the program itself calls, and asks at every failover what would have been
 * right, which it knows from the world and not from any generation, recovery point or report.
 */
import { assessSite, type Assessment, type VantageReport } from '../../../src/policy/failover/assess.ts';
import {
  decideFailover,
  type CopyHere,
  type FailoverDecision,
  type FailoverFacts,
  type FailoverGo,
  type FailoverRule,
} from '../../../src/policy/failover/decide.ts';
import { standingOf, whyMayNotRun } from '../../../src/policy/failover/standing.ts';
import { originOf } from '../../../src/policy/failover/takeover.ts';
import { DecisionWorld, type Backup } from './decision-world.ts';

export interface Played {
  /** What was decided wrongly, first. */
  readonly violation: string | undefined;
  readonly goes: number;
  readonly automatic: number;
  readonly refusals: number;
  /** Backups that were chosen although newer ones lay there. */
  readonly passedOver: number;
}

const TURNS = 40;

type Decide = typeof decideFailover;

/** One schedule. The same seed plays the same. `decide` stands in for the program's own decision. */
export function playDecisions(seed: number, decide: Decide = decideFailover): Played {
  const world = new DecisionWorld(seed);
  const counts = { goes: 0, automatic: 0, refusals: 0, passedOver: 0 };
  try {
    for (let turn = 0; turn < TURNS; turn += 1) {
      world.pass();
      onlyOneMayRun(world);
      const what = world.random.below(10);
      if (what < 4) world.backUp(world.anySite());
      else if (what === 4) world.anySite().cutOff = world.chance(0.5);
      else if (what === 5) world.active.running = undefined;
      else if (what === 6) world.active.cutOff = true;
      else tryFailover(world, counts, decide);
    }
    return { violation: undefined, ...counts };
  } catch (error) {
    return { violation: error instanceof Error ? error.message : String(error), ...counts };
  }
}

/** Of all sites that read the authority store at this moment. */
function onlyOneMayRun({ sites, newest }: DecisionWorld): void {
  const may = sites.filter(({ name }) => whyMayNotRun(standingOf(newest, name, undefined)) === undefined);
  must(may.length <= 1, `${may.map(({ name }) => name).join(' and ')} may both run`);
}

type Counts = { -readonly [K in keyof Omit<Played, 'violation'>]: number };

function tryFailover(world: DecisionWorld, counts: Counts, decide: Decide): void {
  const site = world.anySite();
  if (site.cutOff) return;
  const isUp = world.active.running !== undefined && !world.active.cutOff;
  const seen = looks(world, isUp);
  const facts = factsOf(world, site.name, assessSite(seen.reports, seen.rule));
  const rule = ruleOf(world, seen.reports);
  const decision = decide(facts, rule);
  if (world.chance(0.1)) sameWhateverTheOrder(decide({ ...facts, copies: facts.copies.toReversed() }, rule), decision);
  if (decision.kind === 'refuse') {
    counts.refusals += 1;
    must(decision.reasons.length > 0 && decision.reasons.every((why) => why.trim() !== ''), 'refused without a reason');
    mustBeRefused(facts, rule);
    return;
  }
  counts.goes += 1;
  counts.passedOver += decision.passedOver.length;
  if (decision.approval === 'automatic') counts.automatic += 1;
  mayGo(facts, rule, seen, isUp);
  mayBeAutomatic(facts, rule, decision);
  rightCopy(world, facts, decision);
  if (rule.planned) return;
  const backup = [...world.stores.values()].flat().find((one) => one.backup.backup === decision.copy.backup)?.backup;
  must(backup !== undefined, 'a backup was chosen that nobody has made');
  world.takeOver(site, backup, originOf([], facts.copies, decision));
}

interface Seen {
  readonly reports: readonly VantageReport[];
  readonly rule: { readonly quorum: number; readonly looks: number; readonly overMs: number };
}

function looks(world: DecisionWorld, isUp: boolean): Seen {
  const { random } = world;
  const rule = { quorum: 1 + random.below(3), looks: 1 + random.below(3), overMs: random.below(4) * 30_000 };
  const reports = Array.from({ length: 1 + random.below(4) }, (_, index): VantageReport => {
    const saw = world.chance(0.1) ? 'blind' : isUp && world.chance(0.8) ? 'answers' : 'silent';
    return {
      ...{ vantage: `v${index}`, place: `p${random.below(3)}`, saw, detail: 'timed out' },
      looks: rule.looks - (world.chance(0.1) ? 1 : 0),
      overMs: rule.overMs - (world.chance(0.1) ? 1 : 0),
    };
  });
  return { reports, rule };
}

function factsOf(world: DecisionWorld, site: string, assessment: Assessment): FailoverFacts {
  const unread = [...world.stores.keys()].filter(() => world.chance(0.1));
  const copies = [...world.stores].flatMap(([store, stored]) =>
    unread.includes(store)
      ? []
      : stored.map(({ backup: { backup, generation, pointAtMs, proved }, unusable }): CopyHere => {
          const known = { ...(unusable !== undefined && { unusable }), ...(proved !== undefined && { proved }) };
          return { backup, store, generation, pointAtMs, ...known };
        }),
  );
  const { n, site: at, cleared } = world.newest;
  const isRead = !world.chance(0.05);
  return {
    ...{ site, nowMs: world.nowMs, assessment, copies, storesUnread: unread, generations: world.origins() },
    generation: isRead ? { n, site: at, cleared } : 'unreadable',
    fencing: (['lease', 'confirmed', 'attested'] as const)[world.random.below(3)] ?? 'lease',
    notReady: world.chance(0.05) ? ['image shop:1 is not here'] : [],
  };
}

function ruleOf(world: DecisionWorld, reports: readonly VantageReport[]): FailoverRule {
  const silent = reports.filter(({ saw }) => saw === 'silent').map(({ overMs }) => overMs);
  return {
    planned: world.chance(0.1),
    downForMs: silent.length === 0 ? 0 : Math.min(...silent),
    ...(world.chance(0.5) && { rpoMs: world.random.below(24 * 3_600_000) }),
    ...(world.chance(0.5) && { automatic: { downForMs: world.random.below(4) * 30_000 } }),
  };
}

/** Nobody knows in which order stores and places answer. */
function sameWhateverTheOrder(again: FailoverDecision, decision: FailoverDecision): void {
  must(again.kind === decision.kind, 'the order of the copies decided whether it goes');
  if (again.kind !== 'go' || decision.kind !== 'go') return;
  must(again.copy.backup === decision.copy.backup, 'the order of the copies decided which one is restored');
}

function mayGo(
  { generation, site, notReady, assessment }: FailoverFacts,
  rule: FailoverRule,
  seen: Seen,
  isUp: boolean,
) {
  must(generation !== 'unreadable' && generation !== undefined, 'went without knowing who is active');
  must(generation.site !== site, 'took over from itself');
  must(notReady.length === 0, 'went although something is missing here');
  if (rule.planned) {
    must(assessment.state === 'up', 'a planned change without the active site');
    return;
  }
  const answered = seen.reports.some(({ saw }) => saw === 'answers');
  must(!answered, `went although a place was answered${isUp ? '' : ', wrongly'}`);
  const { quorum, looks: wanted, overMs } = seen.rule;
  const places = new Set(
    seen.reports
      .filter((one) => one.saw === 'silent' && one.looks >= wanted && one.overMs >= overMs)
      .map(({ place }) => place),
  );
  must(places.size >= quorum, `went by ${places.size} of ${quorum} places`);
}

function mayBeAutomatic(facts: FailoverFacts, rule: FailoverRule, decision: FailoverGo): void {
  must(decision.dataLossMs >= 0, 'less than nothing is lost');
  if (decision.approval !== 'automatic') return;
  must(rule.automatic !== undefined && !rule.planned, 'went by itself, and nobody had declared it');
  must(facts.fencing === 'lease', `went by itself with fencing: ${facts.fencing}`);
  must(rule.downForMs >= rule.automatic.downForMs, 'went by itself too early');
  must(rule.rpoMs === undefined || decision.dataLossMs <= rule.rpoMs, 'went by itself beyond the RPO');
  must(facts.storesUnread.length === 0, 'went by itself with a store unread');
}

/** Of the history in force, as it really was, the newest that can be restored. */
function rightCopy(world: DecisionWorld, facts: FailoverFacts, { copy }: FailoverGo): void {
  must(copy.unusable === undefined, `chose ${copy.backup}, which is known to be bad`);
  const made = new Map([...world.stores.values()].flat().map(({ backup }) => [backup.backup, backup]));
  const placeOf = (one: CopyHere): number | undefined => {
    const backup: Backup | undefined = made.get(one.backup);
    return backup === undefined ? undefined : world.placeInHistory(backup.state);
  };
  const chosen = placeOf(copy);
  must(chosen !== undefined, `chose ${copy.backup}, which another site has written beside the history`);
  for (const other of facts.copies) {
    const place = other.unusable === undefined ? placeOf(other) : undefined;
    must(place === undefined || place <= chosen, `chose ${copy.backup}, and ${other.backup} holds more`);
  }
}

/** A site that could take over, and is not let, is an outage that nobody needed. */
function mustBeRefused(facts: FailoverFacts, rule: FailoverRule): void {
  const { generation, site, notReady, assessment, copies, storesUnread } = facts;
  const known = generation !== 'unreadable' && generation !== undefined && generation.site !== site;
  const wanted = rule.planned ? assessment.state === 'up' && storesUnread.length === 0 : assessment.state === 'down';
  const whole = copies.some(({ unusable }) => unusable === undefined);
  if (!known || !wanted || notReady.length > 0 || !whole) return;
  // What is left: all that can be restored lies apart.
  const others = copies.filter(({ unusable }) => unusable === undefined);
  must(
    others.every((one) => one.generation !== generation.n && one.generation !== 0),
    'refused although there is a backup of the very generation',
  );
}

function must(held: boolean, what: string): asserts held {
  if (!held) throw new Error(what);
}
