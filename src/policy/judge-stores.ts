/** What is wrong with the stores: unreadable, behind with copies, short of the rule, damaged, too large. Pure. */
import { formatBytes, formatCount, formatSeconds } from '../observe/format.ts';
import type { System } from '../system/types.ts';
import { isGood, type BackupSeen } from './backup-seen.ts';
import type { Finding } from './findings.ts';
import { severityOf, systemTier, tierOf } from './limits.ts';

/** A store as it was found. */
export interface StoreSeen {
  readonly store: string;
  /** Why it could not be read, and what to try. */
  readonly unread?: { readonly message: string; readonly hint: string };
  /** Objects that reading it back has found bad, and that were not healed. */
  readonly errors: number;
  /** Some of them. */
  readonly bad: readonly string[];
  /** All that the system takes in it, when it was counted. */
  readonly totalBytes?: number;
  readonly totalAtMs?: number;
}

export interface CopyLag {
  readonly store: string;
  readonly backups: number;
  /** The plan whose oldest missing copy is the furthest over its limit. */
  readonly plan: string;
  readonly lagSeconds: number;
  readonly limitSeconds: number;
  /** What a copy that runs fails with. */
  readonly trouble?: string;
}

const SHOWN = 3;

export function judgeStores(system: System, stores: readonly StoreSeen[], backups: readonly BackupSeen[]): Finding[] {
  return stores.flatMap((seen) => [
    ...unreadable(system, seen),
    ...corruption(system, seen, backups),
    ...tooLarge(system, seen),
  ]);
}

function unreadable(system: System, { store, unread }: StoreSeen): Finding[] {
  if (unread === undefined) return [];
  const what = `store ${store} can't be read: ${unread.message}`;
  const hint = `${unread.hint} Try it: holdfast doctor ${system.name}`;
  return [{ system: system.name, check: 'store', subject: store, severity: storeSeverity(system, store), what, hint }];
}

/** The store that captures go to first is worse to lose than one that only holds copies. */
function storeSeverity(system: System, store: string): Finding['severity'] {
  const first = system.plans.filter(({ stores }) => stores[0] === store);
  if (first.length === 0) return 'warning';
  return first.some((plan) => severityOf(tierOf(system, plan), true) === 'critical') ? 'critical' : 'warning';
}

/** Damaged objects, backups whose newest verification here was bad, manifests that can't be trusted. */
function corruption(
  system: System,
  { store, errors, bad, unread }: StoreSeen,
  backups: readonly BackupSeen[],
): Finding[] {
  if (unread !== undefined) return [];
  const here = backups.filter(({ stores }) => stores.includes(store));
  const failed = here.filter(({ verdicts }) => verdicts.some((one) => one.store === store && !one.ok));
  const forged = here.filter(({ trusted }) => !trusted);
  const parts = [
    ...(errors === 0 ? [] : [`${formatCount(errors, 'bad object')}, such as ${bad[0] ?? ''}`]),
    ...(failed.length === 0 ? [] : [`${formatCount(failed.length, 'backup')} failed verification: ${names(failed)}`]),
    ...(forged.length === 0
      ? []
      : [`${formatCount(forged.length, 'manifest')} can't be trusted: ${names(forged)} (${forged[0]?.why ?? ''})`]),
  ];
  if (parts.length === 0) return [];
  const grave = errors > 0 || failed.some((one) => !isGood(one));
  const others = system.stores.length > 1;
  const heal = `holdfast verify ${system.name} --whole --all --heal --store ${store}`;
  return [
    {
      system: system.name,
      check: 'corruption',
      subject: store,
      severity: severityOf(systemTier(system), grave),
      what: `store ${store}: ${parts.join('; ')}`,
      hint:
        errors + failed.length === 0
          ? `Find out who wrote them before anything is restored from there: holdfast list ${system.name} --store ${store}`
          : others
            ? `Put good copies from the other stores in their place: ${heal}`
            : `Put what is bad aside and store it again with the next backup: ${heal}`,
    },
  ];
}

function names(backups: readonly BackupSeen[]): string {
  const shown = backups.slice(0, SHOWN).map(({ id, key }) => (id === '' ? key : id));
  return `${shown.join(', ')}${backups.length > SHOWN ? ', …' : ''}`;
}

function tooLarge(system: System, { store, totalBytes }: StoreSeen): Finding[] {
  const limit = system.monitor?.totalBytes;
  if (limit === undefined || totalBytes === undefined || totalBytes <= limit) return [];
  return [
    {
      system: system.name,
      check: 'total-size',
      subject: store,
      severity: 'warning',
      what: `store ${store} holds ${formatBytes(totalBytes)} of ${system.name}, its limit is ${formatBytes(limit)}`,
      hint: `See what takes it, and what a prune would free: holdfast storage ${system.name} --store ${store}; holdfast prune ${system.name} ${store} --dry-run`,
    },
  ];
}

/** Copies that are missing for longer than the limit. */
export function judgeCopyLags(system: System, lags: readonly CopyLag[]): Finding[] {
  return lags
    .filter(({ lagSeconds, limitSeconds }) => lagSeconds > limitSeconds)
    .map(({ store, backups, plan, lagSeconds, limitSeconds, trouble }) => {
      const found = system.plans.find(({ name }) => name === plan);
      const tier = found === undefined ? systemTier(system) : tierOf(system, found);
      const missing = `store ${store} lacks ${formatCount(backups, 'backup')}`;
      const lag = `the oldest, of plan ${plan}, for ${formatSeconds(lagSeconds)}, its limit is ${formatSeconds(limitSeconds)}`;
      return {
        system: system.name,
        check: 'copy',
        subject: store,
        severity: severityOf(tier, lagSeconds > 2 * limitSeconds),
        what: `${missing}, ${lag}${trouble === undefined ? '' : `; its copy ${trouble}`}`,
        hint: `Copy them and see what keeps it: holdfast copy ${system.name} ${store}`,
      };
    });
}

/** A plan whose newest backup is short of the rule while no copy is on its way. */
export function judgeRule(
  system: System,
  copies: readonly { readonly plan: string; readonly ok?: boolean; readonly short?: readonly string[] }[],
): Finding[] {
  return copies
    .filter(({ ok }) => ok === false)
    .map(({ plan, short = [] }) => ({
      system: system.name,
      check: 'copy',
      subject: `rule/${plan}`,
      severity: 'warning',
      what: `plan ${plan}: the copies of its newest backup are short of the rule: ${short.join('; ')}`,
      hint: `See where they lie: holdfast status ${system.name}; copy with holdfast copy ${system.name} <store>, verify with holdfast verify ${system.name} --plan ${plan}`,
    }));
}
