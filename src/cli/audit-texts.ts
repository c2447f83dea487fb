/** `audit` as people read it. */
import type { Colours } from '../observe/colours.ts';
import { formatCount } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { shortDigest } from '../policy/approval.ts';
import type { AuditSeen } from '../policy/audit-chain.ts';
import type { AuditLog } from '../status/audit-log.ts';

type Verdict = Omit<AuditLog, 'events'>;

export function auditText(log: Verdict, events: readonly AuditSeen[], colours: Colours): string {
  const rows = events.map(({ event, author, admitted }) => [
    event.at,
    event.operation,
    event.outcome === undefined ? event.what : `${event.what}: ${event.outcome}`,
    event.digest === undefined ? '' : shortDigest(event.digest),
    [event.by, event.from === undefined ? undefined : `from ${event.from}`].filter(Boolean).join(' '),
    event.why ?? event.about ?? '',
    admitted ? (author ?? '') : 'nobody admitted',
  ]);
  const head = ['when', 'operation', 'what', 'plan', 'by', 'about', 'signed by'];
  const list = rows.length === 0 ? 'nothing was recorded' : table(head, rows, colours);
  return [list, '', verdictText(log, colours)].join('\n');
}

export function verdictText({ ok, logs, problems, notes, stores }: Verdict, colours: Colours): string {
  const own = logs.map(
    ({ log, author, newest, newestSha256 }) =>
      `  ${log} of ${author ?? 'a key that nobody admitted'}: ${formatCount(newest, 'record')}, the newest ${newestSha256.slice(0, 16)}`,
  );
  const verdict = ok ? colours.green('the audit log is whole') : colours.red('the audit log is not whole');
  return [
    `${verdict}, in ${stores.join(', ')}`,
    ...own,
    ...problems.map(({ kind, log, what }) => colours.red(`  ${kind}: log ${log}: ${what}`)),
    ...notes.map((note) => colours.yellow(`  ${note}`)),
  ].join('\n');
}
