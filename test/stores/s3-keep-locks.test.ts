/** Locks of a real server, made longer by the keeper for what backups need and for nothing else. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import fc from 'fast-check';
import { mayNeedLock, needsLock } from '../../src/policy/lock-extension.ts';
import { openStore } from '../../src/stores/index.ts';
import { keysIn } from '../../src/vault/listed.ts';
import { keepLocks } from '../../src/vault/sweep/keep-locks.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { adminClient, makeBucket } from '../support/s3-admin.ts';
import { resolveS3Secret, s3StoreConfig, startS3Server, type S3Server } from '../support/s3-server.ts';
import { artifactOf, backUp, captureInto, makeTestVault, noise, streamSegment } from '../support/vault.ts';

const FOR_SECONDS = 3600;
const { signal } = new AbortController();
let server: S3Server;

beforeAll(async () => {
  server = await startS3Server(undefined, { versions: true });
  const admin = adminClient(server.url);
  await makeBucket(admin, 'kept', 'locked');
  admin.destroy();
});

afterAll(() => server.stop());

test('[M4] [W6] locks that run out: made longer for what a backup needs, not for what nobody names, never shorter', async () => {
  const config = { ...s3StoreConfig(server, { prefix: 'vault' }), bucket: 'kept' };
  const store = await openStore(
    { ...config, immutable: { mode: 'governance', forSeconds: FOR_SECONDS } },
    resolveS3Secret,
  );
  await using vault = await makeTestVault({ store });
  const { vaultId, keys } = vault;
  const writer = await vault.writer();
  await backUp(writer, { captureId: 'kept', artifacts: [artifactOf('data', [streamSegment(noise(1, 3_000_000))])] });
  const named = await keysIn(store, '');
  // A capture that never commits: nothing needs what it stored.
  const ticket = await writer.begin({ captureId: 'given-up', plan: 'daily', startedAtMs: Date.now() });
  await captureInto(writer, ticket, { artifacts: [artifactOf('data', [streamSegment(noise(2, 2_000_000))])] });
  await writer.close();

  const roots = await readTrustRoots(store, vaultId, keys.root.fingerprint);
  const keep = (nowMs: number) =>
    keepLocks({ store, vaultId, roots }, { forSeconds: FOR_SECONDS, nowMs, signal, report: () => undefined });

  // Soon after the writing nothing is due. When over a third of the time is over, all of it is.
  expect(await keep(Date.now())).toMatchObject({ extended: 0 });
  const laterMs = Date.now() + 0.5 * FOR_SECONDS * 1000;
  const kept = await keep(laterMs);
  const staying = named.filter((key) => !key.startsWith('captures/'));
  expect(kept).toMatchObject({ kept: staying.length, extended: staying.length });
  const second = Math.floor((laterMs + FOR_SECONDS * 1000) / 1000) * 1000;
  for (const key of staying) {
    expect([key, (await store.locks?.get(key))?.untilMs ?? 0]).toEqual([key, expect.toSatisfy((ms) => ms >= second)]);
  }
  for (const key of (await keysIn(store, 'chunks/')).filter((one) => !named.includes(one))) {
    expect([key, (await store.locks?.get(key))?.untilMs ?? 0]).toEqual([key, expect.toSatisfy((ms) => ms < second)]);
  }
  // Again, and with an earlier clock: nothing to do, and nothing shorter.
  expect(await keep(laterMs)).toMatchObject({ kept: staying.length, extended: 0 });
  expect(await keep(Date.now())).toMatchObject({ extended: 0 });
});

test('a keeper that comes within a third of the time: no lock ever runs out, whenever the objects were written', () => {
  const seconds = fc.integer({ min: 60, max: 10 * 365 * 86_400 });
  fc.assert(
    fc.property(
      seconds,
      fc.array(fc.double({ min: 0.01, max: 1 / 3, noNaN: true }), { maxLength: 60 }),
      (time, pauses) => {
        let untilMs = time * 1000;
        let nowMs = 0;
        for (const pause of pauses) {
          nowMs += pause * time * 1000;
          expect(untilMs).toBeGreaterThan(nowMs);
          if (mayNeedLock(0, time, nowMs) && needsLock({ untilMs }, time, nowMs)) untilMs = nowMs + time * 1000;
        }
      },
    ),
  );
});
