/** How far each store is behind the others, and what the copies of each plan come to: from what really lies there. */
import type { Colours } from '../observe/colours.ts';
import { formatAge, formatBytes, formatCount } from '../observe/format.ts';
import { counts, storedBy, type BackupSeen } from '../policy/backup-seen.ts';
import { copiesDue, type BackupSomewhere } from '../policy/copies-due.ts';
import { countCopies, errorsOfCopy, judgeCopies, type CopyCounts } from '../policy/copies.ts';
import type { CopyLag } from '../policy/judge-stores.ts';
import { limitsOf } from '../policy/limits.ts';
import type { System } from '../system/types.ts';
import { workflowIds } from '../workflows/contract.ts';
import type { SeenCatalogue } from './brief.ts';
import type { StoreReadBack } from './read-back-status.ts';
import type { RunningOperation } from './running.ts';

/** A store that lacks backups it should have, or of which that can't be told. */
export interface StoreBehind {
  readonly store: string;
  /** Undefined while the store can't be read. */
  readonly backups?: number;
  /** When the oldest of them was finished elsewhere. */
  readonly since?: string;
  /** What capturing them stored elsewhere: about what is to be sent. */
  readonly bytes?: number;
  /** Longer than the plan's limit: somebody should look. */
  readonly late: boolean;
  /** The plan that is the furthest over its limit, or the nearest to it. */
  readonly worst?: CopyLag;
  /** The copy that is under way, since when and what keeps it. */
  readonly copy?: { readonly workflowId: string; readonly since: string; readonly trouble?: string };
  readonly why?: string;
}

/** The copies of a plan's newest backup. */
export interface PlanCopies extends CopyCounts {
  readonly plan: string;
  readonly backup: string;
  readonly stores: readonly string[];
  /** Absent without a rule in the system file. */
  readonly ok?: boolean;
  readonly short?: readonly string[];
}

export function storesBehind(
  system: System,
  known: SeenCatalogue,
  operations: readonly RunningOperation[],
  nowMs: number,
): StoreBehind[] {
  return system.stores.flatMap(({ name }): StoreBehind[] => {
    const plans = system.plans.filter(({ stores }) => stores.includes(name) && stores.length > 1);
    if (plans.length === 0) return [];
    const running = operations.find(({ workflowId }) => workflowId === workflowIds.copy(system.name, name));
    const copy = running === undefined ? {} : { copy: copyFacts(running) };
    const unread = known.unread.find(({ store }) => store === name);
    if (unread !== undefined) return [{ store: name, late: false, why: unread.error.message, ...copy }];
    const due = plans.flatMap((plan) => {
      const own = copiesDue(plan, name, somewhere(known.backups, name), {
        nowMs,
        keepAsideSeconds: system.keepAsideSeconds,
      });
      const limitSeconds = limitsOf(plan, nowMs).copySeconds(name) ?? Infinity;
      return own.map((one) => ({ ...one, limitSeconds, lagSeconds: Math.floor((nowMs - one.finishedAtMs) / 1000) }));
    });
    if (due.length === 0) return [];
    const since = new Date(Math.min(...due.map(({ finishedAtMs }) => finishedAtMs))).toISOString();
    const bytes = due.reduce((sum, one) => sum + one.storedBytes, 0);
    const [first] = due.toSorted((a, b) => b.lagSeconds - b.limitSeconds - (a.lagSeconds - a.limitSeconds));
    const worst = first === undefined ? {} : { worst: lagOf(name, due.length, first, running) };
    const late = due.some(({ lagSeconds, limitSeconds }) => lagSeconds > limitSeconds);
    return [{ store: name, backups: due.length, since, bytes, late, ...worst, ...copy }];
  });
}

/** A copy runs and gets on: what is short of the rule at this moment may be on its way. */
export function isCopyOnItsWay(behind: readonly StoreBehind[]): boolean {
  return behind.some(({ copy }) => copy !== undefined && copy.trouble === undefined);
}

function lagOf(
  store: string,
  backups: number,
  { plan, lagSeconds, limitSeconds }: Pick<CopyLag, 'plan' | 'lagSeconds' | 'limitSeconds'>,
  running: RunningOperation | undefined,
): CopyLag {
  const trouble = running?.trouble === undefined ? {} : { trouble: running.trouble };
  return { store, backups, plan, lagSeconds, limitSeconds, ...trouble };
}

