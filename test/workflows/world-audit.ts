/** The audit log as workflows see it: what it was given, and who asks and answers. */
import type { AskingActivities, AuditActivities } from '../../src/activities/audit-types.ts';
import type { AuditEvent } from '../../src/workflows/contract.ts';
import type { ActivityName } from './world.ts';
import { HOST } from './world-answers.ts';

export class WorldAudit {
  readonly events: AuditEvent[] = [];
  /** Kept apart: the log is written beside what the operations do, in no order with it. */
  readonly calls: { name: ActivityName; input: unknown }[] = [];
  /** Stores that do not take what they are given. */
  away: string[] = [];
  /** Undefined: the client has not said. */
  asker: string | undefined = 'ana@desk';

  /** Of one operation, without times and ids. */
  told(workflowId: string): Record<string, unknown>[] {
    const own = this.events.filter((event) => event.workflowId === workflowId);
    return own.map(({ what, by, outcome }) => ({ what, ...(by && { by }), ...(outcome && { outcome }) }));
  }

  asking(fourEyes: boolean): AskingActivities {
    return {
      whoAsks: () => {
        const named = this.asker === undefined ? {} : { by: this.asker, from: 'desk' };
        return Promise.resolve({ asker: { ...named, identity: `temporal-cli:${this.asker ?? ''}` }, fourEyes });
      },
      whoAnswered: () => Promise.resolve({ by: 'ben@desk', from: 'desk', identity: 'holdfast:ben@desk' }),
      describeAudit: () => Promise.resolve({ hosts: [HOST] }),
    };
  }

  writing(): AuditActivities {
    return {
      recordAudit: ({ event }) => {
        if (!this.events.some(({ id }) => id === event.id)) this.events.push(event);
        const lacking = this.away.map((store) => ({ store, why: 'it does not answer' }));
        return Promise.resolve({ key: 'audit/0123456789abcdef/00000001.json', stores: ['main'], lacking });
      },
    };
  }
}
