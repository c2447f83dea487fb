/** Channels that messages do not get through to: their incidents, which whoever delivers opens and heals. */
import type { Engine } from '../engine/connect.ts';
import type { Judged } from '../policy/judged.ts';
import type { System } from '../system/types.ts';
import { listIncidents } from './incidents.ts';

/** Of the channels that the system file has. Throws what the engine throws when it can't be asked. */
export async function channelTroubles(engine: Engine, { name, notify }: System): Promise<Judged> {
  if (notify.length === 0) return { findings: [], unknown: [] };
  const incidents = await listIncidents(engine, { system: name, check: 'notify' });
  const own = incidents.filter(({ id }) => notify.some((channel) => id === `notify/${channel.name}`));
  return {
    findings: own.flatMap(({ incident }) => {
      // What is gone is not wrong any more, although it is not told yet.
      if (incident === undefined || incident.state === 'healed') return [];
      const { finding, openedAt } = incident;
      return [{ ...finding, since: finding.since ?? openedAt }];
    }),
    unknown: own
      .filter(({ incident }) => incident === undefined)
      .map(({ id }) => ({ what: id, why: 'its incident did not say how it is' })),
  };
}
