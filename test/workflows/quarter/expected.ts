/**
 * Who should have been told what and when, worked out moment by moment from what monitoring saw: as slow and as plain as
 * the table of the guide reads, and without the code under test.
 */
import type { Severity } from '../../../src/policy/findings.ts';
import { HOUR, MINUTE, SECOND, type Look } from './life.ts';

/** M8, by outage time. The odd seconds keep what follows from a look apart from what follows from a time. */
export const TIMES = {
  levels: [
    { channel: 'on-call', after: 0 },
    { channel: 'team-lead', after: 30 * MINUTE },
    { channel: 'management', after: HOUR },
    { channel: 'executive', after: 4 * HOUR },
  ],
  repeat: 4 * HOUR + 36 * SECOND,
  settle: 10 * MINUTE + 24 * SECOND,
  acknowledgedFor: 24 * HOUR + 54 * SECOND,
} as const;

/** Everything happens at a multiple of it. */
const STEP = 6 * SECOND;

export interface Expected {
  readonly incident: string;
  readonly channel: string;
  readonly news: string;
  readonly atMs: number;
}

interface Trouble {
  severity: Severity;
  beganMs: number;
  told: number;
  toldSeverity: Severity | undefined;
  toldAtMs: number;
  ackMs: number | undefined;
  goneMs: number | undefined;
}

export function expectedMessages(looks: readonly Look[]): Expected[] {
  const ids = new Set(looks.flatMap(({ findings }) => findings.map(({ check, subject }) => `${check}/${subject}`)));
  return [...ids].flatMap((id) => messagesOf(id, looks)).toSorted((a, b) => a.atMs - b.atMs);
}

function messagesOf(id: string, looks: readonly Look[]): Expected[] {
  const said: Expected[] = [];
  let now: Trouble | undefined;
  const say = (atMs: number, news: string, channels: readonly string[]): void => {
    for (const channel of channels) said.push({ incident: id, channel, news, atMs });
  };
  const channelsOf = (from: number, to: number) => TIMES.levels.slice(from, to).map(({ channel }) => channel);
  looks.forEach((look, index) => {
    now = seen(now, id, look, (news, told) => say(look.atMs, news, channelsOf(0, told)));
    const untilMs = looks[index + 1]?.atMs ?? look.atMs + 48 * HOUR;
    for (let atMs = look.atMs; now !== undefined && atMs < untilMs; atMs += STEP)
      now = minute(now, atMs, channelsOf, say);
  });
  return said;
}

function seen(
  before: Trouble | undefined,
  id: string,
  { atMs, findings, acknowledged }: Look,
  say: (news: string, told: number) => void,
): Trouble | undefined {
  const found = findings.find(({ check, subject }) => `${check}/${subject}` === id);
  if (found === undefined) return before === undefined ? undefined : { ...before, goneMs: before.goneMs ?? atMs };
  const { severity } = found;
  const sinceMs = Date.parse(found.since ?? '');
  const isWorse = before?.severity === 'warning' && severity === 'critical';
  const now: Trouble =
    before === undefined
      ? {
          severity,
          beganMs: sinceMs,
          told: 0,
          toldSeverity: undefined,
          toldAtMs: 0,
          ackMs: undefined,
          goneMs: undefined,
        }
      : {
          ...before,
          severity,
          beganMs: Math.min(before.beganMs, sinceMs),
          goneMs: undefined,
          ackMs: isWorse ? undefined : before.ackMs,
        };
  if (!acknowledged.includes(id)) return now;
  say('acknowledged', now.told);
  return { ...now, ackMs: atMs };
}

function minute(
  now: Trouble,
  atMs: number,
  channelsOf: (from: number, to: number) => string[],
  say: (atMs: number, news: string, channels: readonly string[]) => void,
): Trouble | undefined {
  if (now.goneMs !== undefined) {
    if (atMs - now.goneMs < TIMES.settle) return now;
    say(atMs, 'healed', channelsOf(0, now.told));
    return undefined;
  }
  const heldUntil = now.ackMs === undefined ? 0 : now.ackMs + TIMES.acknowledgedFor;
  if (now.ackMs !== undefined && atMs < heldUntil) return now;
  const most = now.severity === 'critical' ? TIMES.levels.length : 1;
  const reached = TIMES.levels.slice(0, most).filter(({ after }) => atMs - now.beganMs >= after).length;
  const tell = (news: string, from: number, to: number): Trouble => {
    say(atMs, news, channelsOf(from, to));
    const toldSeverity = now.toldSeverity === 'critical' ? 'critical' : now.severity;
    return { ...now, told: Math.max(now.told, to), toldSeverity, toldAtMs: atMs, ackMs: undefined };
  };
  const all = Math.max(Math.min(now.told, most), reached);
  if (now.told > 0 && now.toldSeverity === 'warning' && now.severity === 'critical') return tell('raised', 0, all);
  if (now.told > 0 && now.ackMs !== undefined) return tell('unattended', 0, all);
  if (reached > now.told) return tell(now.told === 0 ? 'opened' : 'escalated', now.told, reached);
  const isSilent = now.told > 0 && atMs - now.toldAtMs >= TIMES.repeat;
  return isSilent ? tell('reminder', 0, Math.min(now.told, most)) : now;
}
