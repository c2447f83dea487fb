/** Whether a systemd unit is as it should be, whether it is up after a start, and in which order units are started. Pure. */

/** What systemd says of a unit; the words are its own (systemctl(1), org.freedesktop.systemd1(5)). */
export interface UnitSeen {
  /** Its own name, also when it was asked for by an alias. */
  readonly name: string;
  /** With its aliases. */
  readonly names: readonly string[];
  /** `loaded`, `not-found`, `masked`, `bad-setting`, `error`. */
  readonly load: string;
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`. */
  readonly active: string;
  readonly sub: string;
  /** Why it ended: `success`, `exit-code`, `signal`, `start-limit-hit`. */
  readonly result: string;
  /** Of a service: `simple`, `exec`, `notify`, `oneshot`. Empty for other units. */
  readonly type: string;
  /** `enabled`, `disabled`, `static`, `masked`; empty when it has no file. */
  readonly enablement: string;
  /** Its file, and the files that change it; empty when it has none. */
  readonly file: string;
  readonly dropIns: readonly string[];
  /** Units that are started before it. */
  readonly after: readonly string[];
  /** Units that go down with it, and units that start it by themselves. */
  readonly dependants: readonly string[];
  readonly triggers: readonly string[];
  /** By systemd itself, since it was last started by anybody else. */
  readonly restarts: number;
  /** Of its main process, when that has ended. */
  readonly exitStatus: number;
  /** Names its latest run; empty when it never ran since the machine came up. */
  readonly invocation: string;
  /** A start or stop is under way. */
  readonly hasJob: boolean;
  readonly conditionsMet: boolean;
  /** RFC 3339. */
  readonly upSince?: string;
  readonly downSince?: string;
}

export type UnitVerdict =
  | { readonly kind: 'fine' }
  /** As somebody wanted it to be. */
  | { readonly kind: 'left'; readonly why: string }
  | {
      readonly kind: 'broken';
      /** `has failed (exit-code, 1)`. */
      readonly what: string;
      readonly since?: string;
      /** Somebody may have wanted it so: nobody starts it on a guess. */
      readonly doubt?: string;
    };

/** What systemd started again so often, the last time so lately, does not stay up. */
const LOOP_RESTARTS = 3;
const LOOP_MS = 60_000;
const FINE: UnitVerdict = { kind: 'fine' };

export function isUp({ active }: Pick<UnitSeen, 'active'>): boolean {
  return active === 'active' || active === 'reloading' || active === 'activating';
}

/** It has no file, so that it can't be started before a backup brings one. */
export function isAbsent({ load }: Pick<UnitSeen, 'load'>): boolean {
  return load === 'not-found';
}

/** systemd starts it when the machine comes up, and it has not run since. */
export function neverCameUp({ enablement, active, invocation }: UnitSeen): boolean {
  return enablement.startsWith('enabled') && active === 'inactive' && invocation === '';
}

export function judgeUnit(seen: UnitSeen, nowMs: number): UnitVerdict {
  if (seen.load === 'masked') return { kind: 'left', why: 'is masked: systemctl unmask' };
  if (isAbsent(seen) && !isUp(seen)) return { kind: 'broken', what: 'has no unit file' };
  if (seen.load !== 'loaded' && !isUp(seen)) return { kind: 'broken', what: `can't be loaded (${seen.load})` };
  switch (seen.active) {
    case 'failed':
      return { kind: 'broken', what: `has failed (${endOf(seen)})`, ...since(seen) };
    case 'activating':
      return isStartingAgain(seen) ? looping(seen) : FINE;
    case 'active': {
      const lately = seen.upSince !== undefined && nowMs - Date.parse(seen.upSince) < LOOP_MS;
      return seen.restarts >= LOOP_RESTARTS && lately ? looping(seen) : FINE;
    }
    case 'inactive':
      return judgeInactive(seen);
    default:
      return FINE;
  }
}

