import { describe, expect, test } from 'vitest';
import { findingId, inOrder, isUnknown, type Finding } from '../../src/policy/findings.ts';
import { unseenOf } from '../../src/policy/unseen.ts';

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

describe('what could not be looked at', () => {
  const system = { hosts: ['one'], components: [] };

  test('a store that is not read: what others lack of it is not known either, so that no alarm of copies is over', () => {
    const unread = [{ store: 'nas', why: 'it does not answer' }];
    const unseen = unseenOf(system, { unread, hosts: ['one'], onItsWay: false });
    expect(isUnknown('copy/offsite', unseen)).toBe(true);
    expect(isUnknown('corruption/nas', unseen)).toBe(true);
    expect(isUnknown('corruption/offsite', unseen)).toBe(false);
  });

  test('all is read and asked: nothing is unknown; while a copy runs the rule is', () => {
    const seen = { unread: [], hosts: ['one'] };
    expect(unseenOf(system, { ...seen, onItsWay: false })).toEqual([]);
    expect(isUnknown('copy/rule/daily', unseenOf(system, { ...seen, onItsWay: true }))).toBe(true);
  });
});
