/** Checklists: what the program sees it answers, what it can't see it says, and people sign for the rest alone. */
import { describe, expect, test } from 'vitest';
import { CHECKLISTS, type Checklist } from '../../src/policy/checklist-lists.ts';
import { answersOf, outcomeOf, signedBy, type ChecklistFacts } from '../../src/policy/checklists.ts';
import type { Finding } from '../../src/policy/findings.ts';
import { checklistHtml, checklistMarkdown } from '../../src/observe/checklist-report.ts';

const NOW_MS = Date.parse('2026-11-21T12:00:00Z');

function facts(more: Partial<ChecklistFacts> = {}): ChecklistFacts {
  return {
    system: 'tbcv',
    nowMs: NOW_MS,
    findings: [],
    unknown: [],
    restoreTest: { at: '2026-11-20T12:00:00Z', backup: 'b1', ok: true, checks: 4, durationMs: 61_000 },
    channels: ['ops'],
    unscheduled: [],
    storedBytes: { lately: 2 ** 30, before: 2 ** 29 },
    ...more,
  };
}

function list(name: string): Checklist {
  const found = CHECKLISTS.find((one) => one.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

function finding(check: Finding['check'], subject: string): Finding {
  return { system: 'tbcv', check, subject, severity: 'critical', what: 'is wrong', hint: 'mend it' };
}

describe('[B10] [W5] checklists', () => {
  test('every point has an id of its own in its list, a text, and says what to do', () => {
    expect(CHECKLISTS.map(({ name }) => name)).toEqual([
      'before-backup',
      'after-backup',
      'restore-test',
      'monthly',
      'audit',
    ]);
    for (const { points } of CHECKLISTS) {
      expect(new Set(points.map(({ id }) => id)).size).toBe(points.length);
      for (const { text, todo } of points) expect([text, todo].every((one) => one.length > 5)).toBe(true);
    }
  });

  test('all is well: what the program can see is answered, the rest waits for people', () => {
    const answers = answersOf(list('audit'), facts());
    expect(answers.map(({ state }) => state)).toEqual(['pass', 'pass', 'pass', 'pass', 'pass']);
    expect(outcomeOf(answers)).toBe('complete');
    expect(outcomeOf(answersOf(list('monthly'), facts()))).toBe('open');
  });

  test('a finding fails just the points it belongs to, with what to do', () => {
    const answers = answersOf(list('audit'), facts({ findings: [finding('disk', '/'), finding('size', 'daily')] }));
    expect(answers.filter(({ state }) => state === 'fail')).toMatchObject([
      { id: 'disk-space', evidence: '/: is wrong', todo: expect.stringContaining('room') as string },
    ]);
    expect(outcomeOf(answers)).toBe('failed');
  });

  test('what could not be looked at is not passed', () => {
    const unknown = [
      { what: 'freshness/daily', why: 'the store is away' },
      { what: 'corruption', why: 'the store is away' },
    ];
    const answers = answersOf(list('after-backup'), facts({ unknown }));
    expect(answers.filter(({ state }) => state === 'unknown').map(({ id }) => id)).toEqual(['made', 'whole']);
    expect(outcomeOf(answers)).toBe('unknown');
  });

  test('a restore test that is too old, or failed, is none', () => {
    const of = (more: Partial<NonNullable<ChecklistFacts['restoreTest']>>): string | undefined =>
      answersOf(
        list('audit'),
        facts({ restoreTest: { at: '2026-11-20T12:00:00Z', backup: 'b1', ok: true, checks: 4, ...more } }),
      ).find(({ id }) => id === 'restore-test')?.state;
    expect([of({}), of({ ok: false }), of({ at: '2026-09-01T00:00:00Z' })]).toEqual(['pass', 'fail', 'fail']);
  });

  test('people sign for their own points only; the newest signature counts', () => {
    const monthly = list('monthly');
    const at = (hour: number): string => `2026-11-21T${hour}:00:00Z`;
    const before = answersOf(monthly, facts({ findings: [finding('copy', 'nas')] }));
    const open = before.filter(({ state }) => state === 'open').map(({ id }) => id);
    const after = signedBy(before, monthly, [
      ...[...open, 'copies'].map((point) => ({ point, by: 'ann', at: at(13) })),
      { point: 'contacts', by: 'ben', at: at(14), note: 'asked all three' },
    ]);
    expect(after.find(({ id }) => id === 'copies')).toMatchObject({ state: 'fail' });
    expect(after.find(({ id }) => id === 'contacts')).toMatchObject({
      state: 'signed',
      by: 'ben',
      evidence: 'asked all three',
    });
    expect(after.filter(({ state }) => state === 'open')).toEqual([]);
    expect(outcomeOf(after)).toBe('failed');
  });

  test('reports: text of others is text, in Markdown and in HTML', () => {
    const points = answersOf(
      list('audit'),
      facts({ findings: [finding('disk', '</td><script>alert(1)</script> *bold* `x`')] }),
    );
    const report = {
      system: 'tbcv',
      title: 'Audit',
      at: '2026-11-21T12:00:00Z',
      by: 'ann',
      outcome: outcomeOf(points),
      points,
    };
    expect(checklistHtml(report)).not.toContain('<script>');
    expect(checklistMarkdown(report)).toContain('\\*bold\\*');
    expect(checklistMarkdown(report)).toContain('- [!] **There is room on the disks** (no)');
  });
});
