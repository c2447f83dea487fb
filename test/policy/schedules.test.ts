/** What a file declares, what applying would change, and what is wrong: facts in, words out. */
import { describe, expect, it } from 'vitest';
import { specOf } from '../../src/policy/due-times.ts';
import { diffSchedules, specText, type ScheduleFrame } from '../../src/policy/schedule-diff.ts';
import type { DescribedSchedule } from '../../src/policy/schedule-facts.ts';
import { followFindings, scheduleFindings } from '../../src/policy/schedule-findings.ts';
import { declaredSchedules, scheduleNotes, secondsText, type DeclaredSchedule } from '../../src/policy/schedules.ts';
import { durationSeconds } from '../../src/system/durations.ts';
import { workflowIds } from '../../src/workflows/contract.ts';
import { systemFrom, systemOf } from '../system/small-system.ts';

const FRAME: ScheduleFrame = {
  workflowType: 'scheduled',
  taskQueue: 'holdfast',
  workflowIdBase: ({ name }) => `run/${name}`,
};

const MADE_MS = Date.parse('2026-11-01T00:00Z');

/** As the engine has it right after it was applied. */
function applied(declared: DeclaredSchedule, own: Partial<DescribedSchedule> = {}): DescribedSchedule {
  const { id, name, system, spec, jitterSeconds, catchUpSeconds, start, paused } = declared;
  return {
    ...{ id, name, system, spec, jitterSeconds, catchUpSeconds, start, paused },
    overlap: 'SKIP',
    pauseOnFailure: false,
    workflowType: 'scheduled',
    workflowIdBase: `run/${name}`,
    taskQueue: 'holdfast',
    ...{ nextMs: [], recent: [], running: [], createdAtMs: MADE_MS, taken: 0, missed: 0, skipped: 0 },
    ...own,
  };
}

describe('[M2] what a file declares', () => {
  const system = systemFrom('shop', [
    'stores: { nas: { kind: directory, path: /a }, away: { kind: directory, path: /b } }',
    'components: { files: { kind: files, path: /srv } }',
    'plans:',
    '  daily: { components: [files], stores: [nas, away], schedule: { cron: 0 2 * * MON-SAT, jitter: 10m } }',
    '  by-hand: { components: [files], stores: [nas] }',
    'housekeeping: { old: { component: files, olderThan: 7d } }',
    'maintenance:',
    '  prune: { nas: 0 3 * * MON }',
    '  copy: { away: { every: 6h, catchUp: 1h } }',
    '  verify: { cron: 0 6 * * *, level: presence, heal: true, paused: true }',
    '  housekeeping: { old: 0 1 * * * }',
  ]);
  const declared = declaredSchedules(system);
  const byName = new Map(declared.map((one) => [one.name, one]));

  it('plans with a schedule, each kind of upkeep, and the monitor even when nothing is said of it', () => {
    expect([...byName.keys()]).toEqual([
      'backup/daily',
      'prune/nas',
      'copy/away',
      'verify',
      'housekeeping/old',
      'monitor',
    ]);
    expect(byName.get('monitor')).toMatchObject({ written: 'every 1m', catchUpSeconds: 60, paused: false });
    expect(byName.get('verify')).toMatchObject({ paused: true, start: { level: 'presence', heal: true } });
  });

  it('operations start under the ids that a person starts them with', () => {
    expect(declared.map(({ start }) => start.workflowId)).toEqual([
      workflowIds.backup('shop', 'daily'),
      workflowIds.prune('shop', 'nas'),
      workflowIds.copy('shop', 'away'),
      workflowIds.verifyStore('shop', undefined),
      workflowIds.housekeeping('shop', 'old'),
      workflowIds.monitor('shop'),
    ]);
  });

  it('a missed run is made up for within the shortest interval, or as the file says', () => {
    expect(byName.get('backup/daily')?.catchUpSeconds).toBe(86_400);
    expect(byName.get('prune/nas')?.catchUpSeconds).toBe(7 * 86_400);
    expect(byName.get('copy/away')?.catchUpSeconds).toBe(3_600);
  });

  it('stores that nothing prunes are told', () => {
    expect(scheduleNotes(system, declared, MADE_MS).map(({ what }) => what)).toEqual(['nothing prunes away by itself']);
  });

  it('seconds are told as they are written in files', () => {
    for (const seconds of [0, 1, 60, 5_400, 86_400, 93_784]) {
      expect(durationSeconds(secondsText(seconds))).toBe(seconds);
    }
  });
});

