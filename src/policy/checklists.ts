/** What the program answers to the points of a checklist, and what is left to people. Pure. */
import type { Checklist, PointBy } from './checklist-lists.ts';
import { isUnknown, type Finding, type Unknown } from './findings.ts';

/** A restore beside that was checked, as its report tells. */
export interface RestoreTest {
  readonly at: string;
  readonly backup: string;
  readonly ok: boolean;
  readonly checks: number;
  readonly durationMs?: number;
}

export interface ChecklistFacts {
  readonly system: string;
  readonly nowMs: number;
  readonly findings: readonly Finding[];
  readonly unknown: readonly Unknown[];
  /** The newest; undefined when there is none. */
  readonly restoreTest?: RestoreTest;
  /** Channels that some level of the escalation tells. */
  readonly channels: readonly string[];
  /** Plans that nothing starts by itself. */
  readonly unscheduled: readonly string[];
  /** Bytes stored by backups of the last 30 days, and of the 30 before. */
  readonly storedBytes: { readonly lately: number; readonly before: number };
}

/** `open`: a person has yet to sign for it. `unknown`: the program could not look. */
export type PointState = 'pass' | 'fail' | 'unknown' | 'open' | 'signed';

export interface Answer {
  readonly id: string;
  readonly text: string;
  readonly state: PointState;
  /** What was seen. */
  readonly evidence: string;
  /** Absent where all is well. */
  readonly todo?: string;
  readonly by?: string;
  readonly at?: string;
}

export interface SignOff {
  readonly point: string;
  readonly by: string;
  readonly at: string;
  readonly note?: string;
}

const DAY_MS = 86_400_000;
const MOST_TOLD = 3;

/** One answer for each point, in order. */
export function answersOf(list: Checklist, facts: ChecklistFacts): Answer[] {
  return list.points.map((point) => {
    const { state, evidence } = judge(point.how, facts);
    const todo = point.todo.replaceAll('{system}', facts.system);
    return { id: point.id, text: point.text, state, evidence, ...(state === 'pass' ? {} : { todo }) };
  });
}

/** A person may sign only for what is theirs: the program's answers stay. The newest sign-off counts. */
export function signedBy(answers: readonly Answer[], list: Checklist, signed: readonly SignOff[]): Answer[] {
  return answers.map((answer) => {
    const isPoint = list.points.some(({ id }) => id === answer.id);
    return isPoint && answer.state === 'open' ? withSignature(answer, signed) : answer;
  });
}

function withSignature(answer: Answer, signed: readonly SignOff[]): Answer {
  const own = signed.filter((one) => one.point === answer.id).toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const last = own.at(-1);
  if (last === undefined) return answer;
  const { id, text } = answer;
  return { id, text, state: 'signed', evidence: last.note ?? 'signed', by: last.by, at: last.at };
}

export type Outcome = 'complete' | 'open' | 'failed' | 'unknown';

/** What is wrong outweighs what could not be seen, and both what people have yet to do. */
export function outcomeOf(answers: readonly Answer[]): Outcome {
  const has = (state: PointState): boolean => answers.some((answer) => answer.state === state);
  if (has('fail')) return 'failed';
  if (has('unknown')) return 'unknown';
  return has('open') ? 'open' : 'complete';
}

interface Judgment {
  readonly state: PointState;
  readonly evidence: string;
}

function judge(how: PointBy, facts: ChecklistFacts): Judgment {
  switch (how.by) {
    case 'findings':
      return byFindings(how.checks, facts);
    case 'restore-test':
      return byRestoreTest(how.withinDays, facts);
    case 'alarms':
      return facts.channels.length === 0
        ? { state: 'fail', evidence: 'no level of the escalation names a channel' }
        : { state: 'pass', evidence: `told by ${facts.channels.join(', ')}` };
    case 'schedules':
      return facts.unscheduled.length === 0
        ? { state: 'pass', evidence: 'every plan has a schedule or follows its files' }
        : { state: 'fail', evidence: `nothing starts ${facts.unscheduled.join(', ')}` };
    case 'counted': {
      const { lately, before } = facts.storedBytes;
      const than =
        before === 0
          ? 'nothing in the 30 days before'
          : `${Math.round((lately / before) * 100)} % of the 30 days before`;
      return { state: 'open', evidence: `${Math.round(lately / 2 ** 20)} MiB stored in 30 days, ${than}` };
    }
    case 'person':
      return { state: 'open', evidence: 'nobody has signed' };
  }
}

function byFindings(checks: readonly Finding['check'][], { findings, unknown }: ChecklistFacts): Judgment {
  const found = findings.filter(({ check }) => checks.includes(check));
  if (found.length > 0) {
    const more = found.length > MOST_TOLD ? `; and ${found.length - MOST_TOLD} more` : '';
    const told = found.slice(0, MOST_TOLD).map(({ subject, what }) => `${subject}: ${what}`);
    return { state: 'fail', evidence: `${told.join('; ')}${more}` };
  }
  const unseen = unknown.filter((one) =>
    checks.some((check) => isUnknown(check, [one]) || one.what.startsWith(`${check}/`)),
  );
  const [first] = unseen;
  if (first === undefined) return { state: 'pass', evidence: `nothing found by ${checks.join(', ')}` };
  return { state: 'unknown', evidence: `${first.what} could not be looked at: ${first.why}` };
}

function byRestoreTest(withinDays: number, { restoreTest, nowMs }: ChecklistFacts): Judgment {
  if (restoreTest === undefined) return { state: 'fail', evidence: 'no restore was ever tested here' };
  const { at, backup, ok, checks, durationMs } = restoreTest;
  const days = Math.floor((nowMs - Date.parse(at)) / DAY_MS);
  const took = durationMs === undefined ? '' : `, in ${Math.round(durationMs / 1000)} s`;
  const evidence = `${backup} on ${at.slice(0, 10)}: ${checks} checks ${ok ? 'passed' : 'made, some failed'}${took}`;
  if (!ok) return { state: 'fail', evidence };
  return days > withinDays ? { state: 'fail', evidence: `${evidence}; ${days} days ago` } : { state: 'pass', evidence };
}
