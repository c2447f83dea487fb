import { expect, it } from 'vitest';
import { openS3Store } from '../../src/stores/s3.ts';
import type { Fault } from '../support/fault-proxy.ts';
import { resolveS3Secret, s3StoreConfig, startS3Server } from '../support/s3-server.ts';
import type { S3Server } from '../support/s3-server.ts';
import { keys, sha256 } from './conformance.ts';
import { HTML, onBadNetwork } from './http-faults.ts';

/** More than one piece of a connection. */
const BODY = Buffer.alloc(80_000, 'what must come back whole ');
const BUSY = { kind: 'status', status: 503, code: 'SlowDown' } as const;
/** Longer than any of the pauses of a body that comes slowly, on a busy machine as well. */
const SILENCE_MS = 3_000;

let server: S3Server;

onBadNetwork(
  {
    name: 'an S3 store',
    silenceMs: SILENCE_MS,
    body: BODY,
    busy: BUSY,
    forbidden: { kind: 'status', status: 403, code: 'AccessDenied' },
    final: [
      [403, 'AccessDenied', 'StoreDenied'],
      [501, 'NotImplemented', 'StoreUnfit'],
      [507, 'InsufficientStorage', 'DiskFull'],
    ],
    reads: ({ method }) => method === 'HEAD',
    writes: () => true,
    more: [['the stored checksum', (on) => Promise.resolve(on.storedSha256?.('there')), sha256(BODY)]],
    start: async () => {
      server = await startS3Server();
      return server.url;
    },
    open: (endpoint, retries) =>
      openS3Store(s3StoreConfig(server, { prefix: 'faults', endpoint }), resolveS3Secret, retries),
    stop: () => server.stop(),
  },
  (at) => {
    it('a body that comes slowly but steadily: is not given up, though it takes longer than the allowed silence', async () => {
      const { proxy, hasty } = at();
      const slow: Fault = { kind: 'slow', pieces: 10, pauseMs: 400 };
      proxy.always(() => slow);
      expect(sha256(await hasty.get('there'))).toBe(sha256(BODY));
    });

    it('a conflict between conditional writes: is settled by another attempt', async () => {
      const { proxy, store } = at();
      proxy.next({ kind: 'status', status: 409, code: 'ConditionalRequestConflict' });
      expect(await store.put('conflict', BODY, { createOnly: true })).toBe('written');
    });

    it('a listing that fails halfway: goes on where it was', async () => {
      const { proxy, direct, store } = at();
      const names = Array.from({ length: 30 }, (_, index) => `some/${String(index).padStart(2, '0')}`);
      await Promise.all(names.map((key) => direct.put(key, Buffer.from(key), { createOnly: true })));
      proxy.next({ kind: 'cut', part: 0.4 }, BUSY, HTML);
      expect(await keys(store, 'some/')).toEqual(names);
    });
  },
);
