/** Which incidents a person means. */
import type { Engine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import { listIncidents } from '../status/incidents.ts';

/**
 * Ids of open incidents of a system: the one that is named (also by its workflow id), all, or the only one. Throws BadInput
 * when several could be meant.
 */
export async function openIncidents(
  engine: Engine,
  system: string,
  choice: { readonly incident?: string | undefined; readonly all: boolean },
): Promise<string[]> {
  const { incident, all } = choice;
  const open = (await listIncidents(engine, { system })).filter((one) => one.incident?.state !== 'healed');
  const ids = open.map(({ id }) => id);
  if (incident !== undefined) {
    const prefix = `${system}/incident/`;
    const id = incident.startsWith(prefix) ? incident.slice(prefix.length) : incident;
    return ids.filter((known) => known === id);
  }
  if (all || ids.length < 2) return ids;
  throw new HoldfastError('BadInput', `${system} has ${ids.length} open incidents: ${ids.join(', ')}`, {
    hint: 'Name one, or acknowledge all of them with --all.',
  });
}
