/** What was found in each backup, kept as a signed report in every store that can be reached, and beside the state. */
import type { BackupVerdict, CleanState } from '../policy/clean-point.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';
import { signerOf } from '../vault/envelope.ts';
import { reportKeyOf, writeReport } from '../vault/reports.ts';
import { inStores, writeFiles } from './checklist-run.ts';

export const CLEAN_POINT_LIST = 'clean-point';
/** In the text of a backup, before the names of the components that were judged. */
export const LOOKED_AT = '; looked at ';

interface Found {
  readonly atMs: number;
  readonly verdicts: readonly BackupVerdict[];
  readonly notLooked: readonly { readonly backup: string; readonly pointAt: string; readonly why: string }[];
  readonly newestClean?: string;
}

const ANSWERS = { clean: 'pass', bad: 'fail', suspect: 'fail', unknown: 'unknown', skipped: 'unknown' } as const;

/** A repeat of the same search finds it written. Throws when no store could take it. */
export async function goThroughStores(
  system: System,
  by: string,
  { atMs, verdicts, notLooked, newestClean }: Found,
): Promise<{ report: string; reportFile: string }> {
  const at = new Date(atMs).toISOString();
  const point = (backup: string, pointAt: string, state: CleanState, evidence: string, components: string[] = []) => {
    const newest = backup === newestClean ? ', the newest that is clean' : '';
    const judged = components.length === 0 ? '' : `${LOOKED_AT}${components.join(', ')}`;
    return { id: backup, text: `Backup ${backup} of ${pointAt}${newest}${judged}`, state: ANSWERS[state], evidence };
  };
  const points = [
    ...verdicts.map(({ backup, pointAt, state, checks }) => {
      const words = checks.map((check) => `${check.component}: ${check.name} ${check.state} (${check.detail})`);
      const components = [...new Set(checks.map(({ component }) => component))];
      return point(backup, pointAt, state, `${state}: ${words.join('; ')}`, components);
    }),
    ...notLooked.map(({ backup, pointAt, why }) => point(backup, pointAt, 'skipped', `not looked at: ${why}`)),
  ];
  const key = reportKeyOf(CLEAN_POINT_LIST, atMs, JSON.stringify(points));
  const signer = signerOf(await resolveSecret(system.keys.keeper ?? system.keys.signer));
  await inStores(system, ({ store, vaultId }) =>
    writeReport(store, { vaultId, signer }, { key, list: CLEAN_POINT_LIST, at, by, answers: points }),
  );
  const outcome = newestClean === undefined ? 'failed' : 'complete';
  const report = { system: system.name, title: 'The newest clean backup', at, by, outcome, points } as const;
  return { report: key, reportFile: await writeFiles(system.name, key, report) };
}
