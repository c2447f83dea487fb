/** What a person should know before approving a restore in place: what of the live state would be lost, and why. */
import type { Component } from '../system/types.ts';

export interface LiveFacts {
  readonly component: Component;
  readonly live: {
    readonly exists: boolean;
    readonly newestChangeMs?: number;
    readonly problems: readonly string[];
  };
}

/** One sentence for each thing that would be lost or is wrong, the component's name first. `pointAt` is RFC 3339. */
export function restoreWarnings(seen: readonly LiveFacts[], pointAt: string): string[] {
  return seen.flatMap(({ component, live }) => {
    const told = live.problems.map((problem) => `${component.name}: ${problem}`);
    if (live.newestChangeMs !== undefined && live.newestChangeMs > Date.parse(pointAt)) {
      const changed = new Date(live.newestChangeMs).toISOString();
      told.push(`${component.name}: changes after ${pointAt} will be lost; the newest is of ${changed}`);
    }
    // A volume is exchanged whole, so what its backups leave out is not in the one that takes its place.
    if (component.kind === 'volume' && live.exists && component.exclude.length > 0) {
      const left = component.exclude.join(', ');
      told.push(`${component.name}: what its backups leave out (${left}) stays in the volume that is kept aside`);
    }
    return told;
  });
}