/** systemd doesn't tell a stop by hand from an end with success. */
function judgeInactive(seen: UnitSeen): UnitVerdict {
  if (seen.hasJob) return FINE;
  if (!seen.enablement.startsWith('enabled')) return { kind: 'left', why: `is not enabled (${seen.enablement})` };
  if (seen.triggers.length > 0) return FINE;
  if (neverCameUp(seen)) {
    if (!seen.conditionsMet) return { kind: 'left', why: 'its conditions are not met' };
    return { kind: 'broken', what: 'is enabled and was never started' };
  }
  if (seen.type === 'oneshot') return FINE;
  return { kind: 'broken', what: 'is down', ...since(seen), doubt: 'it may have been stopped by hand' };
}

function looping(seen: UnitSeen): UnitVerdict {
  return {
    kind: 'broken',
    what: `is starting again and again (${seen.restarts} times, ${endOf(seen)})`,
    ...since(seen),
  };
}

function isStartingAgain({ sub }: Pick<UnitSeen, 'sub'>): boolean {
  return sub === 'auto-restart' || sub === 'auto-restart-queued';
}

function endOf({ result, exitStatus }: UnitSeen): string {
  return exitStatus === 0 ? result : `${result}, ${exitStatus}`;
}

function since({ downSince }: UnitSeen): { since?: string } {
  return downSince === undefined ? {} : { since: downSince };
}

/** What systemd takes for up only when they say so themselves; of others it knows that their process was begun. */
const READY_BY_ITSELF: readonly string[] = ['', 'notify', 'notify-reload', 'dbus', 'forking', 'oneshot'];

export type StartVerdict =
  | {
      readonly kind: 'up';
      readonly now: string;
      /** Its process was begun, which is all that is known. */ readonly unproved: boolean;
    }
  | { readonly kind: 'waits' }
  | { readonly kind: 'down'; readonly now: string };

/** Of a unit that somebody has just had started. */
export function judgeStart(seen: UnitSeen): StartVerdict {
  if (seen.active === 'failed') return { kind: 'down', now: `failed (${endOf(seen)})` };
  if (seen.active === 'active') return { kind: 'up', now: 'up', unproved: !READY_BY_ITSELF.includes(seen.type) };
  const gaveUp = isStartingAgain(seen) && seen.restarts >= LOOP_RESTARTS;
  if (gaveUp) return { kind: 'down', now: `starting again and again (${endOf(seen)})` };
  if (seen.hasJob || seen.active !== 'inactive') return { kind: 'waits' };
  if (seen.load !== 'loaded') return { kind: 'down', now: isAbsent(seen) ? 'no unit file' : seen.load };
  if (!seen.conditionsMet) return { kind: 'down', now: 'its conditions are not met' };
  if (seen.type === 'oneshot' && seen.result === 'success' && seen.invocation !== '') {
    return { kind: 'up', now: 'ended well', unproved: false };
  }
  return {
    kind: 'down',
    now: seen.invocation === '' ? 'not started: what it needs is down' : `ended (${endOf(seen)})`,
  };
}

/**
 * By name, 0 is started first: what a unit comes after has a lower level. Units that are not among these don't count, and a
 * circle is cut where it closes.
 */
export function startLevels(units: readonly Pick<UnitSeen, 'name' | 'names' | 'after'>[]): Map<string, number> {
  const byName = new Map(units.flatMap((unit) => unit.names.map((name) => [name, unit] as const)));
  const levels = new Map<string, number>();
  const levelOf = (unit: (typeof units)[number], path: ReadonlySet<string>): number => {
    const known = levels.get(unit.name);
    if (known !== undefined) return known;
    if (path.has(unit.name)) return -1;
    const deeper = new Set([...path, unit.name]);
    const before = unit.after.flatMap((name) => byName.get(name) ?? []).filter(({ name }) => name !== unit.name);
    const level = 1 + Math.max(-1, ...before.map((other) => levelOf(other, deeper)));
    if (path.size === 0) levels.set(unit.name, level);
    return level;
  };
  for (const unit of units) levelOf(unit, new Set());
  return levels;
}
