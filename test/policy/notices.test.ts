import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/policy/findings.ts';
import { endNotice, endOf, incidentNotice, safeId, testNotice } from '../../src/policy/notices.ts';
import { fillTemplate, PLACEHOLDERS, unknownPlaceholders } from '../../src/policy/templates.ts';

const AT = Date.UTC(2026, 10, 21, 5);
const finding: Finding = {
  system: 'shop',
  check: 'freshness',
  subject: 'hourly',
  severity: 'critical',
  what: 'the newest backup is 3 h old, its limit is 1 h',
  hint: 'Look at the last run: holdfast status shop',
};
const facts = { finding, openedAtMs: AT - 7200_000, sinceMs: AT - 3 * 3600_000, level: { number: 2, name: 'L2' } };

describe('news of an incident', () => {
  test('opened: what, since when, what to do, and how to say that one is on it', () => {
    const notice = incidentNotice('opened', facts, { id: 'run-1', atMs: AT });
    expect(notice).toMatchObject({ type: 'incident.opened', severity: 'critical', title: 'shop: freshness of hourly' });
    expect(notice.text.split('\n')).toEqual([
      'the newest backup is 3 h old, its limit is 1 h',
      'Since 2026-11-21T02:00:00.000Z (3 h).',
      'What to do: Look at the last run: holdfast status shop',
      'Say that you are on it: holdfast ack shop freshness/hourly',
    ]);
    expect(notice.facts).toMatchObject({ incident: 'freshness/hourly', level: 2, levelName: 'L2' });
  });

  test('escalated, acknowledged, healed: each says so, and the last is no alarm', () => {
    const about = { id: 'run-1', atMs: AT };
    expect(incidentNotice('escalated', facts, about).title).toBe('shop: escalated to L2: freshness of hourly');
    const acknowledged = incidentNotice('acknowledged', facts, { ...about, by: 'ana', note: 'the cable' });
    expect(acknowledged.text).toContain('By ana: the cable');
    expect(acknowledged.text).not.toContain('Say that you are on it');
    const healed = incidentNotice('healed', facts, about);
    expect(healed).toMatchObject({ severity: 'info', title: 'shop: healed: freshness of hourly' });
    expect(healed.text).toContain('It lasted 3 h.');
  });
});

describe('the end of an operation', () => {
  test.each([
    ['backup', { outcome: 'done' }, 'backup done'],
    ['backup', { outcome: 'skipped' }, 'backup skipped'],
    ['backup', { outcome: 'failed', failure: {} }, 'backup failed'],
    ['copy', { backups: 1 }, 'copy done'],
    ['prune', { outcome: 'swept' }, 'prune done'],
    ['prune', { outcome: 'planned' }, undefined],
    ['verify', { ok: true }, 'verify done'],
    ['verify', { ok: false }, 'verify failed'],
    ['verifyStore', { ok: false }, 'verify failed'],
    ['restore', { outcome: 'restored' }, 'restore done'],
    ['restore', { outcome: 'rolled-back' }, 'restore failed'],
    ['restore', { outcome: 'rejected' }, undefined],
    ['rows', { outcome: 'restored' }, 'restore done'],
    ['missing', { outcome: 'undone' }, 'restore done'],
    ['missing', { outcome: 'nothing' }, undefined],
    ['cleanPoint', { outcome: 'found' }, 'clean-point found'],
    ['cleanPoint', { outcome: 'none' }, 'clean-point none'],
    ['cleanPoint', { outcome: 'failed', failure: {} }, 'clean-point failed'],
    ['incident', { state: 'healed' }, undefined],
  ])('%s %o: %s', (kind, report, event) => {
    expect(endOf({ kind, report })).toBe(event);
  });

  test('a search that found no clean backup: a warning that names the others and the next step [B8]', () => {
    const report = {
      outcome: 'none',
      notClean: ['b2', 'b1'],
      undecided: [],
      report: 'reports/clean-point/x/report.json',
    };
    const ended = { system: 'shop', kind: 'cleanPoint', id: 'run-1', atMs: AT, report };
    const notice = endNotice(ended, 'clean-point none');
    expect(notice).toMatchObject({ type: 'clean-point.none', severity: 'warning', title: 'shop: clean-point none' });
    expect(notice.text.split('\n')).toEqual([
      'outcome: none',
      'report: reports/clean-point/x/report.json',
      'notClean: b2, b1',
      expect.stringContaining('What to do: look further back'),
    ]);
    const found = { ...report, outcome: 'found', backup: 'b0', restore: 'holdfast restore shop b0 --store nas' };
    const good = endNotice({ ...ended, report: found }, 'clean-point found');
    expect(good).toMatchObject({ severity: 'info', facts: { backup: 'b0' } });
    expect(good.text).toContain('restore: holdfast restore shop b0 --store nas');
  });

  test('a backup that is done: sizes, duration, warnings [T7]', () => {
    const report = { outcome: 'done', readBytes: 3 * 1024 ** 3, downtimeMs: 900, warnings: ['the clock is off'] };
    const ended = {
      system: 'shop',
      kind: 'backup',
      id: 'run.1',
      subject: 'daily',
      atMs: AT,
      durationSeconds: 75,
      report,
    };
    const notice = endNotice(ended, 'backup done');
    expect(notice).toMatchObject({ id: 'backup-run_1-done', type: 'backup.done', severity: 'info' });
    expect(notice.title).toBe('shop: backup of daily done');
    expect(notice.text).toContain('readBytes: 3 GiB');
    expect(notice.text).toContain('durationSeconds: 1 min 15 s');
    expect(notice.text).toContain('warning: the clock is off');
  });

  test('one that failed: why, and what to do; texts of any length are cut [T7]', () => {
    const failure = { code: 'DiskFull', message: `no space\non ${'x'.repeat(2000)}`, hint: 'Free space.' };
    const report = { outcome: 'failed', failure, warnings: Array.from({ length: 50 }, () => 'one of many') };
    const notice = endNotice({ system: 'shop', kind: 'backup', id: 'r', atMs: AT, report }, 'backup failed');
    expect(notice).toMatchObject({ severity: 'critical', facts: { code: 'DiskFull' } });
    expect(notice.text.split('\n').length).toBeLessThanOrEqual(20);
    expect(Math.max(...notice.text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(500);
    expect(notice.text.split('\n').at(-1)).toBe('What to do: Free space.');
  });
});

describe('templates', () => {
  const notice = testNotice('shop', { id: 'test-1', atMs: AT, by: 'ana' });

  test('every placeholder is filled, what a notice lacks is left out, other braces are text', () => {
    const all = PLACEHOLDERS.map((name) => `{${name}}`).join('|');
    expect(fillTemplate(all, notice)).toBe(
      ['shop', 'test', 'info', notice.at, notice.title, notice.text, 'test-1', '', ''].join('|'),
    );
    expect(fillTemplate('{ "a": {} } {0}', notice)).toBe('{ "a": {} } {0}');
  });

  test('a value that looks like a placeholder is not filled again', () => {
    expect(fillTemplate('{title}', { ...notice, title: '{text}' })).toBe('{text}');
  });

  test('names that are none: each once', () => {
    expect(unknownPlaceholders('{title} {titel} {x} {titel}')).toEqual(['titel', 'x']);
  });

  test('ids: what a signature can join by dots', () => {
    expect(safeId('a.b/c 1-2_3')).toBe('a_b_c_1-2_3');
  });
});
