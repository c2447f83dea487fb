/** Limits and monitoring, with their defaults filled in. Pure. */
import { durationSeconds } from './durations.ts';
import { MONITOR_DEFAULTS } from './monitor-schema.ts';
import type { MonitorConfig, PlanLimits } from './monitor-types.ts';
import { present } from './present.ts';
import { DEFAULTS, type SystemFile } from './schema.ts';

type LimitsFile = NonNullable<SystemFile['plans'][string]['limits']>;
type MonitorFile = NonNullable<SystemFile['monitor']>;

const UNITS: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };

export function buildLimits(file: LimitsFile): PlanLimits {
  const { newest, proved, copy, walGap, sizeChange = MONITOR_DEFAULTS.sizeChange } = file;
  const seconds = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : durationSeconds(text);
  const byStore = typeof copy === 'object' ? copy : {};
  return present({
    newestSeconds: seconds(newest),
    provedSeconds: seconds(proved),
    copySeconds: seconds(typeof copy === 'string' ? copy : undefined),
    copyInSeconds: Object.fromEntries(Object.entries(byStore).map(([store, text]) => [store, durationSeconds(text)])),
    walGapSeconds: seconds(walGap),
    sizeChange: shareOf(sizeChange),
  });
}

export function buildMonitor(file: MonitorFile, hosts: readonly string[]): MonitorConfig {
  const { disks = [], totalSize, clock = MONITOR_DEFAULTS.clock, ping } = file;
  return present({
    disks: disks.map(({ path, host = hosts[0] ?? DEFAULTS.host, used = MONITOR_DEFAULTS.diskUsed, free }) =>
      present({ path, host, used: shareOf(used), freeBytes: free === undefined ? undefined : bytesOf(free) }),
    ),
    totalBytes: totalSize === undefined ? undefined : bytesOf(totalSize),
    clockSeconds: durationSeconds(clock),
    ping:
      ping === undefined
        ? undefined
        : {
            url: ping.url,
            everySeconds: durationSeconds(ping.every ?? MONITOR_DEFAULTS.pingEvery),
            tellFailure: ping.tellFailure ?? false,
          },
  });
}

/** What is looked at where the file says nothing. */
export const USUAL_MONITOR: MonitorConfig = { disks: [], clockSeconds: durationSeconds(MONITOR_DEFAULTS.clock) };
export const USUAL_LIMITS: PlanLimits = { copyInSeconds: {}, sizeChange: shareOf(MONITOR_DEFAULTS.sizeChange) };
export const USUAL_DISK_USED = shareOf(MONITOR_DEFAULTS.diskUsed);

function shareOf(text: string): number {
  return Number(text.slice(0, -1)) / 100;
}

function bytesOf(text: string): number {
  return Number(text.slice(0, -3)) * (UNITS[text.slice(-3)] ?? Number.NaN);
}
