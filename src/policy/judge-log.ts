/** Write-ahead logs against how far they may be behind. Pure. */
import { formatBytes, formatSeconds } from '../observe/format.ts';
import type { System } from '../system/types.ts';
import type { Finding } from './findings.ts';
import { NOTHING, together, type Judged } from './judged.ts';
import { limitsOf, severityOf, tierOf } from './limits.ts';

export interface LogSeen {
  readonly component: string;
  readonly store: string;
  /** Undefined while the engine can't be asked. */
  readonly received?: boolean;
  readonly waitingFor?: string;
  readonly recoveryPointAgeSeconds?: number;
  readonly heldBackBytes?: number;
  readonly trouble?: string;
  readonly unread?: { readonly message: string };
}

/** A recovery point older than this many rounds is behind. */
const ROUNDS_BEHIND = 12;
const LEAST_BEHIND_SECONDS = 60;

/**
 * The shortest `limits.walGap` of the plans that capture the component, else some rounds; none for an archive, because an
 * idle server fills no segment, so that its age says nothing. Undefined for what has no log.
 */
export function logLimitSeconds(system: System, name: string, nowMs: number): number | undefined {
  const component = system.components.find((one) => one.name === name);
  if (component?.kind !== 'postgres' || component.method !== 'base' || component.wal === undefined) return undefined;
  const given = system.plans
    .filter(({ components }) => components.includes(name))
    .flatMap((plan) => limitsOf(plan, nowMs).walGapSeconds ?? []);
  if (given.length > 0) return Math.min(...given);
  const { mode, everySeconds } = component.wal;
  return mode === 'archive' ? Infinity : Math.max(LEAST_BEHIND_SECONDS, everySeconds * ROUNDS_BEHIND);
}

/** True when somebody should look: it is not received, it is behind, or it waits for a person. */
export function isLogBehind(log: LogSeen, limitSeconds: number | undefined): boolean {
  const forPeople = log.waitingFor?.startsWith('operator') ?? false;
  const limit = limitSeconds ?? LEAST_BEHIND_SECONDS;
  return log.received === false || forPeople || (log.recoveryPointAgeSeconds ?? Infinity) > limit;
}

export function judgeLogs(system: System, logs: readonly LogSeen[], nowMs: number): Judged {
  return together(logs.map((log) => judgeLog(system, log, nowMs)));
}

function judgeLog(system: System, log: LogSeen, nowMs: number): Judged {
  const limit = logLimitSeconds(system, log.component, nowMs);
  if (log.unread !== undefined && log.recoveryPointAgeSeconds === undefined && log.received !== false) {
    return {
      findings: [],
      unknown: [{ what: `wal/${log.component}`, why: `store ${log.store}: ${log.unread.message}` }],
    };
  }
  if (!isLogBehind(log, limit)) return NOTHING;
  const tier = tierOf(system, { components: [log.component] });
  const finding: Finding = {
    system: system.name,
    check: 'wal',
    subject: log.component,
    severity: severityOf(tier, log.received === false),
    what: `the log of ${log.component}: ${whatOf(log, limit)}`,
    hint: hintOf(system.name, log),
  };
  return { findings: [finding], unknown: [] };
}

function whatOf(log: LogSeen, limit: number | undefined): string {
  const age = log.recoveryPointAgeSeconds;
  const point =
    age === undefined
      ? 'nothing of it is stored yet'
      : `its recovery point is ${formatSeconds(age)} old${limit === undefined || !Number.isFinite(limit) ? '' : `, its limit is ${formatSeconds(limit)}`}`;
  const parts = [
    log.received === false ? 'it is not received' : '',
    point,
    log.heldBackBytes === undefined ? '' : `${formatBytes(log.heldBackBytes)} are held back on the server`,
    log.waitingFor ?? '',
    log.trouble ?? '',
  ];
  return parts.filter((part) => part !== '').join('; ');
}

function hintOf(system: string, { received, waitingFor, component }: LogSeen): string {
  if (received === false) return 'It is received while the engine runs: holdfast up; then holdfast status ' + system;
  if (waitingFor?.startsWith('operator') === true)
    return `See what it waits for: holdfast watch ${system}/wal/${component}`;
  return `See whether server and store answer: holdfast doctor ${system}; holdfast status ${system}`;
}
