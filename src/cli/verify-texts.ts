/** What a look at whole stores found, as people read it. */
import { formatBytes, formatCount } from '../observe/format.ts';
import type { Colours } from '../observe/colours.ts';
import type { StoreVerdict, VerifyStoreResult } from '../workflows/contract.ts';
import type { ExitCode, Shell } from './shell.ts';

const OUTCOMES = {
  found: '',
  healed: 'healed',
  removed: 'put aside: the next backup stores it again, if its source still has it',
  left: 'not healed',
} as const;

/** Not being able to ask a store outweighs what the others say. */
export function showVerifyStoreResult(shell: Shell, result: VerifyStoreResult): ExitCode {
  shell.result(result, (colours) =>
    [
      ...result.stores.flatMap((verdict) => verdictLines(verdict, colours)),
      ...result.failed.map(
        ({ store, code, message }) => `${colours.red('unread')} store ${colours.bold(store)}: ${message} [${code}]`,
      ),
    ].join('\n'),
  );
  if (result.failed.length > 0) return 2;
  return result.ok ? 0 : 1;
}

function verdictLines(verdict: StoreVerdict, colours: Colours): string[] {
  const { store, level, ok, parts, objectsChecked, bytesChecked, opened, unjudged } = verdict;
  const share = parts === 256 ? 'all of it' : `${parts} of 256 parts`;
  const how = level === 'content' ? (opened ? ', opened' : ', by checksum') : '';
  const read = `${level}${how}: ${share}, ${formatCount(objectsChecked, 'object')}, ${formatBytes(bytesChecked)}`;
  const whole =
    verdict.completeSince === undefined
      ? `${Math.round(verdict.fraction * 100)} % of it was ever read back`
      : `everything was read back since ${verdict.completeSince}`;
  return [
    `${ok ? colours.green('good') : colours.red('BAD')} store ${colours.bold(store)}`,
    `  ${read}; ${whole}`,
    ...(unjudged === 0 ? [] : [`  ${formatCount(unjudged, 'object')} that no backup names could not be judged`]),
    ...verdict.bad.flatMap((bad) => badLines(bad, colours)),
    ...(verdict.moreBad > 0 ? [`  and ${verdict.moreBad.toLocaleString('en')} more`] : []),
    ...(verdict.note === undefined ? [] : [`  ${colours.yellow('note')} ${verdict.note}`]),
  ];
}

function badLines({ key, code, what, outcome, from, backups, backupCount }: StoreVerdict['bad'][number], c: Colours) {
  const became = from === undefined ? OUTCOMES[outcome] : `${OUTCOMES[outcome]} from ${from}`;
  const more = backupCount > backups.length ? ` and ${backupCount - backups.length} more` : '';
  return [
    `  ${outcome === 'healed' ? c.yellow(code) : c.red(code)} ${key}: ${what}${became === '' ? '' : ` — ${became}`}`,
    ...(outcome === 'healed' || backupCount === 0 ? [] : [`    needed by ${backups.join(', ')}${more}`]),
  ];
}
