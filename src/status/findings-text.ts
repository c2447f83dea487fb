/** Findings on a terminal: what is wrong, and what to do about it. Pure. */
import type { Colours } from '../observe/colours.ts';
import { formatAge, formatSeconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { findingId, type Finding } from '../policy/findings.ts';
import type { System } from '../system/types.ts';
import type { SystemFindings } from './findings.ts';

export function findingText({ severity, what, hint }: Finding, colours: Colours): string {
  const word = severity === 'critical' ? colours.red('critical') : colours.yellow('warning');
  return `${word} ${what}\n         ${colours.dim('try')} ${hint}`;
}

/** `the first is due in 3 h (2026-11-22 02:00Z)`; past that time it is still made, or on its way. */
export function firstDueText({ at }: { readonly at: string }, nowMs: number): string {
  const atMs = Date.parse(at);
  const time = `${at.slice(0, 16).replace('T', ' ')}Z`;
  return atMs > nowMs
    ? `the first is due ${formatAge(atMs, nowMs)} (${time})`
    : `the first was due at ${time} and has not ended yet`;
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
  const waiting = of.facts.plans.flatMap(({ plan, firstDue }) => (firstDue === undefined ? [] : [{ plan, firstDue }]));
  const kept =
    waiting.length === 0 ? colours.green('all as promised') : 'nothing is late, and not everything is protected';
  const verdict = of.findings.length === 0 ? kept : of.findings.map((one) => findingText(one, colours));
  const first = waiting.map(
    ({ plan, firstDue }) =>
      `${colours.yellow('waiting')}  plan ${plan} has no backup yet: ${firstDueText(firstDue, Date.parse(of.at))}`,
  );
  const unknown = of.unknown.map(({ what, why }) => `${colours.dim('unknown')}  ${what}: ${why}`);
  // Each check is unknown where nothing is known: that is said once, by the finding.
  if (of.facts.plans.length === 0 && of.findings.some(({ check }) => check === 'system-file')) {
    return [colours.bold(of.system), ...[verdict].flat()].join('\n');
  }
  return [
    colours.bold(of.system),
    table(['plan', 'newest', 'limit', 'proved', 'limit', 'backups', 'newest in'], rows, colours),
    ...[verdict].flat(),
    ...first,
    ...unknown,
  ].join('\n');
}

/** What concerns one plan: itself, its runs, its components, its stores. */
export function concernsPlan(system: System, name: string): (finding: Pick<Finding, 'check' | 'subject'>) => boolean {
  const plan = system.plans.find((one) => one.name === name);
  const stores = plan?.stores ?? [];
  const components = plan?.components ?? [];
  const ids = new Set([
    'system-file/file',
    `freshness/${name}`,
    `proof/${name}`,
    `copy/rule/${name}`,
    `run/backup/${name}`,
    ...components.flatMap((one) => [`wal/${one}`, `component/${one}`, `size/${name}/${one}`]),
    ...stores.flatMap((store) => ['copy', 'store', 'corruption', 'total-size'].map((check) => `${check}/${store}`)),
  ]);
  return (finding) => ids.has(findingId(finding));
}
