import { expect, test } from 'vitest';
import { SLAB_BYTES, SlabStream } from '../../src/seal/slabs.ts';

const textOf = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString('latin1');

test('a stream across slabs: each reader gets all of it, in pieces of its own length', () => {
  const stream = new SlabStream(2);
  const [one, other] = [stream.reader(), stream.reader()];
  const whole = Buffer.alloc(2.5 * SLAB_BYTES, 'abcdefg');
  for (let at = 0; at < whole.length; at += 70_001) stream.write(whole.subarray(at, at + 70_001));
  const parts: string[] = [];
  for (let left = whole.length; left > 0; left -= 300_000) {
    parts.push(textOf(one.take(Math.min(300_000, left)).pieces));
  }
  expect(parts.join('') === whole.toString('latin1')).toBe(true);
  const { pieces } = other.take(whole.length);
  expect(pieces.map(({ length }) => length)).toEqual([SLAB_BYTES, SLAB_BYTES, SLAB_BYTES / 2]);
  expect(textOf(pieces) === whole.toString('latin1')).toBe(true);
});

test('memory is used again when every reader is done with it, and not before', () => {
  const stream = new SlabStream(2);
  const [one, other] = [stream.reader(), stream.reader()];
  const slab = (byte: number): Uint8Array => Buffer.alloc(SLAB_BYTES, byte);
  stream.write(slab(1));
  const first = one.take(SLAB_BYTES);
  const [half, rest] = [other.take(SLAB_BYTES / 2), other.take(SLAB_BYTES / 2)];
  first.done();
  half.done();
  stream.write(slab(2));
  expect(rest.pieces[0]?.[0]).toBe(1);
  const second = one.take(SLAB_BYTES);
  expect(second.pieces[0]?.buffer).not.toBe(first.pieces[0]?.buffer);
  rest.done();
  stream.write(slab(3));
  expect(one.take(SLAB_BYTES).pieces[0]?.buffer).toBe(first.pieces[0]?.buffer);
  expect(second.pieces[0]?.[0]).toBe(2);
});
