/** What the engine knows of the audit log: one run for each event, named after it. Pure. */
import type { AuditProblem } from './audit-chain.ts';

/** A run of the workflow `audit` that is over. */
export interface AuditRun {
  /** Of its event. */
  readonly event: string;
  /** `written`: some store took the record. `refused`: no operation had handed the event over. `stopped`: by somebody. */
  readonly end: 'written' | 'refused' | 'stopped';
  readonly closedAt: string;
  /** Of a written one, where it is asked for: the record's name. */
  readonly key?: string;
}

export interface EngineSays {
  readonly problems: readonly AuditProblem[];
  readonly notes: readonly string[];
}

/** `recorded`: the ids of all events in the log. */
export function judgeAuditRuns(runs: readonly AuditRun[], recorded: ReadonlySet<string>): EngineSays {
  const lacking = runs.filter(({ event }) => !recorded.has(event));
  const problems = lacking.flatMap(({ event, end, closedAt, key }): AuditProblem[] => {
    if (end === 'refused') return [];
    const log = key?.split('/')[1] ?? 'unknown';
    return end === 'written'
      ? [{ kind: 'cut', log, what: `${key ?? event}, which the engine wrote by ${closedAt}, is nowhere any more` }]
      : [{ kind: 'cut', log, what: `the event ${event} was never written: its run was stopped at ${closedAt}` }];
  });
  const refused = runs.filter(({ end }) => end === 'refused');
  const notes = refused.map(
    ({ event, closedAt }) => `somebody tried at ${closedAt} to write an event of his own, ${event}`,
  );
  return { problems, notes };
}
