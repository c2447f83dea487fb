/** A system file that can't be used: nothing of its system runs until it is corrected. Pure. */
import type { HoldfastError } from '../failures.ts';
import { formatAge } from '../observe/format.ts';
import type { Finding } from './findings.ts';
import type { TroubleSeen } from './host-look.ts';

export const FILE_SUBJECT = 'file';

/** `keptAtMs`: of the version that stands in for it in judging; absent where there is none. */
export function fileTrouble(
  system: string,
  fault: { readonly error: Pick<HoldfastError, 'message' | 'hint'>; readonly keptAtMs?: number },
  nowMs: number,
): TroubleSeen {
  const { error, keptAtMs } = fault;
  const [first = '', ...lines] = error.message.split('\n').filter((line) => line !== '');
  const [place = ''] = lines;
  const more = lines.length > 1 ? `, and ${lines.length - 1} more` : '';
  const what = place === '' ? first : `${first}: ${place}${more}`;
  const judged =
    keptAtMs === undefined
      ? 'and no earlier version of it is known here, so that nothing else of it is looked at'
      : `everything else is judged as it was written ${formatAge(keptAtMs, nowMs)}`;
  return {
    subject: FILE_SUBJECT,
    what: `the system file can't be used, so that nothing of ${system} is backed up by it: ${what}; ${judged}`,
    hint: `${error.hint} All of its faults: holdfast doctor ${system}`,
  };
}

export function judgeFile(system: string, trouble: TroubleSeen): Finding {
  const { subject, what, hint } = trouble;
  return { system, check: 'system-file', subject, severity: 'critical', what, hint };
}
