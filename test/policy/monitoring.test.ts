/** Limits and the judgments of `monitor`, without any server. */
import { describe, expect, test } from 'vitest';
import type { BackupSeen, VerdictSeen } from '../../src/policy/backup-seen.ts';
import { findingId } from '../../src/policy/findings.ts';
import type { HostLook, HostSeen } from '../../src/policy/host-look.ts';
import { judgeStoreClocks } from '../../src/policy/judge-clocks.ts';
import { judgeEngine } from '../../src/policy/judge-engine.ts';
import { clockOffsetMs, judgeDisk, judgeHosts, usedShare } from '../../src/policy/judge-hosts.ts';
import { isLogBehind, judgeLogs } from '../../src/policy/judge-log.ts';
import type { Begun } from '../../src/policy/first-backup.ts';
import { judgeFreshness, judgeProof, planState, waitsForFirst } from '../../src/policy/judge-plans.ts';
import { judgeCopyLags, judgeRule, judgeStores } from '../../src/policy/judge-stores.ts';
import { limitsOf, marginSeconds, severityOf } from '../../src/policy/limits.ts';
import { backup, DAY, HOUR, NOW, parseSystem, verdict } from './monitored-system.ts';

const system = parseSystem(['limits: { proved: 7d, copy: { away: 2h } }'], ['totalSize: 10GiB', 'clock: 5s']);
const [plan] = system.plans;
if (plan === undefined) throw new Error('the system has a plan');

const ALL_READ = { unread: [] };

describe('limits', () => {
  test('[G6] the rpo, else the longest interval of the schedule and a margin: 25 h for daily, 90 min for hourly', () => {
    const of = (cron: string) => limitsOf({ schedule: { cron, timeZone: 'UTC' } }, NOW).newestSeconds;
    expect(of('0 2 * * *')).toBe(25 * HOUR);
    expect(of('5 * * * *')).toBe(90 * 60);
    expect(of('0 3 * * 0')).toBe(7 * DAY + 7 * HOUR);
    // From Friday to Monday.
    expect(of('0 9 * * 1-5')).toBe(3 * DAY + 3 * HOUR);
    expect(limitsOf({}, NOW).newestSeconds).toBeUndefined();
  });

  test('[W2] [B5] a schedule as tight as the rpo: a run has time to end, at the latest until a day has passed', () => {
    const of = (rpoSeconds: number, cron: string) =>
      limitsOf({ rpoSeconds, schedule: { cron, timeZone: 'UTC' } }, NOW).newestSeconds;
    expect(of(HOUR, '5 * * * *')).toBe(90 * 60);
    expect(of(DAY, '0 2 * * *')).toBe(25 * HOUR);
    expect(of(90 * 60, '5 * * * *')).toBe(90 * 60);
    expect(of(26 * HOUR, '0 2 * * *')).toBe(26 * HOUR);
    expect(of(23.9 * HOUR, '0 2 * * *')).toBe(DAY);
    expect(limitsOf({ rpoSeconds: HOUR }, NOW).newestSeconds).toBe(HOUR);
  });

  test('an rpo of nothing lost: the schedule counts, because no age is short enough', () => {
    expect(limitsOf({ rpoSeconds: 0, schedule: { cron: '0 2 * * *', timeZone: 'UTC' } }, NOW).newestSeconds).toBe(
      25 * HOUR,
    );
    expect(limitsOf({ rpoSeconds: 0 }, NOW).newestSeconds).toBeUndefined();
  });

  test('a margin grows with the interval, and is never under five minutes', () => {
    let before = 0;
    for (let interval = 60; interval < 60 * DAY; interval = Math.ceil(interval * 1.1)) {
      const margin = marginSeconds(interval);
      expect(margin).toBeGreaterThanOrEqual(Math.max(300, before));
      expect(margin).toBeLessThanOrEqual(Math.max(300, Math.ceil(interval / 2)));
      before = margin;
    }
  });

  test('by store, else for all, else as old as the newest may be', () => {
    const { copySeconds } = limitsOf(plan, NOW);
    expect(copySeconds('away')).toBe(2 * HOUR);
    expect(copySeconds('vault')).toBe(25 * HOUR);
  });

  test('critical data is always critical, reference never', () => {
    expect([severityOf('critical', false), severityOf('important', true), severityOf('important', false)]).toEqual([
      'critical',
      'critical',
      'warning',
    ]);
    expect(severityOf('reference', true)).toBe('warning');
  });
});