describe('[M2] the difference', () => {
  const [daily] = declaredSchedules(systemOf('shop', { plan: '0 2 * * *' }));
  if (daily === undefined) throw new Error('nothing is declared');
  const change = (own: Partial<DescribedSchedule>) => diffSchedules([daily], [applied(daily, own)], FRAME)[0];

  it('what is as declared is kept, whatever its note says and however its times were spelled', () => {
    const spelled = specOf({ cron: '00 02 */1 JAN-DEC 0-6', timeZone: 'UTC' });
    expect(change({ spec: spelled, note: 'unpaused by ann' })).toMatchObject({ do: 'keep' });
    expect(specText(specOf({ cron: '0 3 1 * MON', timeZone: 'UTC' }))).toBe('0 3 * * 1 or 0 3 1 * * UTC');
  });

  it.each([
    [{ spec: specOf({ cron: '0 3 * * *', timeZone: 'UTC' }) }, 'times: 0 3 * * * UTC > 0 2 * * * UTC'],
    [{ spec: undefined }, 'times: something that was set by hand > 0 2 * * * UTC'],
    [{ jitterSeconds: 60 }, 'jitter: 1m > 0s'],
    [{ catchUpSeconds: 31_536_000 }, 'catch-up: 365d > 1d'],
    [{ overlap: 'ALLOW_ALL' }, 'overlap: ALLOW_ALL > SKIP'],
    [{ pauseOnFailure: true }, 'overlap: SKIP, paused when a run fails > SKIP'],
    [{ remaining: 3 }, 'limits: 3 more runs > none'],
  ] as const)('a field that was changed by hand is told and put back: %o', (own, told) => {
    const changed = change(own);
    if (changed?.do !== 'change') throw new Error('no change');
    expect(changed.changes.map(({ field, from, to }) => `${field}: ${from} > ${to}`)).toEqual([told]);
  });

  it('another workflow or other input is told; a pause by hand is no difference; what nobody declares goes', () => {
    expect(change({ start: { ...daily.start, plan: 'weekly' } })).toMatchObject({ changes: [{ field: 'starts' }] });
    expect(change({ paused: true, note: 'ann' })).toMatchObject({ do: 'keep' });
    expect(change({ paused: true, note: 'paused by the system file' })).toMatchObject({
      changes: [{ field: 'paused' }],
    });
    expect(diffSchedules([], [applied(daily)], FRAME)).toEqual([{ do: 'remove', id: daily.id }]);
  });
});

