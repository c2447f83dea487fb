/** Monitoring and incidents as people and programs meet them from outside. */
import type { Finding, Severity, Unknown } from '../policy/findings.ts';

export interface MonitorInput {
  readonly system: string;
}

export interface MonitorResult {
  /** What is wrong now, critical first; at most 50, then only the count. */
  readonly findings: readonly Finding[];
  readonly findingsCount: number;
  /** Ids of findings (`check/subject`) whose incident this run opened. */
  readonly opened: readonly string[];
  /** Ids of findings that are gone: their incidents were told so. */
  readonly healed: readonly string[];
  /** What could not be looked at; its incidents stay as they are. */
  readonly unknown: readonly Unknown[];
}

/** One trouble, from when it is found until it is gone. */
export interface IncidentInput extends Finding {
  /** What the run before this one knew; people leave it out. */
  readonly carried?: string;
}

/** Query `incident`, and the result. */
export interface IncidentState {
  readonly finding: Finding;
  readonly state: 'open' | 'acknowledged' | 'healed';
  readonly openedAt: string;
  /** The level that was told last, from 1; 0 before anybody was. */
  readonly level: number;
  readonly levelName?: string;
  /** When the next level, or a repetition, is due. */
  readonly nextAt?: string;
  readonly acknowledgedBy?: string;
  readonly healedAt?: string;
  /** Oldest first; at most 200, then the oldest but the first go. */
  readonly timeline: readonly { readonly at: string; readonly what: string; readonly by?: string }[];
}

/** Update `acknowledge` and signal `acknowledgeSignal`: somebody is on it, nobody else is told. */
export interface Acknowledgement {
  readonly by: string;
  readonly note?: string;
}

/** One message to one channel. What operations and incidents have to say; people leave it to them. */
export interface NotifyInput {
  readonly system: string;
  readonly channel: string;
  /** The same for every attempt. */
  readonly id: string;
  /** `backup.failed`, `restore.done` … */
  readonly type: string;
  readonly at: string;
  readonly severity: Severity | 'info';
  readonly title: string;
  readonly text?: string;
  /** A JSON object. */
  readonly facts?: string;
}

export interface NotifyResult {
  readonly outcome: 'delivered';
  readonly channel: string;
  readonly id: string;
  /** Who of several did not take it and never will. */
  readonly refused?: string;
}

/** Signal `found`: the trouble as it is now. Signal `healed`: it is gone. */
export type FoundAgain = Finding;
export interface Healed {
  readonly at: string;
}
