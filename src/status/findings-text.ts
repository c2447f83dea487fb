/** Findings on a terminal: what is wrong, and what to do about it. Pure. */
import type { Colours } from '../observe/colours.ts';
import { formatSeconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { findingId, type Finding } from '../policy/findings.ts';
import type { System } from '../system/types.ts';
import type { SystemFindings } from './findings.ts';

export function findingText({ severity, what, hint }: Finding, colours: Colours): string {
  const word = severity === 'critical' ? colours.red('critical') : colours.yellow('warning');
  return `${word} ${what}\n         ${colours.dim('try')} ${hint}`;
}

export function findingsText(of: SystemFindings, colours: Colours): string {
  const rows = of.facts.plans.map(({ plan, newest, newestProved, limits, backups, copies }) => [
    plan,
    newest === undefined ? 'none' : formatSeconds(newest.ageSeconds),
    limits.newestSeconds === undefined ? '' : formatSeconds(limits.newestSeconds),
    newestProved === undefined ? 'none' : formatSeconds(newestProved.ageSeconds),
    limits.provedSeconds === undefined ? '' : formatSeconds(limits.provedSeconds),
    String(backups),
    copies
      .map((copy) => `${copy.store} ${copy.newest === undefined ? '-' : formatSeconds(copy.newest.ageSeconds)}`)
      .join(', '),
  ]);
  const verdict =
    of.findings.length === 0 ? colours.green('all as promised') : of.findings.map((one) => findingText(one, colours));
  const unknown = of.unknown.map(({ what, why }) => `${colours.dim('unknown')}  ${what}: ${why}`);
  return [
    colours.bold(of.system),
    table(['plan', 'newest', 'limit', 'proved', 'limit', 'backups', 'newest in'], rows, colours),
    ...[verdict].flat(),
    ...unknown,
  ].join('\n');
}

/** What concerns one plan: itself, its runs, its components, its stores. */
export function concernsPlan(system: System, name: string): (finding: Pick<Finding, 'check' | 'subject'>) => boolean {
  const plan = system.plans.find((one) => one.name === name);
  const stores = plan?.stores ?? [];
  const components = plan?.components ?? [];
  const ids = new Set([
    `freshness/${name}`,
    `proof/${name}`,
    `copy/rule/${name}`,
    `run/backup/${name}`,
    ...components.flatMap((one) => [`wal/${one}`, `component/${one}`, `size/${name}/${one}`]),
    ...stores.flatMap((store) => ['copy', 'store', 'corruption', 'total-size'].map((check) => `${check}/${store}`)),
  ]);
  return (finding) => ids.has(findingId(finding));
}
