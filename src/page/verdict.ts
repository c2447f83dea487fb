/** The answer to "am I safe?", in words. Pure. */
import { capital, formatCount } from '../observe/format.ts';
import { findingId, inOrder, type Finding } from '../policy/findings.ts';
import { decisive } from '../status/findings.ts';
import { firstDueText } from '../status/findings-text.ts';
import {
  belongsTo,
  isEngineStale,
  isSystemStale,
  type EngineFacts,
  type Knowledge,
  type SystemFacts,
} from './facts.ts';
import { waitingFor, type Waiting } from './waiting.ts';

/** From the worst: data may be lost; it can't be told; somebody should look; all is as promised; nothing is promised. */
export type Level = 'danger' | 'unknown' | 'attention' | 'safe' | 'none';

export interface Verdict {
  readonly level: Level;
  /** A few words. */
  readonly title: string;
  /** One sentence more. */
  readonly why: string;
}

const RANK: Readonly<Record<Level, number>> = { danger: 0, unknown: 1, attention: 2, safe: 3, none: 4 };

/** Of one system. */
export function systemVerdict(facts: SystemFacts, engine: EngineFacts, nowMs: number): Verdict {
  const { failure, status, lookedAtMs } = facts;
  const troubles = troublesOf(facts, engine);
  const critical = troubles.filter(({ severity }) => severity === 'critical');
  if (critical.length > 0) {
    return {
      level: 'danger',
      title: 'Not safe',
      why: `${capital(critical[0]?.what ?? '')}${critical.length > 1 ? `, and ${critical.length - 1} more` : ''}.`,
    };
  }
  if (failure !== undefined) return { level: 'unknown', title: 'Not known', why: failure.message };
  if (status === undefined || lookedAtMs === undefined) {
    return { level: 'unknown', title: 'Not known yet', why: 'Its stores are being looked at.' };
  }
  if (isSystemStale(facts, nowMs)) {
    return { level: 'unknown', title: 'Not known', why: 'Its stores were not looked at for too long.' };
  }
  const [unseen] = troubles.length > 0 ? [] : decisive(facts.unknown);
  if (unseen !== undefined) return { level: 'unknown', title: 'Not known', why: `${unseen.what}: ${unseen.why}.` };
  const late = lateSince(facts, nowMs);
  if (late !== undefined)
    return { level: 'danger', title: 'Not safe', why: `The newest backup of ${late} is too old.` };
  const looks = reasonsToLook(troubles, waitingFor(engine, facts.name), engine, nowMs);
  if (looks.length > 0) return { level: 'attention', title: 'Needs a look', why: `${sentence(looks)}.` };
  const first = (facts.numbers?.plans ?? []).filter(({ firstDue }) => firstDue !== undefined);
  if (first[0]?.firstDue !== undefined) {
    const more = first.length > 1 ? `, and of ${formatCount(first.length - 1, 'plan')} more` : '';
    const why = `No backup of ${first[0].plan} yet${more}: ${firstDueText(first[0].firstDue, nowMs)}.`;
    return { level: 'attention', title: 'Not protected yet', why };
  }
  const promised = (facts.numbers?.plans ?? []).filter(({ limits }) => limits.newestSeconds !== undefined);
  if (promised.length === 0) {
    return {
      level: 'none',
      title: 'Nothing promised',
      why: 'No plan has an rpo or a limit, so that none can be late.',
    };
  }
  const plans =
    promised.length === 1
      ? 'The plan keeps its objective'
      : `${promised.length === 2 ? 'Both' : `All ${promised.length}`} plans keep their objectives`;
  return { level: 'safe', title: 'Safe', why: `${plans}.` };
}

/**
 * What the page has found itself, and what monitoring follows: that sees more (other hosts, clocks), and some of it sooner.
 * Critical first.
 */
function troublesOf({ name, findings }: SystemFacts, { incidents }: EngineFacts): readonly Finding[] {
  const followed = incidents
    .filter((one) => belongsTo(name, one) && one.state.state !== 'healed')
    .map(({ state }) => state.finding);
  const own = new Set(findings.map(findingId));
  return inOrder([...findings, ...followed.filter((finding) => !own.has(findingId(finding)))]);
}

/** A plan whose limit has passed since its stores were looked at, so that no finding tells it yet. */
function lateSince({ numbers, findings }: SystemFacts, nowMs: number): string | undefined {
  return numbers?.plans.find(({ plan, newest, firstDue, limits: { newestSeconds = Infinity } }) => {
    const told = findings.some((one) => findingId(one) === findingId({ check: 'freshness', subject: plan }));
    if (!told && firstDue !== undefined) return nowMs > Date.parse(firstDue.until);
    return !told && newest !== undefined && nowMs - Date.parse(newest.pointAt) > newestSeconds * 1000;
  })?.plan;
}

function reasonsToLook(
  findings: readonly Finding[],
  waiting: readonly Waiting[],
  engine: EngineFacts,
  nowMs: number,
): string[] {
  const stopped = engine.running === false || isEngineStale(engine, nowMs);
  return [
    ...(waiting.length > 0
      ? [`${formatCount(waiting.length, 'operation waits', 'operations wait')} for a person`]
      : []),
    ...(findings.length > 0 ? [formatCount(findings.length, 'warning')] : []),
    ...(stopped ? ['the engine does not answer, so that nothing new is backed up'] : []),
  ];
}

function sentence(parts: readonly string[]): string {
  return capital(parts.join('; '));
}

/** Of everything: as bad as the worst. */
export function wholeVerdict(knowledge: Knowledge, nowMs: number): Verdict {
  const { systems, engine, failure, lookedAtMs } = knowledge;
  if (failure !== undefined) return { level: 'unknown', title: 'Not known', why: failure.message };
  if (lookedAtMs === undefined) {
    return { level: 'unknown', title: 'Not known yet', why: 'The stores are being looked at.' };
  }
  const verdicts = systems.map((system) => ({ name: system.name, ...systemVerdict(system, engine, nowMs) }));
  const [worst] = verdicts.toSorted((a, b) => RANK[a.level] - RANK[b.level]);
  if (worst === undefined) {
    return { level: 'none', title: 'Nothing is protected yet', why: 'No system is registered: holdfast init <file>.' };
  }
  if (verdicts.length === 1) return worst;
  const same = verdicts.filter(({ level }) => level === worst.level);
  const names = same.map(({ name }) => name).join(', ');
  if (worst.level === 'safe') {
    const promised = same.length === verdicts.length ? `All ${same.length} systems` : names;
    return { level: 'safe', title: 'Safe', why: `${promised} kept what their plans promise.` };
  }
  const of = `${same.length} of ${verdicts.length} systems`;
  return {
    level: worst.level,
    title: worst.title,
    why: same.length === 1 ? `${names}: ${worst.why}` : `${of}: ${names}.`,
  };
}
