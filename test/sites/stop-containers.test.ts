/** When a guard's stop goes on from asking to killing. */
import { expect, it } from 'vitest';
import type { DockerHost } from '../../src/docker/types.ts';
import { bootClockMs } from '../../src/sites/boot-clock.ts';
import { stopContainers, stopTimes } from '../../src/sites/stop-containers.ts';

it('whatever time is left: the containers are asked for, since no part of a millisecond reaches a timer', async () => {
  expect(Number.isInteger(bootClockMs())).toBe(true);
  for (const withinMs of [0, 1, 3333, 41_990, 60_000.5]) {
    const times = stopTimes(withinMs);
    expect(Object.values(times).every(Number.isInteger)).toBe(true);
    // As after a moment that has passed since.
    const later = { ...times, patientUntilMs: times.patientUntilMs + 30_001 };
    let asked = 0;
    const list = (): Promise<[]> => Promise.resolve(((asked += 1), []));
    await stopContainers({ docker: {} as DockerHost, list, knownIds: [] }, later, new AbortController().signal);
    expect(asked).toBe(1);
  }
});
