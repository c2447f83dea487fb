/** The answer to "am I safe?", in words. Pure. */
import { formatCount } from '../observe/format.ts';
import { isEngineStale, isSystemStale, type EngineFacts, type Knowledge, type SystemFacts } from './facts.ts';
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
  const critical = facts.findings.filter(({ severity }) => severity === 'critical');
  if (critical.length > 0) {
    return { level: 'danger', title: 'Not as promised', why: `${formatCount(critical.length, 'promise')} broken.` };
  }
  if (failure !== undefined) return { level: 'unknown', title: 'Not known', why: failure.message };
  if (status === undefined || lookedAtMs === undefined) {
    return { level: 'unknown', title: 'Not known yet', why: 'Its stores are being looked at.' };
  }
  if (isSystemStale(facts, nowMs)) {
    return { level: 'unknown', title: 'Not known', why: 'Its stores were not looked at for too long.' };
  }
  if (isUnread(facts)) {
    const names = status.unread.map(({ store }) => store).join(', ');
    return { level: 'unknown', title: 'Not known', why: `What lies in ${names} can't be read.` };
  }
  const looks = reasonsToLook(facts, waitingFor(engine, facts.name), engine, nowMs);
  if (looks.length > 0) return { level: 'attention', title: 'Needs a look', why: `${sentence(looks)}.` };
  const promised = status.plans.filter(({ limitSeconds }) => limitSeconds !== undefined);
  if (promised.length === 0) {
    return { level: 'none', title: 'Nothing promised', why: 'No plan has an rpo, so that none can be late.' };
  }
  const plans =
    promised.length === 1 ? 'The plan keeps its objective' : `All ${promised.length} plans keep their objectives`;
  return { level: 'safe', title: 'As promised', why: `${plans}.` };
}

/** Nothing that was read says what a plan has, and something could not be read. */
function isUnread({ status }: SystemFacts): boolean {
  if (status === undefined || status.unread.length === 0) return false;
  return status.plans.some(({ state, limitSeconds }) => state === 'missing' && limitSeconds !== undefined);
}

function reasonsToLook(
  { findings }: SystemFacts,
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
  const text = parts.join('; ');
  return text.charAt(0).toUpperCase() + text.slice(1);
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
    return { level: 'safe', title: 'As promised', why: `${promised} kept what their plans promise.` };
  }
  const of = `${same.length} of ${verdicts.length} systems`;
  return {
    level: worst.level,
    title: worst.title,
    why: same.length === 1 ? `${names}: ${worst.why}` : `${of}: ${names}.`,
  };
}
