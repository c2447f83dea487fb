/** A standby in the scripted world: what is prepared there, kept as the hosts keep it. */
import type { StandbyActivities } from '../../src/activities/standby-types.ts';
import type { ReadinessActivities } from '../../src/activities/readiness-types.ts';
import { isPrepared, type PreparedPart } from '../../src/policy/failover/prepared.ts';
import { failWith, HOST } from './world.ts';

export class WorldStandby {
  /** The system file asks for it. */
  wanted = true;
  active = false;
  refused: string | undefined;
  prepared: readonly PreparedPart[] = [];
  /** Runs that hold the stack at present. */
  readonly preparing = new Set<string>();

  activities(): StandbyActivities & ReadinessActivities {
    return {
      lookReadiness: () =>
        Promise.resolve({
          host: HOST,
          ...{ lacking: [], room: [], imagesMissing: [], unseen: [], startByThemselves: [] },
          guard: { running: true, told: 'stopped' },
        }),
      gatherReadiness: () =>
        Promise.resolve({
          site: 'home',
          fencing: 'lease',
          rpoSeconds: 1,
          fenceWaitSeconds: 99,
          generation: { n: 1, site: 'far', cleared: true },
          storesUnread: [],
          storesElsewhere: ['main'],
          drift: { keys: [] },
        }),
      lookStandby: () =>
        Promise.resolve({
          active: this.active,
          prepared: this.prepared,
          ...(this.refused === undefined ? {} : { refused: this.refused }),
        }),
      beginPrepare: ({ restoreId }) => {
        if (this.refused !== undefined) failWith('NotStandby', this.refused);
        const former = this.prepared.map(({ name }) => name);
        this.preparing.add(restoreId);
        this.prepared = [];
        return Promise.resolve({ former, servers: [] });
      },
      endPrepare: ({ restoreId, parts }) => {
        this.preparing.delete(restoreId);
        this.prepared = parts;
        return Promise.resolve({});
      },
      preparedThere: ({ parts }) =>
        Promise.resolve(isPrepared(parts, this.prepared) ? { made: ['ahead'] } : { void: 'other backups are' }),
    };
  }
}