describe('[M9] [W5] freshness', () => {
  const judge = (backups: readonly BackupSeen[], read = ALL_READ as { unread: { store: string }[] }) =>
    judgeFreshness(system, plan, backups, read, NOW);

  test('found exactly when the newest usable backup is older than the limit, whatever else lies there', () => {
    for (let age = 0; age < 3 * DAY; age += 1801) {
      const others = [backup(age + 9 * DAY), backup(10, { trusted: false }), backup(20, { purpose: 'safety' })];
      const bad = backup(30, { verdicts: [verdict({ ok: false, errors: 2 })] });
      const { findings } = judge([...others, bad, backup(age)]);
      expect(findings.length).toBe(age > 25 * HOUR ? 1 : 0);
    }
  });

  test('it says how old, which limit, since when, and what to run', () => {
    const [finding] = judge([backup(26 * HOUR)]).findings;
    expect(finding).toMatchObject({ check: 'freshness', subject: 'daily', severity: 'critical' });
    expect(finding?.what).toMatch(/is 1 d 2 h old, its limit is 1 d 1 h \(its rpo and the time for a run\)/);
    expect(finding?.hint).toContain('holdfast backup shop daily');
    expect(finding?.since).toBe(new Date(NOW - HOUR * 1000).toISOString());
  });

  test('no backup at all is a finding; one that a store which is away may hold is not known', () => {
    expect(judge([]).findings).toMatchObject([{ what: 'plan daily: there is no backup' }]);
    expect(judge([], { unread: [{ store: 'away' }] })).toMatchObject({
      findings: [],
      unknown: [{ what: 'freshness/daily' }],
    });
    expect(judge([backup(60)], { unread: [{ store: 'away' }] })).toEqual({ findings: [], unknown: [] });
  });

  test('a plan that has just begun: nothing is missing until its first due time and the time for a run, then it is', () => {
    // Due at 02:00 UTC each day, begun at noon of the day before.
    const begun = { vaultMs: NOW - 86_400_000 };
    const dueMs = Date.parse('2026-11-21T02:00:00Z');
    const untilMs = dueMs + HOUR * 1000;
    const at = (nowMs: number, seen: readonly BackupSeen[] = []) =>
      judgeFreshness(system, plan, seen, ALL_READ, nowMs, begun).findings;
    expect(waitsForFirst(plan, [], begun, dueMs - 1)).toEqual({ dueAtMs: dueMs, untilMs });
    expect(at(dueMs - 1)).toEqual([]);
    expect(at(untilMs)).toEqual([]);
    expect(at(untilMs + 1)).toHaveLength(1);
    // One that was found bad, or is not trusted, is no beginning; a safety backup is none of the plan's promise.
    expect(at(dueMs - 1, [backup(13 * HOUR, { trusted: false })])).toHaveLength(1);
    expect(at(dueMs - 1, [backup(13 * HOUR, { purpose: 'safety' })])).toEqual([]);
  });

  test('since when is what is recorded: without that, without a schedule, paused or claimed of the future, it is told at once', () => {
    const findings = (begun: Begun, own = plan) => judgeFreshness(system, own, [], ALL_READ, NOW, begun).findings;
    expect(findings({ vaultMs: NOW - 1000 })).toEqual([]);
    expect(findings({})).toHaveLength(1);
    expect(findings({ scheduleMs: NOW - 1000 })).toHaveLength(1);
    expect(findings({ vaultMs: NOW + 86_400_000 })).toHaveLength(1);
    // A plan that was added to an old system; a schedule that is older than its vault gives it no less time.
    expect(findings({ vaultMs: NOW - 90 * 86_400_000 })).toHaveLength(1);
    expect(findings({ vaultMs: NOW - 90 * 86_400_000, scheduleMs: NOW - 1000 })).toEqual([]);
    expect(findings({ vaultMs: NOW - 1000, scheduleMs: NOW - 90 * 86_400_000 })).toEqual([]);
    const { schedule, ...never } = plan;
    expect(findings({ vaultMs: NOW - 1000 }, never)).toHaveLength(1);
    if (schedule === undefined) throw new Error('the plan has a schedule');
    expect(findings({ vaultMs: NOW - 1000 }, { ...plan, schedule: { ...schedule, paused: true } })).toHaveLength(1);
  });

  test('good in one store and bad in another: it counts', () => {
    const verdicts = [verdict({ ok: false, errors: 1 }), verdict({ store: 'away' })];
    expect(judge([backup(60, { verdicts })]).findings).toEqual([]);
  });

  test('[M9] the newest proved one: read back or restored, and nothing bad found there since', () => {
    const proved = (ageSeconds: number, own: Partial<VerdictSeen> = {}) =>
      backup(ageSeconds, { verdicts: [verdict({ provedAtMs: NOW - 1000, ...own })] });
    const judged = (backups: readonly BackupSeen[]) => judgeProof(system, plan, backups, ALL_READ, NOW).findings;
    expect(judged([proved(6 * DAY), backup(60)])).toEqual([]);
    expect(judged([proved(8 * DAY), backup(60)])).toMatchObject([{ check: 'proof', subject: 'daily' }]);
    expect(judged([proved(60, { ok: false, errors: 1 })])).toHaveLength(1);
    expect(judged([])[0]?.what).toContain('no backup was ever read back');
    const begun = (days: number) => ({ vaultMs: NOW - days * DAY * 1000 });
    expect(judgeProof(system, plan, [backup(60)], ALL_READ, NOW, begun(6)).findings).toEqual([]);
    expect(judgeProof(system, plan, [backup(60)], ALL_READ, NOW, begun(8)).findings).toHaveLength(1);
    expect(planState([proved(8 * DAY), backup(60)], 'daily', NOW).newestProved?.pointAtMs).toBe(NOW - 8 * DAY * 1000);
  });
});

