/** Archive classes: which are frozen, how long they take, and how a restore waits for them. */
import { describe, expect, test } from 'vitest';
import { frozenText } from '../../src/observe/plan-words.ts';
import { isArchived, lookAgainSeconds, thawHours, thawLimitSeconds } from '../../src/policy/thaw.ts';

describe('[T11] thawing', () => {
  test('only classes that cannot be read at once are archives', () => {
    expect(isArchived({ kind: 's3', storageClass: 'DEEP_ARCHIVE' })).toBe(true);
    expect(isArchived({ kind: 's3', storageClass: 'GLACIER' })).toBe(true);
    expect(isArchived({ kind: 'azure', storageClass: 'Archive' })).toBe(true);
    expect(isArchived({ kind: 's3', storageClass: 'GLACIER_IR' })).toBe(false);
    expect(isArchived({ kind: 'gcs', storageClass: 'ARCHIVE' })).toBe(false);
    expect(isArchived({ kind: 'directory' })).toBe(false);
  });

  test('times as documented; a class without a speed has none', () => {
    expect(thawHours('s3', 'DEEP_ARCHIVE', 'bulk')).toEqual({ least: 12, most: 48 });
    expect(thawHours('s3', 'GLACIER', 'standard')).toEqual({ least: 3, most: 5 });
    expect(thawHours('s3', 'DEEP_ARCHIVE', 'expedited')).toBeUndefined();
  });

  test('looks about fifty times, between once a minute and twice an hour, and waits far longer than promised', () => {
    expect(lookAgainSeconds(5 / 60)).toBe(60);
    expect(lookAgainSeconds(5)).toBe(360);
    expect(lookAgainSeconds(48)).toBe(1800);
    for (const most of [5 / 60, 5, 48]) {
      expect(thawLimitSeconds(most)).toBeGreaterThanOrEqual(4 * most * 3600);
    }
  });

  test('a plan says how much, how long and what it costs before anybody approves', () => {
    const frozen = { objects: 2000, bytes: 3 * 1024 ** 3, storageClass: 'DEEP_ARCHIVE', speed: 'bulk' } as const;
    const said = frozenText({ ...frozen, hoursLeast: 12, hoursMost: 48, cost: '0.06 USD' });
    expect(said).toBe('2,000 objects of 3 GiB in DEEP_ARCHIVE are thawed first, bulk: 12 h to 2 d; costs 0.06 USD');
    expect(frozenText({ ...frozen, speed: 'expedited' })).toContain('no such speed');
  });
});
