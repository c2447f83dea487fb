/** Which backup or moment a command line means, checked before anything is started. */
import { HoldfastError } from '../failures.ts';
import { parseRecoveryTarget, recoveryTargetText } from '../policy/recovery-target.ts';
import type { ChoiceOptions } from './choice-options.ts';

/** Throws BadInput for options that contradict each other. `named`: a backup that was named otherwise. */
export function choiceOf(
  options: ChoiceOptions,
  named: string | undefined,
): { backup?: string; plan?: string; store?: string; recoverTo?: string } {
  const { before, plan, store } = options;
  if (named !== undefined && before !== undefined) throw refused('name a backup or --before, not both');
  if (before !== undefined && Number.isNaN(Date.parse(before))) {
    throw refused(`--before ${before} is no time: write one such as 2026-03-01T02:00:00Z`);
  }
  const recoverTo = recoverToOf(options);
  const backup = before === undefined ? named : `before:${new Date(before).toISOString()}`;
  return {
    ...(backup === undefined ? {} : { backup }),
    ...(plan === undefined ? {} : { plan }),
    ...(store === undefined ? {} : { store }),
    ...(recoverTo === undefined ? {} : { recoverTo }),
  };
}

/** At most one of the four, checked before anything is started. */
function recoverToOf({ toTime, toLsn, toName, toEnd, before }: ChoiceOptions): string | undefined {
  const given = [
    ...(toTime === undefined ? [] : [`time:${toTime}`]),
    ...(toLsn === undefined ? [] : [`lsn:${toLsn}`]),
    ...(toName === undefined ? [] : [`name:${toName}`]),
    ...(toEnd === true ? ['end'] : []),
  ];
  const [only] = given;
  if (only === undefined) return undefined;
  if (given.length > 1) throw refused('--to-time, --to-lsn, --to-name and --to-end exclude each other');
  if (before !== undefined) {
    throw refused('--before and a point in time exclude each other: the backup follows from the point');
  }
  return recoveryTargetText(parseRecoveryTarget(only));
}

function refused(what: string): HoldfastError {
  return new HoldfastError('BadInput', what);
}