describe('stores', () => {
  const seen = { store: 'vault', errors: 0, bad: [] };

  test('nothing wrong: nothing found', () => {
    expect(judgeStores(system, [seen, { ...seen, store: 'away' }], [backup(60)])).toEqual([]);
  });

  test('unreadable: worse where captures go first', () => {
    const unread = { message: 'no answer', hint: 'Mount it.' };
    const found = judgeStores(
      system,
      [
        { ...seen, unread },
        { ...seen, store: 'away', unread },
      ],
      [],
    );
    expect(found).toMatchObject([
      { check: 'store', subject: 'vault', severity: 'critical' },
      { check: 'store', subject: 'away', severity: 'warning' },
    ]);
    expect(found[0]?.hint).toContain('holdfast doctor shop');
  });

  test('damage, a failed verification and a forged manifest are told for the store they lie in', () => {
    const failed = backup(60, { verdicts: [verdict({ ok: false, errors: 3 })] });
    const forged = backup(90, { trusted: false, why: 'nobody admitted its signer' });
    const [finding, ...more] = judgeStores(system, [{ ...seen, errors: 2, bad: ['chunks/ab/abc'] }], [failed, forged]);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ check: 'corruption', subject: 'vault', severity: 'critical' });
    expect(finding?.what).toMatch(/2 bad objects, such as chunks\/ab\/abc.*failed verification.*can't be trusted/);
    expect(finding?.hint).toContain('holdfast verify shop --whole --all --heal --store vault');
  });

  test('[G6] more than the total that was allowed', () => {
    const judge = (totalBytes: number) => judgeStores(system, [{ ...seen, totalBytes, totalAtMs: NOW }], []);
    expect(judge(10 * 2 ** 30)).toEqual([]);
    expect(judge(10 * 2 ** 30 + 1)).toMatchObject([{ check: 'total-size', subject: 'vault' }]);
  });

  test('[B5] copies that are late, and copies that are short of the rule', () => {
    const lag = { store: 'away', backups: 2, plan: 'daily', limitSeconds: 100 };
    expect(judgeCopyLags(system, [{ ...lag, lagSeconds: 100 }])).toEqual([]);
    const [late] = judgeCopyLags(system, [{ ...lag, lagSeconds: 101, trouble: 'failed 3 times' }]);
    expect(late).toMatchObject({ check: 'copy', subject: 'away' });
    expect(late?.what).toContain('failed 3 times');
    const [short] = judgeRule(system, [{ plan: 'daily', ok: false, short: ['1 of 3 copies'] }]);
    expect(short).toMatchObject({ check: 'copy', subject: 'rule/daily' });
    expect(judgeRule(system, [{ plan: 'daily', ok: true }, { plan: 'daily' }])).toEqual([]);
  });
});

