/** What incidents and messages ask of the world, on the orchestration queue. */
import type { EscalationPolicy } from '../policy/escalation.ts';
import type { Check, Finding, Severity, Unknown } from '../policy/findings.ts';
import type { Delivered } from '../notify/deliver.ts';
import type { NoteActivities } from './restart-types.ts';
import type { Notice } from '../policy/notices.ts';

/** One line of the alarm log. */
export interface AlarmFact {
  readonly id: string;
  readonly at: string;
  readonly incident: string;
  readonly severity: Severity;
  readonly what: string;
  readonly by?: string;
}

export interface IncidentActivities extends NoteActivities {
  /**
   * Every finding has its incident, and every running incident whose finding is gone learns so, unless nothing is known
   * of it at this moment. A repeat changes nothing. Ids are those of findings.
   */
  reconcileIncidents(input: {
    system: string;
    findings: readonly Finding[];
    unknown: readonly Unknown[];
  }): Promise<{ opened: readonly string[]; healed: readonly string[] }>;
  /** Who is told of this kind of trouble, and when, as the system file says now. */
  describeEscalation(input: { system: string; check: Check; severity: Severity }): Promise<EscalationPolicy>;
  /**
   * Delivers one message. A repeat delivers it again under the same id. What becomes of it is told to the incident of the
   * channel itself, `notify/<channel>`. Undefined as the result: of a worker that did not tell who refused it.
   */
  notify(input: { system: string; channel: string; notice: Notice }): Promise<Delivered | undefined>;
  /** Appends to the system's alarm log what it does not have yet. */
  recordAlarms(input: { system: string; alarms: readonly AlarmFact[] }): Promise<void>;
}
