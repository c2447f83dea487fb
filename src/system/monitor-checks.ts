/** Limits that name what is not there, or that would let through what they are there to find. Pure. */
import { durationSeconds } from './durations.ts';
import { reportUnknown, unknownName, type Report } from './report.ts';
import { DEFAULTS, type SystemFile } from './schema.ts';

export function checkMonitor(file: SystemFile, report: Report): void {
  const hosts = file.hosts ?? [DEFAULTS.host];
  file.monitor?.disks?.forEach(({ host, used }, index) => {
    const path = ['monitor', 'disks', index];
    if (host !== undefined) reportUnknown([...path, 'host'], 'host', host, hosts, report);
    if (used !== undefined && Number(used.slice(0, -1)) > 100) report([...path, 'used'], 'write at most 100%');
  });
  for (const [name, { limits, rpo, stores }] of Object.entries(file.plans)) {
    const path = ['plans', name, 'limits'];
    const byStore = typeof limits?.copy === 'object' ? Object.keys(limits.copy) : [];
    for (const store of byStore) {
      if (!stores.includes(store))
        report([...path, 'copy', store], unknownName('store of the plan', store, stores), true);
    }
    const { newest } = limits ?? {};
    if (newest === undefined || rpo === undefined) continue;
    if (durationSeconds(rpo) < LATEST_SECONDS && durationSeconds(newest) > LATEST_SECONDS) {
      report([...path, 'newest'], `\`${newest}\` is too late for an rpo of ${rpo}: write at most 24h`);
    }
  }
}

/** A system that may lose less than a day is told of a day without a backup. */
const LATEST_SECONDS = 24 * 3600;