describe('[B5] [W5] hosts', () => {
  const GIB = 2 ** 30;
  const look = (own: Partial<HostLook> = {}): HostLook => ({
    host: 'local',
    nowMs: NOW,
    disks: [],
    disksUnseen: [],
    components: [],
    componentsUnseen: [],
    tools: [],
    rights: [],
    ...own,
  });
  const seen = (own: Partial<HostLook> = {}, around: Partial<HostSeen> = {}): HostSeen => ({
    host: 'local',
    look: look(own),
    askedAtMs: NOW - 100,
    answeredAtMs: NOW + 100,
    ...around,
  });

  test('a disk above 80 % is critical, at 80 % it is not; a limit of free bytes counts beside it', () => {
    const disk = (used: number) => ({
      path: '/srv',
      totalBytes: 100 * GIB,
      usedBytes: used * GIB,
      freeBytes: (100 - used) * GIB,
    });
    for (let used = 0; used <= 100; used += 1) {
      expect(judgeDisk(system, 'local', disk(used)).length).toBe(used > 80 ? 1 : 0);
    }
    const [full] = judgeDisk(system, 'local', disk(91));
    expect(full).toMatchObject({ check: 'disk', subject: 'local/srv', severity: 'critical' });
    expect(full?.what).toContain('91 % in use, its limit is 80 %');
    const strict = parseSystem([], ['disks: [{ path: /srv, used: 100%, free: 10GiB }]']);
    expect(judgeDisk(strict, 'local', disk(89))).toEqual([]);
    expect(judgeDisk(strict, 'local', disk(91))[0]?.what).toContain('9 GiB free, its limit is 10 GiB');
    expect(usedShare({ usedBytes: 0, freeBytes: 0 })).toBe(0);
  });

  test('a clock is off only by what lies outside of the two moments at which the engine asked and heard', () => {
    for (let offset = -20_000; offset <= 20_000; offset += 500) {
      const one = seen({ nowMs: NOW + offset });
      const outside = Math.max(0, Math.abs(offset) - 100);
      expect(Math.abs(clockOffsetMs(one) ?? NaN)).toBe(outside);
      expect(judgeHosts(system, [one]).findings.length).toBe(outside > 5000 ? 1 : 0);
    }
    expect(judgeHosts(system, [seen({ nowMs: NOW + 60_000 })]).findings[0]).toMatchObject({
      check: 'clock',
      subject: 'local',
      hint: expect.stringContaining('timedatectl') as string,
    });
    expect(clockOffsetMs({ host: 'local', look: look() })).toBeUndefined();
  });

  test('a silent host is a finding, and all that it would have said is unknown', () => {
    const { findings, unknown } = judgeHosts(system, [{ host: 'local', silent: 'no answer in 30 s' }]);
    expect(findings.map(findingId)).toEqual(['engine/local']);
    expect(unknown.map(({ what }) => what)).toEqual([
      'component/data',
      'aside/data',
      'disk/local',
      'clock/local',
      'tools/local',
      'rights/local',
    ]);
  });

  test('components, tools and rights are told as the host said; what it did not ask is unknown', () => {
    const one = { subject: 'data', what: 'it is down', hint: 'Start it.' };
    const { findings, unknown } = judgeHosts(system, [
      seen({
        components: [one],
        tools: [{ ...one, subject: 'data/pg_dump' }],
        rights: [{ ...one, subject: '/k' }],
        componentsUnseen: [{ subject: 'data', why: 'frozen' }],
        disksUnseen: [{ subject: '/nas', why: 'no answer' }],
        asides: { overdue: [one], unseen: [{ subject: 'logs', why: 'no answer' }] },
      }),
    ]);
    const ids = ['tools/local/data/pg_dump', 'rights/local/k', 'component/data', 'aside/data'];
    expect(findings.map(findingId)).toEqual(ids);
    expect(findings.at(-1)).toMatchObject({ severity: 'warning', hint: 'Start it.' });
    expect(unknown.map(({ what }) => what)).toEqual(['disk/local/nas', 'component/data', 'aside/logs']);
  });
});

