import { describe, expect, test } from 'vitest';
import {
  isPrepared,
  notPrepared,
  whyVoid,
  type PreparedBefore,
  type PreparedNow,
} from '../../../src/policy/failover/prepared.ts';

const part = (name: string, backup = 'b1') => ({ name, backup, manifestKey: `backups/${backup}.json`, store: 'disk' });
const log = (pointAt: string) => ({ ...part('db'), recoverTo: 'end', pointAt });

describe('what is restored ahead', () => {
  test('the same backup out of another store is the same; another one, one more, and nothing at all are not', () => {
    const prepared = [part('db'), part('files')];
    expect(isPrepared([{ ...part('db'), store: 'far' } as never], prepared)).toBe(true);
    expect(isPrepared([part('db', 'b2')], prepared)).toBe(false);
    expect(isPrepared([part('db'), part('more')], prepared)).toBe(false);
    expect(isPrepared([], prepared)).toBe(false);
    expect(notPrepared([part('db', 'b2'), part('files')], prepared)).toEqual(['db']);
  });

  test('a log that leads a little further is no reason to restore again, but is not the same either', () => {
    const prepared = [log('2026-11-22T02:00:00Z')];
    expect(notPrepared([log('2026-11-22T02:14:00Z')], prepared)).toEqual([]);
    expect(notPrepared([log('2026-11-22T02:15:00Z')], prepared)).toEqual(['db']);
    expect(isPrepared([log('2026-11-22T02:14:00Z')], prepared)).toBe(false);
    expect(isPrepared([log('2026-11-22T02:00:00Z')], prepared)).toBe(true);
  });

  const mark = { exists: true, sizeBytes: 10, newestChangeMs: 5 };
  const before: PreparedBefore = { generation: 3, marks: { db: mark }, containers: 'same' };
  const now: PreparedNow = {
    site: 'here',
    newest: { n: 3, site: 'there' },
    marks: { db: mark },
    containers: 'same',
    running: [],
  };

  test('untouched, under the same generation or the one by which this site takes over: it counts', () => {
    expect(whyVoid(before, now)).toBeUndefined();
    expect(whyVoid(before, { ...now, newest: { n: 4, site: 'here' } })).toBeUndefined();
  });

  test('another generation, anything that runs, was started, was written or is gone: it counts no more, and says why', () => {
    const voided: [Partial<PreparedNow>, RegExp][] = [
      [{ newest: { n: 4, site: 'there' } }, /generation 4/],
      [{ newest: { n: 5, site: 'here' } }, /generation 5/],
      [{ running: ['api'] }, /api/],
      [{ containers: 'other' }, /containers/],
      [{ marks: { db: { ...mark, newestChangeMs: 6 } } }, /changed since: db/],
      [{ marks: { db: { ...mark, sizeBytes: 11 } } }, /changed since: db/],
      [{ marks: { db: { exists: false } } }, /changed since: db/],
      [{ marks: {} }, /changed since: db/],
      [{ marks: { db: { ...mark, unwatched: true } } }, /nobody would see whether somebody writes to db/],
    ];
    for (const [change, why] of voided) expect(whyVoid(before, { ...now, ...change })).toMatch(why);
  });
});
