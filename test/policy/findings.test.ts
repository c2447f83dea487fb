import { describe, expect, test } from 'vitest';
import { findingId, inOrder, isUnknown, type Finding } from '../../src/policy/findings.ts';

const finding = (check: Finding['check'], subject: string, severity: Finding['severity'] = 'warning'): Finding => ({
  system: 's',
  check,
  subject,
  severity,
  what: 'w',
  hint: 'h',
});

describe('findings', () => {
  test('critical ones are told first, then by id', () => {
    const told = inOrder([finding('size', 'b'), finding('wal', 'a', 'critical'), finding('disk', 'c')]);
    expect(told.map(findingId)).toEqual(['wal/a', 'disk/c', 'size/b']);
  });

  test('a check that could not be looked at: all its subjects are unknown, no other check is', () => {
    const unknown = [{ what: 'component' }, { what: 'freshness/daily' }, { what: 'run/backup' }];
    expect(isUnknown('component/db', unknown)).toBe(true);
    expect(isUnknown('freshness/daily', unknown)).toBe(true);
    expect(isUnknown('run/backup/daily', unknown)).toBe(true);
    expect(isUnknown('freshness/daily-full', unknown)).toBe(false);
    expect(isUnknown('components/db', unknown)).toBe(false);
    expect(isUnknown('run/backups', unknown)).toBe(false);
  });
});