function copyFacts({ workflowId, startedAt, trouble }: RunningOperation): NonNullable<StoreBehind['copy']> {
  return { workflowId, since: startedAt, ...(trouble === undefined ? {} : { trouble }) };
}

function somewhere(
  backups: readonly BackupSeen[],
  store: string,
): (BackupSomewhere & { readonly storedBytes: number })[] {
  return backups
    .filter((one) => one.trusted && counts(one))
    .map((one) => ({ ...one, there: one.stores.includes(store), storedBytes: storedBy(one) }));
}

/** What of a store's read-back a copy in it is judged by; `unread` when its records could not be read. */
export type ReadBackFacts = Pick<StoreReadBack, 'store' | 'errors' | 'completeSince' | 'unread'>;

/** Of each plan that has a backup; `newest` gives its id. What reading a store back has found bad counts as errors. */
export function planCopies(
  system: System,
  known: Pick<SeenCatalogue, 'backups'>,
  readBacks: readonly ReadBackFacts[],
  newest: (plan: string) => string | undefined,
): PlanCopies[] {
  return system.plans.flatMap((plan): PlanCopies[] => {
    const id = newest(plan.name);
    const backup = known.backups.find((one) => one.id === id && one.trusted);
    if (backup === undefined || id === undefined) return [];
    const places = system.stores.filter(({ name }) => backup.stores.includes(name));
    const counts = countCopies(
      system.site,
      places.map((store) => ({
        store: store.name,
        place: store.place,
        medium: store.medium,
        immutable: 'immutable' in store,
      })),
      errorsIn(backup, readBacks),
    );
    const facts = { plan: plan.name, backup: id, stores: backup.stores, ...counts };
    if (system.rule === undefined) return [facts];
    const { ok, short } = judgeCopies(system.rule, counts);
    return [{ ...facts, ok, short }];
  });
}

/** By store; one of which nobody knows whether the backup in it is whole is left out. */
function errorsIn(
  { finishedAtMs, verdicts, stores }: BackupSeen,
  readBacks: readonly ReadBackFacts[],
): Map<string, number> {
  const found = new Map<string, number>();
  for (const store of stores) {
    const verdict = verdicts.find((one) => one.store === store);
    const readBack = readBacks.find((one) => one.store === store && one.unread === undefined);
    const errors = errorsOfCopy({
      finishedAtMs,
      ...(verdict === undefined ? {} : { verdict }),
      ...(readBack === undefined ? {} : { readBack: knowledgeOf(readBack) }),
    });
    if (errors !== undefined) found.set(store, errors);
  }
  return found;
}

function knowledgeOf({ errors, completeSince }: ReadBackFacts) {
  return { errors, ...(completeSince === undefined ? {} : { completeSinceMs: Date.parse(completeSince) }) };
}

/** Why a store can't be read, and what keeps its copy, is told once, by the lines about stores and operations. */
export function behindText(one: StoreBehind, colours: Colours, nowMs: number): string {
  const { store, backups, since, bytes = 0, late, copy } = one;
  const what =
    backups === undefined || since === undefined
      ? "can't be read"
      : `${formatCount(backups, 'backup')} missing, the oldest finished ${formatAge(Date.parse(since), nowMs)}, about ${formatBytes(bytes)}`;
  const doing = copy === undefined ? 'no copy runs' : `its copy runs since ${copy.since}`;
  return `${late ? colours.red('behind') : colours.yellow('behind')} store ${store}: ${what}; ${doing}`;
}

export function copiesText(one: PlanCopies, colours: Colours): string {
  const { plan, copies, media, places, immutable, errors, ok, short = [] } = one;
  const parts = [
    `${copies} copies with the live data`,
    `on ${media.join(', ')}`,
    places.length === 0 ? 'none elsewhere' : `elsewhere in ${places.join(', ')}`,
    `${immutable} immutable`,
    errors === undefined ? 'not all verified' : formatCount(errors, 'error'),
  ];
  const verdict =
    ok === undefined ? '' : `${ok ? colours.green('as the rule asks') : colours.red('short of the rule')}: `;
  const lines = [`copies ${plan}: ${verdict}${parts.join('; ')}`];
  return [...lines, ...short.map((what) => `       ${colours.yellow(what)}`)].join('\n');
}
