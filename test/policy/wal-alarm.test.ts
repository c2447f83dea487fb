/** What a slot may hold back: a bound, and a disk that may be smaller than the bound. */
import { describe, expect, it } from 'vitest';
import { judgeSlot, type SlotFacts, type WalAlarm } from '../../src/policy/wal-alarm.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Filled step by step by the slot alone: at which share of the disk something is said or done first. */
function fill(totalBytes: number, boundBytes: number, otherBytes = 0): { alarmAt: number; dropAt: number } {
  let shown: WalAlarm | undefined;
  let alarmAt = Infinity;
  for (let held = 0; held <= totalBytes - otherBytes; held += totalBytes / 1000) {
    const freeBytes = totalBytes - otherBytes - held;
    const facts: SlotFacts = { slot: 's', heldBackBytes: held, boundBytes, disk: { freeBytes, totalBytes } };
    const { drop, alarm } = judgeSlot(facts, shown);
    if (drop) return { alarmAt, dropAt: held };
    if (alarm !== undefined) alarmAt = Math.min(alarmAt, held);
    shown = alarm;
  }
  throw new Error('the disk is full and the slot is still there');
}

describe('[T1] a slot that fills the disk of the log', () => {
  it('a bound that the disk has room for: an alarm at half of it, the end at the bound', () => {
    const { alarmAt, dropAt } = fill(100 * GIB, 8 * GIB);
    expect(alarmAt / (4 * GIB)).toBeCloseTo(1, 1);
    expect(dropAt / (8 * GIB)).toBeCloseTo(1, 1);
  });

  it.each([96 * MIB, GIB, 10 * GIB, 200 * GIB])(
    'a disk of %d bytes, smaller than the bound: an alarm while at least two fifths are left, an end while there is room',
    (total) => {
      const { alarmAt, dropAt } = fill(total, 1000 * GIB);
      expect(alarmAt).toBeLessThan(0.6 * total);
      expect(total - dropAt).toBeGreaterThanOrEqual(0.029 * total);
      expect(total - dropAt).toBeGreaterThan(Math.min(400 * MIB, 0.1 * total));
    },
  );

  it('a disk that something else has filled: said, and a slot that holds nothing stays', () => {
    const disk = { freeBytes: GIB / 50, totalBytes: GIB };
    const facts = { slot: 's', heldBackBytes: MIB, boundBytes: 8 * GIB, disk };
    expect(judgeSlot(facts, undefined)).toMatchObject({ drop: false, alarm: { what: 'disk' } });
  });

  it('a disk that is not seen: the bound alone counts', () => {
    const facts = { slot: 's', heldBackBytes: 3 * GIB, boundBytes: 8 * GIB };
    expect(judgeSlot(facts, undefined)).toEqual({ drop: false });
    expect(judgeSlot({ ...facts, heldBackBytes: 4 * GIB }, undefined)).toMatchObject({ alarm: { what: 'held-back' } });
    expect(judgeSlot({ ...facts, heldBackBytes: 8 * GIB }, undefined)).toMatchObject({ drop: true });
  });
});
