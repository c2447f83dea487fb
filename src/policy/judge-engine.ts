/** The engine itself, and the last run of each operation. Pure. */
import type { System } from '../system/types.ts';
import type { Finding } from './findings.ts';
import type { Judged } from './judged.ts';
import { severityOf, systemTier, tierOf } from './limits.ts';

/** The newest ended run of one operation. */
export interface RunSeen {
  /** `backup/daily`, `prune/nas`. */
  readonly subject: string;
  readonly workflowId: string;
  readonly endedAtMs: number;
  readonly ok: boolean;
  /** Why it failed, and what to try. */
  readonly message?: string;
  readonly hint?: string;
}

export interface EngineSeen {
  readonly running: boolean;
  readonly why?: string;
  /** Absent where they could not be asked for. */
  readonly runs?: readonly RunSeen[];
}

export function judgeEngine(system: System, engine: EngineSeen): Judged {
  if (!engine.running) {
    const why = engine.why ?? 'it does not answer';
    const finding: Finding = {
      system: system.name,
      check: 'engine',
      subject: 'engine',
      severity: severityOf(systemTier(system), true),
      what: `the engine is not running, so that nothing is captured, copied or verified: ${why}`,
      hint: 'Start it: holdfast up, or the service that runs it; it takes up what was left.',
    };
    return { findings: [finding], unknown: [{ what: 'run', why: 'the engine does not answer' }] };
  }
  if (engine.runs === undefined) {
    return { findings: [], unknown: [{ what: 'run', why: 'the engine did not say what has run' }] };
  }
  return { findings: engine.runs.filter(({ ok }) => !ok).map((run) => failedRun(system, run)), unknown: [] };
}

function failedRun(system: System, run: RunSeen): Finding {
  const [operation = '', of = ''] = run.subject.split('/');
  const plan = operation === 'backup' ? system.plans.find(({ name }) => name === of) : undefined;
  return {
    system: system.name,
    check: 'run',
    subject: run.subject,
    severity: plan === undefined ? 'warning' : severityOf(tierOf(system, plan), true),
    what: `the last ${operation} of ${of} failed: ${run.message ?? 'it did not say why'}`,
    hint: `${run.hint ?? 'Look at it.'} Then: ${again(system.name, operation, of)}`,
    since: new Date(run.endedAtMs).toISOString(),
  };
}

function again(system: string, operation: string, of: string): string {
  switch (operation) {
    case 'backup':
      return `holdfast backup ${system} ${of}`;
    case 'copy':
      return `holdfast copy ${system} ${of}`;
    case 'prune':
      return `holdfast prune ${system} ${of}`;
    case 'verify-store':
      return `holdfast verify ${system} --whole${of === 'all' ? '' : ` --store ${of}`}`;
    default:
      return `holdfast status ${system}`;
  }
}
