/**
 * Which backups a whole system is brought back from: for each component the newest usable one near the wanted moment, and
 * as few backups as its recovery point objectives allow. Pure.
 */
import type { Tier } from '../system/types.ts';
import type { PassedOver } from './fall-back.ts';

/** One backup in one store. */
export interface Candidate {
  readonly store: string;
  readonly manifestKey: string;
  readonly backup: string;
  readonly plan: string;
  /** RFC 3339. */
  readonly pointAt: string;
  /** Under which it was made: of what belongs to one history the higher is newer, whatever two sites' clocks say. Default 0. */
  readonly generation?: number;
  readonly components: readonly string[];
  /** Why it must not be restored: not trusted, or found bad when it was read back. */
  readonly unusable?: string;
  /** Component → why its part must not be restored, while the others may be. */
  readonly badParts?: Readonly<Record<string, string>>;
  /** It has to be thawed first: taken only where no other store has the same backup. */
  readonly archived?: true;
}

export interface WantedComponent {
  readonly name: string;
  readonly tier: Tier;
  /** The strictest of the plans that capture it. */
  readonly rpoSeconds?: number;
  /** The plans that capture it. */
  readonly plans: readonly string[];
}

export interface ChosenPart {
  readonly name: string;
  readonly candidate: Candidate;
}

export interface Choice {
  /** In the order asked for. */
  readonly parts: readonly ChosenPart[];
  readonly missing: readonly { readonly name: string; readonly why: string }[];
  /** Newer backups that can't be used, and those with bad parts. */
  readonly passedOver: readonly PassedOver[];
}

export interface Wish {
  /** Nothing of this moment or later is taken. */
  readonly beforeMs?: number;
  /** The moment that a recovery point is measured against: `beforeMs`, or now. */
  readonly nowMs: number;
  /** Fewer backups count more than what is lost: components that any plan captures together come from one, when one has them. */
  readonly together: boolean;
}

/**
 * Components that the same plans capture belong together and come from the newest backup that has them all, or each from its
 * newest where none has. Then a group moves to an older backup that is taken anyway, when each of its components may lose
 * that much (or when `together`). Every component is in exactly one of `parts` and `missing`.
 */
export function chooseBackups(
  wanted: readonly WantedComponent[],
  candidates: readonly Candidate[],
  wish: Wish,
): Choice {
  const inTime = candidates.filter(({ pointAt }) => Date.parse(pointAt) < (wish.beforeMs ?? Number.POSITIVE_INFINITY));
  const usable = inTime.filter(({ unusable }) => unusable === undefined).toSorted(newestFirst);
  const groups = groupsOf(wanted, usable, wish.together);
  const chosen = groups.flatMap((group) => chooseFor(group, usable));
  const moved = fewer(chosen, usable, wish);
  const byName = new Map(
    moved.flatMap(({ members, candidate }) => members.map(({ name }) => [name, candidate] as const)),
  );
  const parts = wanted.flatMap(({ name }): ChosenPart[] => {
    const candidate = byName.get(name);
    return candidate === undefined ? [] : [{ name, candidate }];
  });
  const absent = wanted.filter(({ name }) => !byName.has(name));
  return {
    parts,
    missing: absent.map(({ name }) => ({ name, why: whyMissing(name, candidates, inTime, wish) })),
    passedOver: passedOver(parts, inTime),
  };
}

interface Group {
  readonly members: readonly WantedComponent[];
}

interface ChosenGroup extends Group {
  readonly candidate: Candidate;
}

/** Newest first; of equally new ones what needs no thawing, then the order given, which is that of the stores. */
function newestFirst(a: Candidate, b: Candidate): number {
  if ((a.archived ?? false) !== (b.archived ?? false) && a.backup === b.backup) return a.archived === true ? 1 : -1;
  return (b.generation ?? 0) - (a.generation ?? 0) || Date.parse(b.pointAt) - Date.parse(a.pointAt);
}

/** By the plans that capture them; `together` also joins groups that share a plan, as far as one backup has them all. */
function groupsOf(wanted: readonly WantedComponent[], usable: readonly Candidate[], together: boolean): Group[] {
  const byPlans = new Map<string, WantedComponent[]>();
  for (const component of wanted) {
    const key = component.plans.length === 0 ? `alone ${component.name}` : component.plans.toSorted().join('\n');
    byPlans.set(key, [...(byPlans.get(key) ?? []), component]);
  }
  const groups = [...byPlans.values()].map((members) => ({ members }));
  return together ? joined(groups, usable) : groups;
}

function joined(groups: readonly Group[], usable: readonly Candidate[]): Group[] {
  const result: Group[] = [];
  for (const group of groups.toSorted((a, b) => b.members.length - a.members.length)) {
    const at = result.findIndex((other) =>
      usable.some((candidate) => holds(candidate, [...other.members, ...group.members])),
    );
    const other = result[at];
    if (other === undefined) result.push(group);
    else result[at] = { members: [...other.members, ...group.members] };
  }
  return result;
}