describe('clocks by what lies in the stores', () => {
  const stored = (finishedAtMs: number, storedAtMs: number, own: Partial<BackupSeen> = {}) =>
    backup(60, { finishedAtMs, storedAt: [{ store: 'vault', atMs: storedAtMs }], ...own });

  test('stored before it was finished: its host was ahead; after now: this machine is behind; late is a copy', () => {
    for (let offset = -3600; offset <= 3600; offset += 60) {
      const [finding, ...more] = judgeStoreClocks(
        system,
        [stored(NOW - 7200_000, NOW - 7200_000 + offset * 1000)],
        NOW,
      );
      expect(more).toEqual([]);
      expect(finding === undefined).toBe(offset >= 0);
      if (finding !== undefined) expect(finding.what).toContain('its host was ahead');
    }
    expect(judgeStoreClocks(system, [stored(NOW, NOW - 6000)], NOW)).toEqual([]);
    expect(judgeStoreClocks(system, [stored(NOW, NOW - 6001)], NOW)).toMatchObject([{ subject: 'store/vault' }]);
    expect(judgeStoreClocks(system, [stored(NOW, NOW + 60_000)], NOW)[0]?.what).toContain("machine's clock is behind");
  });

  test('the next backup that is as it should be: the finding is gone', () => {
    const wrong = stored(NOW - 1000, NOW - 3_600_000, { sequence: 900 });
    expect(judgeStoreClocks(system, [wrong], NOW)).toHaveLength(1);
    expect(judgeStoreClocks(system, [stored(NOW - 1000, NOW, { sequence: 901 }), wrong], NOW)).toEqual([]);
  });
});

describe('engine, runs and logs', () => {
  test('an engine that is down is a finding, and of runs nothing is known', () => {
    const { findings, unknown } = judgeEngine(system, { running: false, why: 'refused' });
    expect(findings).toMatchObject([{ check: 'engine', subject: 'engine', severity: 'critical' }]);
    expect(findings[0]?.hint).toContain('holdfast up');
    expect(unknown).toMatchObject([{ what: 'run' }]);
  });

  test('the last run of a plan failed: it says why and how to run it again', () => {
    const run = { subject: 'backup/daily', workflowId: 'shop/backup/daily', endedAtMs: NOW, ok: false };
    const [finding] = judgeEngine(system, {
      running: true,
      runs: [{ ...run, message: 'disk full', hint: 'Make room.' }],
    }).findings;
    expect(finding).toMatchObject({ check: 'run', subject: 'backup/daily', severity: 'critical' });
    expect(finding?.what).toContain('disk full');
    expect(finding?.hint).toBe('Make room. Then: holdfast backup shop daily');
    expect(judgeEngine(system, { running: true, runs: [{ ...run, ok: true }] }).findings).toEqual([]);
  });

  test('a log is behind when it is not received, waits for a person, or its recovery point is too old', () => {
    const log = { component: 'db', store: 'vault', received: true, recoveryPointAgeSeconds: 60 };
    expect(isLogBehind(log, 60)).toBe(false);
    expect(isLogBehind(log, 59)).toBe(true);
    expect(isLogBehind({ ...log, received: false }, Infinity)).toBe(true);
    expect(isLogBehind({ ...log, waitingFor: 'operator: slot lost' }, Infinity)).toBe(true);
    const unread = { message: 'no answer' };
    expect(judgeLogs(system, [{ component: 'db', store: 'vault', unread }], NOW)).toMatchObject({
      findings: [],
      unknown: [{ what: 'wal/db' }],
    });
    expect(judgeLogs(system, [{ ...log, received: false }], NOW).findings[0]?.what).toContain('it is not received');
  });
});
