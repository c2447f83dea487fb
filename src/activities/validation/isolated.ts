/** What an isolated copy can be asked, so that the live system is never asked in its place. */
import { HoldfastError } from '../../failures.ts';
import type { CommandProbe, Reconciliation, SystemCheck } from '../../system/types.ts';
import type { CheckPlace } from '../validation-types.ts';
import { movedUrl } from './http.ts';

/** Why an isolated copy can't be asked this, or undefined when it can, or when the live system is asked. */
export function nothingStandsFor(
  place: CheckPlace | undefined,
  probe: SystemCheck['probe'] | Reconciliation['probe'],
): string | undefined {
  if (place === undefined) return undefined;
  switch (probe.kind) {
    case 'http':
      if (probe.service !== undefined) return noContainer(place, probe.service);
      return movedUrl(probe.url, place.origins ?? {}) === undefined
        ? `nothing in the isolated copy stands for ${new URL(probe.url).origin}`
        : undefined;
    case 'sql':
      return place.components?.[probe.component] === undefined
        ? `nothing in the isolated copy stands for ${probe.component}`
        : undefined;
    case 'command':
      return nothingToRunIn(place, probe);
  }
}

function nothingToRunIn(place: CheckPlace, { service, inDrills }: CommandProbe): string | undefined {
  if (service === undefined) return inDrills ? undefined : 'it might ask the live system: say `inDrills: true` if not';
  return noContainer(place, service);
}

function noContainer(place: CheckPlace, service: string): string | undefined {
  return place.containers?.[service] === undefined
    ? `nothing in the isolated copy stands for the service ${service}`
    : undefined;
}

/** What stands in the copy for something live; throws Internal for what should have been passed over before. */
export function inCopy<T>(found: T | undefined, live: string): T {
  if (found !== undefined) return found;
  throw new HoldfastError('Internal', `nothing in the isolated copy stands for ${live}, and it was asked`);
}