describe('[M2] what is wrong', () => {
  const system = systemOf('shop', { plan: '0 2 * * *' });
  const [daily, monitor] = declaredSchedules(system);
  if (daily === undefined || monitor === undefined) throw new Error('nothing is declared');
  const at = (text: string): number => Date.parse(text);
  const run = (due: string) => ({ dueAtMs: at(due), startedAtMs: at(due) + 500, workflowId: `w-${due}`, runId: 'r' });
  const found = (own: Partial<DescribedSchedule>, now: string) =>
    scheduleFindings(
      system,
      [applied(daily, { createdAtMs: at('2026-11-18T12:00Z'), ...own }), applied(monitor, { recent: [run(now)] })],
      at(now),
      FRAME,
    );

  it('all as declared and each run begun: nothing', () => {
    expect(found({ recent: [run('2026-11-20T02:00Z')] }, '2026-11-20T20:00Z')).toEqual([]);
    expect(found({}, '2026-11-18T20:00Z')).toEqual([]);
    // Only late, not missed.
    expect(found({ recent: [run('2026-11-20T02:00Z')] }, '2026-11-21T02:01Z')).toEqual([]);
  });

  it('a run that was due did not begin: critical for a plan, since when; the next one heals it', () => {
    expect(found({ recent: [run('2026-11-19T02:00Z')] }, '2026-11-21T04:00Z')).toMatchObject([
      {
        system: 'shop',
        check: 'schedule',
        subject: 'backup/daily',
        severity: 'critical',
        what: 'backup/daily was due at 2026-11-21T02:00Z and did not run, 2 times in all',
        hint: 'Run it now: holdfast schedule trigger shop backup/daily.',
        since: '2026-11-20T02:00:00.000Z',
      },
    ]);
    // By hand, hours later.
    expect(found({ recent: [run('2026-11-21T09:12Z')] }, '2026-11-21T10:00Z')).toEqual([]);
  });

  it('the run before goes on beyond the next: a warning, from the third on critical', () => {
    const running = {
      recent: [run('2026-11-19T02:00Z')],
      running: [{ workflowId: 'w-2026-11-19T02:00Z', runId: 'r' }],
    };
    expect(found(running, '2026-11-19T20:00Z')).toEqual([]);
    expect(found(running, '2026-11-20T03:00Z')).toMatchObject([
      { severity: 'warning', since: '2026-11-20T02:00:00.000Z' },
    ]);
    const [third] = found(running, '2026-11-22T03:00Z');
    expect(third).toMatchObject({
      severity: 'critical',
      what: expect.stringContaining('3 runs were left out') as string,
    });
  });

  it('paused by hand: told with the note; paused by the file, or for a while after it was applied: not', () => {
    const paused = { paused: true, note: 'paused by ann: new disk' };
    expect(found(paused, '2026-11-21T04:00Z')).toMatchObject([
      { severity: 'warning', what: 'the schedule backup/daily is paused (paused by ann: new disk)' },
    ]);
    expect(found({ paused: true, note: 'paused by the system file' }, '2026-11-21T04:00Z')).toEqual([]);
  });

  it('not applied, changed by hand, declared no longer: told, each with what to do', () => {
    const [missing] = scheduleFindings(
      system,
      [applied(monitor, { recent: [run('2026-11-20T02:00Z')] })],
      at('2026-11-20T02:00Z'),
      FRAME,
    );
    expect(missing).toMatchObject({
      subject: 'backup/daily',
      severity: 'critical',
      hint: 'Apply it: holdfast apply shop.',
    });
    expect(found({ overlap: 'ALLOW_ALL', recent: [run('2026-11-20T02:00Z')] }, '2026-11-20T03:00Z')).toMatchObject([
      { what: 'the schedule backup/daily is not what the system file declares: overlap' },
    ]);
    const left = scheduleFindings(
      systemOf('shop', {}),
      [applied(daily), applied(monitor, { recent: [run('2026-11-20T02:00Z')] })],
      at('2026-11-20T02:00Z'),
      FRAME,
    );
    expect(left.map(({ subject }) => subject)).toEqual(['backup/daily']);
  });

  it('a plan on change that nobody follows: told, worst where no schedule backs it up either', () => {
    expect(followFindings(system, ['daily', 'other'])).toMatchObject([
      { check: 'schedule', subject: 'changes/daily', severity: 'warning' },
      { check: 'schedule', subject: 'changes/other', severity: 'critical' },
    ]);
    expect(followFindings(system, [])).toEqual([]);
  });

  it('nothing was ever applied and nothing but the default monitor is declared: a timer of their own, no trouble', () => {
    expect(scheduleFindings(systemOf('shop', {}), [], at('2026-11-20T02:00Z'), FRAME)).toEqual([]);
  });
});
