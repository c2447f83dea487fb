/** Section `failover` against the others: a site of its own, a store that exists, enough places that look. Pure. */
import { checkDns } from './dns-checks.ts';
import type { FailoverFile } from './failover-schema.ts';
import { checkSchedule } from './schedule-checks.ts';
import { reportUnknown, type Report } from './report.ts';

interface OtherSections {
  readonly site?: string | undefined;
  readonly failover?: FailoverFile | undefined;
  readonly keys?: { readonly identity?: unknown } | undefined;
}

export function checkFailover(
  file: OtherSections,
  names: { readonly stores: readonly string[] },
  defaultSite: string,
  report: Report,
): void {
  const { failover } = file;
  if (failover === undefined) return;
  const path = ['failover'];
  const site = file.site ?? defaultSite;
  if (!failover.sites.includes(site)) {
    report([...path, 'sites'], `this file's \`site\` is \`${site}\`: name it here, too`);
  }
  reportUnknown([...path, 'authority'], 'store', failover.authority, names.stores, report);
  checkDns(failover.dns ?? [], [...path, 'dns'], { stores: names.stores, sites: failover.sites }, report);
  checkFencing(failover, report);
  for (const key of ['readiness', 'rehearsal'] as const) {
    const schedule = failover[key];
    if (schedule !== undefined) checkSchedule([...path, key], schedule, report);
  }
  checkAssess(failover, site, report);
  if (file.keys !== undefined && file.keys.identity === undefined) {
    report(path, 'who takes over reads backups: add `keys.identity` on the host, or remove this');
  }
}

function checkFencing(failover: FailoverFile, report: Report): void {
  const { fencing = 'lease', confirm, automatic, lease, stop } = failover;
  if (confirm !== undefined && fencing !== 'confirmed') {
    report(['failover', 'confirm'], '`confirm` belongs to `fencing: confirmed`: change that, or remove this');
  }
  if (confirm === undefined && fencing === 'confirmed') {
    report(['failover', 'fencing'], 'nothing would say that the other site is stopped: add `confirm` with a command');
  }
  if (automatic !== undefined && fencing !== 'lease') {
    report(['failover', 'automatic'], 'only `fencing: lease` fences without a person: change that, or remove this');
  }
  for (const [key, written] of Object.entries({ lease, stop })) {
    if (written === undefined || fencing === 'lease') continue;
    report(['failover', key], `\`${key}\` belongs to \`fencing: lease\`: change that, or remove this`);
  }
}

function checkAssess({ assess }: FailoverFile, site: string, report: Report): void {
  const path = ['failover', 'assess'];
  const all = Object.entries(assess.from);
  if (all.length === 0) report([...path, 'from'], 'name at least one place that looks');
  for (const [name, { http, command, reference }] of all) {
    if ((http === undefined) === (command === undefined)) {
      report([...path, 'from', name], 'write one of `http`, `command`');
    }
    if (reference !== undefined && http === undefined) {
      report(
        [...path, 'from', name, 'reference'],
        '`reference` belongs to `http`: a command says itself that it is blind',
      );
    }
  }
  const places = new Set(all.map(([, { place }]) => place ?? site));
  if ((assess.quorum ?? 1) > places.size) {
    report([...path, 'quorum'], `of ${places.size} places no ${assess.quorum ?? 1} can agree: lower it, or add places`);
  }
}
