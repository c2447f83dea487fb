/** A rule that the stores of a plan cannot meet is refused before anybody relies on it. Pure. */
import { countCopies, shortfalls } from '../policy/copies.ts';
import type { Report } from './report.ts';
import { DEFAULTS, type SystemFile } from './schema.ts';
import { buildRule, buildStore } from './store-build.ts';

/** By what the stores of each plan come to when everything goes well. */
export function checkRule(file: SystemFile, report: Report): void {
  if (file.rule === undefined) return;
  const rule = buildRule(file.rule);
  const site = file.site ?? DEFAULTS.site;
  const around = { system: file.system, site, hosts: file.hosts ?? [DEFAULTS.host] };
  for (const [name, plan] of Object.entries(file.plans)) {
    const entries = plan.stores.map((store) => [store, file.stores[store]] as const);
    // A store that was left out has a problem of its own, and may well be the one that is missing here.
    if (entries.some(([, store]) => store === undefined)) continue;
    const places = entries.flatMap(([store, entry]) => {
      if (entry === undefined) return [];
      const { place, medium } = buildStore(store, entry, around);
      return [{ store, place, medium, immutable: 'immutable' in entry && entry.immutable !== undefined }];
    });
    const short = shortfalls(rule, countCopies(site, places));
    if (short.length === 0) continue;
    report(
      ['plans', name, 'stores'],
      `the rule is not met by these stores: ${short.join('; ')}: add a store that makes up for it, or ask less in \`rule\``,
    );
  }
}
