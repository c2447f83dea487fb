/**
 * Findings as Nagios and its heirs read them: one line, performance data after a bar, more lines below, and their exit
 * codes (Monitoring Plugins Development Guidelines, sections 2.2, 2.4 and 2.6). Pure.
 */
import { findingId, inOrder } from '../policy/findings.ts';
import { firstDueText } from './findings-text.ts';
import type { SystemFindings } from './findings.ts';
import type { SystemNumbers } from './numbers.ts';

/** 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. */
export type NagiosCode = 0 | 1 | 2 | 3;

const WORDS = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;

export function nagiosOf(systems: readonly SystemFindings[], kept: boolean): { code: NagiosCode; text: string } {
  const findings = inOrder(systems.flatMap((one) => one.findings));
  const critical = findings.filter(({ severity }) => severity === 'critical').length;
  const code: NagiosCode = critical > 0 ? 2 : findings.length > 0 ? 1 : kept ? 0 : 3;
  const names = systems.map(({ system }) => system).join(', ');
  const unknown = systems.flatMap((one) => one.unknown);
  const summary =
    findings.length > 0
      ? `${critical} critical, ${findings.length - critical} warning: ${findings[0]?.what ?? ''}`
      : kept
        ? keptText(systems)
        : `not known: ${unknown[0]?.why ?? ''}`;
  const lines = findings.map(
    (one) => `${one.severity.toUpperCase()} ${one.system} ${findingId(one)}: ${one.what}; ${one.hint}`,
  );
  const data = systems.flatMap(({ system, facts }) => performance(systems.length > 1 ? `${system}.` : '', facts));
  const first = `HOLDFAST ${WORDS[code]} - ${names}: ${clean(summary)}${data.length === 0 ? '' : ` | ${data.join(' ')}`}`;
  return { code, text: [first, ...lines.map(clean)].join('\n') };
}

function keptText(systems: readonly SystemFindings[]): string {
  const first = systems.flatMap(({ at, facts }) =>
    facts.plans.flatMap(({ plan, firstDue }) =>
      firstDue === undefined ? [] : [`no backup of ${plan} yet, ${firstDueText(firstDue, Date.parse(at))}`],
    ),
  );
  return first.length === 0 ? 'all as promised' : first.join('; ');
}

/** What could not even be asked. */
export function nagiosUnknown(why: string): { code: NagiosCode; text: string } {
  return { code: 3, text: `HOLDFAST UNKNOWN - ${clean(why)}` };
}

/** A bar begins performance data, and a line ends it. */
function clean(text: string): string {
  return text.replaceAll(/[\n\r]+/g, ' ').replaceAll('|', '/');
}

function performance(prefix: string, { plans, stores, disks }: SystemNumbers): string[] {
  const ages = plans.flatMap(({ plan, newest, limits }) =>
    newest === undefined ? [] : [`'${prefix}age_${plan}'=${newest.ageSeconds}s;;${limits.newestSeconds ?? ''};0`],
  );
  const sizes = plans.flatMap(({ plan, series }) => {
    const last = series.at(-1);
    return last === undefined ? [] : [`'${prefix}size_${plan}'=${last.sizeBytes}B;;;0`];
  });
  const totals = stores.flatMap(({ store, totalBytes }) =>
    totalBytes === undefined ? [] : [`'${prefix}total_${store}'=${totalBytes}B;;;0`],
  );
  const full = disks.map(
    ({ host, path, usedShare }) =>
      `'${prefix}disk_${host}${quoted(path)}'=${Math.round(usedShare * 1000) / 10}%;;;0;100`,
  );
  return [...ages, ...sizes, ...totals, ...full];
}

/** A label may hold neither a quote nor an equals sign. */
function quoted(path: string): string {
  return path.replaceAll(/['=]/g, '_');
}