function holds(candidate: Candidate, members: readonly WantedComponent[]): boolean {
  return members.every(({ name }) => offers(candidate, name));
}

/** It holds the component, and nothing speaks against restoring it. */
export function offers(candidate: Candidate, name: string): boolean {
  return candidate.components.includes(name) && reasonAgainst(candidate, name) === undefined;
}

function reasonAgainst({ unusable, badParts }: Candidate, name: string): string | undefined {
  return unusable ?? (badParts !== undefined && Object.hasOwn(badParts, name) ? badParts[name] : undefined);
}

function chooseFor(group: Group, usable: readonly Candidate[]): ChosenGroup[] {
  const whole = usable.find((candidate) => holds(candidate, group.members));
  if (whole !== undefined) return [{ ...group, candidate: whole }];
  return group.members.flatMap((member): ChosenGroup[] => {
    const own = usable.find((candidate) => holds(candidate, [member]));
    return own === undefined ? [] : [{ members: [member], candidate: own }];
  });
}

/** The newest first: each looks whether an older backup that others need anyway would do for it, too. */
function fewer(chosen: readonly ChosenGroup[], usable: readonly Candidate[], wish: Wish): ChosenGroup[] {
  const result = [...chosen];
  const order = chosen.map((_, index) => index).toSorted((a, b) => pointMs(result[b]) - pointMs(result[a]));
  for (const index of order) {
    const group = result[index];
    if (group === undefined) continue;
    const taken = new Set(result.filter((_, other) => other !== index).map(({ candidate }) => candidate.manifestKey));
    if (taken.has(group.candidate.manifestKey)) continue;
    const shared = usable.find(
      (candidate) =>
        taken.has(candidate.manifestKey) && holds(candidate, group.members) && mayBe(candidate, group, wish),
    );
    if (shared !== undefined) result[index] = { ...group, candidate: shared };
  }
  return result;
}

function pointMs(group: ChosenGroup | undefined): number {
  return group === undefined ? 0 : Date.parse(group.candidate.pointAt);
}

function mayBe(candidate: Candidate, { members }: Group, wish: Wish): boolean {
  const lostSeconds = ((wish.beforeMs ?? wish.nowMs) - Date.parse(candidate.pointAt)) / 1000;
  return wish.together || members.every(({ rpoSeconds }) => rpoSeconds !== undefined && lostSeconds <= rpoSeconds);
}

function whyMissing(name: string, all: readonly Candidate[], inTime: readonly Candidate[], { beforeMs }: Wish): string {
  const has = ({ components }: Candidate): boolean => components.includes(name);
  const bad = inTime.filter(has).flatMap((candidate) => {
    const why = reasonAgainst(candidate, name);
    return why === undefined ? [] : [`${candidate.backup}: ${why}`];
  });
  if (bad.length > 0) return `none of its ${new Set(bad).size} backups can be used (${bad[0] ?? ''})`;
  if (beforeMs !== undefined && all.some(has)) return `it has no backup before ${new Date(beforeMs).toISOString()}`;
  return 'it has no backup in a store that answers';
}

/** Newer than what is taken; what was found bad by this restore, also when it is not newer. */
function passedOver(parts: readonly ChosenPart[], inTime: readonly Candidate[]): PassedOver[] {
  return parts.flatMap(({ name, candidate }) =>
    inTime
      .filter((other) => other.components.includes(name))
      .flatMap((other) => {
        const why = reasonAgainst(other, name);
        const newer = Date.parse(other.pointAt) > Date.parse(candidate.pointAt);
        if (why === undefined || !(newer || other.badParts !== undefined)) return [];
        const { backup, store, pointAt } = other;
        return [{ component: name, backup, store, pointAt, why }];
      }),
  );
}

/** What came out bad when a backup was read back and was not found good again since; undefined: nothing is known to be bad. */
export function damageOf(
  proofs: readonly {
    readonly level: string;
    readonly at: string;
    readonly ok: boolean;
    readonly bad: readonly { readonly what: string }[];
  }[],
): string | undefined {
  const rank = (level: string): number => ['presence', 'content', 'restored'].indexOf(level);
  const standing = proofs.find(
    (proof) =>
      !proof.ok &&
      !proofs.some(
        (later) => later.ok && Date.parse(later.at) > Date.parse(proof.at) && rank(later.level) >= rank(proof.level),
      ),
  );
  if (standing === undefined) return undefined;
  const what = standing.bad[0]?.what;
  return `found damaged at ${standing.at}${what === undefined ? '' : `: ${what}`}`;
}
