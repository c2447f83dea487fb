import { describe, expect, test } from 'vitest';
import { signatureHeaders, signingKeyBytes } from '../../src/notify/signature.ts';

/** Of the specification's own tests. */
const VECTOR = {
  key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  atMs: 1_614_265_330_000,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

describe('signed messages', () => {
  test("the specification's test vector: the same signature, with and without the prefix of the key", () => {
    for (const key of [VECTOR.key, VECTOR.key.slice('whsec_'.length)]) {
      expect(signatureHeaders(signingKeyBytes(key), VECTOR)).toEqual({
        'webhook-id': VECTOR.id,
        'webhook-timestamp': '1614265330',
        'webhook-signature': VECTOR.signature,
      });
    }
  });

  test('another time, id or body: another signature; milliseconds do not count', () => {
    const key = signingKeyBytes(VECTOR.key);
    const sign = (change: Partial<typeof VECTOR>) =>
      signatureHeaders(key, { ...VECTOR, ...change })['webhook-signature'];
    expect(sign({ atMs: VECTOR.atMs + 999 })).toBe(VECTOR.signature);
    for (const change of [{ atMs: VECTOR.atMs + 1000 }, { id: 'msg_2' }, { body: '{"test":2432232314}' }]) {
      expect(sign(change)).not.toBe(VECTOR.signature);
    }
  });

  test('no key: not signed, and still with an id by which a repeat can be told', () => {
    expect(signatureHeaders(undefined, VECTOR)).toEqual({
      'webhook-id': VECTOR.id,
      'webhook-timestamp': '1614265330',
    });
  });

  test.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'not base64 at all, but quite long enough for one', 'a'.repeat(100)])(
    'a key that is none (%s): refused without its value',
    (key) => {
      expect(() => signingKeyBytes(key)).toThrow('no base64 of 24 to 64 bytes');
    },
  );
});
