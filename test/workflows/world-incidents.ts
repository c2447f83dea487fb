/** Who is told what, in the scripted world: messages are kept with their time instead of being sent. */
import { activityInfo } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { AlarmFact, IncidentActivities } from '../../src/activities/incident-types.ts';
import { reconcileIncidents } from '../../src/activities/incidents.ts';
import type { EscalationPolicy } from '../../src/policy/escalation.ts';
import type { Check, Severity } from '../../src/policy/findings.ts';
import type { Notice } from '../../src/policy/notices.ts';

export interface Delivered {
  readonly channel: string;
  readonly notice: Notice;
  /** When the workflow asked for it. */
  readonly askedAtMs: number;
}

/** M8: by outage time. */
export const M8_POLICY: EscalationPolicy = {
  levels: [
    { name: 'L1', afterSeconds: 0, channels: ['on-call'] },
    { name: 'L2', afterSeconds: 30 * 60, channels: ['team-lead'] },
    { name: 'L3', afterSeconds: 60 * 60, channels: ['management'] },
    { name: 'executive', afterSeconds: 4 * 3600, channels: ['executive'] },
  ],
  countFrom: 'outage',
  repeatSeconds: 4 * 3600,
  settleSeconds: 600,
  acknowledgedForSeconds: 24 * 3600,
};

export class WorldIncidents {
  readonly delivered: Delivered[] = [];
  readonly alarms: AlarmFact[] = [];
  /** `check/subject: what was done`. */
  readonly notes: string[] = [];
  /** Workflows that were opened; a server that passes time can't list them. */
  private readonly opened = new Set<string>();
  /** Who of several refuses what the others take. */
  refused: string | undefined;
  policy: (kind: { check: Check; severity: Severity }) => EscalationPolicy = () => M8_POLICY;

  activities(client: Client): IncidentActivities {
    return {
      reconcileIncidents: async (input) => {
        const result = await reconcileIncidents(client, input, () => Promise.resolve([...this.opened]));
        for (const id of result.opened) this.opened.add(`${input.system}/incident/${id}`);
        return result;
      },
      describeEscalation: ({ check, severity }) => Promise.resolve(this.policy({ check, severity })),
      notify: ({ channel, notice }) => {
        const { scheduledTimestampMs: askedAtMs } = activityInfo();
        this.delivered.push({ channel, notice, askedAtMs });
        return Promise.resolve(this.refused === undefined ? {} : { refused: this.refused });
      },
      noteIncidents: ({ notes }) => {
        this.notes.push(...notes.map(({ check, subject, what }) => `${check}/${subject}: ${what}`));
        return Promise.resolve();
      },
      recordAlarms: ({ alarms }) => {
        this.alarms.push(...alarms);
        return Promise.resolve();
      },
    };
  }

  /** `channel type` of every message, in order. */
  told(): string[] {
    return this.delivered.map(({ channel, notice }) => `${channel} ${notice.type.replace('incident.', '')}`);
  }
}
