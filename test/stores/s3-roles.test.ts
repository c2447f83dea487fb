import {
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../src/stores/index.ts';
import type { ObjectVersion } from '../../src/stores/store.ts';
import { generateKeys, initVault, openReaderVault, openWriterVault } from '../../src/vault/index.ts';
import type { WriterVault } from '../../src/vault/index.ts';
import { BUCKET, PREFIX, startRoleServer } from '../support/role-server.ts';
import type { RoleServer } from '../support/role-server.ts';
import { S3_REGION } from '../support/s3-server.ts';
import {
  artifactOf,
  backUp,
  initOptions,
  makeTestVault,
  noise,
  readAll,
  streamSegment,
  SYSTEM,
  writerKeysOf,
} from '../support/vault.ts';
import type { TestVault } from '../support/vault.ts';
import { keys as keysOf, sha256 } from './conformance.ts';

const DAY_SECONDS = 86_400;
const signal = new AbortController().signal;
const keys = generateKeys(SYSTEM);
const data = [noise(5, 1_500_000), noise(6, 1_000_000)] as const;
const denied = { code: 'StoreDenied' };

let server: RoleServer;
let scratch: TestVault;
const manifests: string[] = [];

beforeAll(async () => {
  server = await startRoleServer({ mode: 'compliance', forSeconds: 30 * DAY_SECONDS });
  scratch = await makeTestVault();
  const owner = await server.open('owner');
  await initVault({ ...initOptions(keys), store: owner });
  await owner.close();
});

afterAll(async () => {
  await scratch[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function writerOn(store: Store, statePath = scratch.statePath): Promise<WriterVault> {
  return openWriterVault({ store, system: SYSTEM, keys: writerKeysOf(keys), stateDirectory: statePath });
}

async function withStore<T>(role: Parameters<RoleServer['open']>[0], use: (store: Store) => Promise<T>): Promise<T> {
  const store = await server.open(role);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Everything that was backed up comes back byte for byte, with the rights of the role that restores. */
async function expectAllRestored(): Promise<void> {
  await withStore('restore', async (store) => {
    const identities = [keys.escrow.identity];
    const reader = await openReaderVault({ store, keys: { identities, rootFingerprint: keys.root.fingerprint } });
    for (const [index, manifest] of manifests.entries()) {
      const artifacts = await (await reader.open(manifest)).artifacts('ledger');
      const found = await Promise.all(artifacts.map(async (artifact) => sha256(await readAll(artifact))));
      expect(found).toEqual(data.slice(0, index + 1).map(sha256));
    }
    await reader.close();
  });
}

describe('the printed policies [M4, W6]', () => {
  it('capture: backs up twice, with a cache and without one, creating only; reads, replaces and deletes nothing', async () => {
    await withStore('capture', async (store) => {
      for (const index of data.keys()) {
        // Another state directory: what is stored already is then found in the store.
        const writer = await writerOn(store, `${scratch.statePath}-${index}`);
        const artifacts = data.slice(0, index + 1).map((one, at) => artifactOf(`data-${at}`, [streamSegment(one)]));
        const made = await backUp(writer, { captureId: `run-${index}`, artifacts });
        expect(made.counts[0]?.chunksNew === 0).toBe(index === 1);
        manifests.push(made.manifestKey);
        await writer.close();
      }
      const chunk = (await keysOf(store, 'chunks/'))[0] ?? '';
      await expect(store.get(chunk)).rejects.toMatchObject(denied);
      await expect(store.get('chunks/none')).rejects.toMatchObject({ code: 'ObjectMissing' });
      expect(await store.head(chunk)).toMatchObject({ key: chunk });
      expect(await store.put(chunk, Buffer.from('other'), { createOnly: true })).toBe('exists');
      await expect(store.put(chunk, Buffer.from('other'), { createOnly: false })).rejects.toMatchObject(denied);
      await expect(store.put('signers/9.json', Buffer.from('x'), { createOnly: true })).rejects.toMatchObject(denied);
      await expect(store.put('sweeps/x/deleting.json', Buffer.from('x'), { createOnly: true })).rejects.toMatchObject(
        denied,
      );
      await expect(store.delete(chunk)).rejects.toMatchObject(denied);
      await expect(versionsOf(store)).rejects.toMatchObject(denied);
    });
    const puts = server.seen.filter(({ method, url }) => method === 'PUT' && url.includes('/chunks/'));
    expect(puts.length).toBeGreaterThan(2);
    for (const { headers } of puts.slice(0, -1)) {
      expect(headers).toMatchObject({ 'if-none-match': '*', 'x-amz-object-lock-mode': 'COMPLIANCE' });
    }
    await expectAllRestored();
  });

  it('verify: reads everything and writes verdicts; creates, replaces and deletes nothing else', async () => {
    await withStore('verify', async (store) => {
      const writer = await writerOn(store, `${scratch.statePath}-verify`);
      const proof = await writer.verifyPresence(manifests[0] ?? '', { signal });
      expect(proof.ok).toBe(true);
      expect(await keysOf(store, await writer.writeProof(proof))).toHaveLength(1);
      await writer.close();
      await expect(store.put('chunks/aa/x', Buffer.from('x'), { createOnly: true })).rejects.toMatchObject(denied);
      await expect(store.delete(manifests[0] ?? '')).rejects.toMatchObject(denied);
    });
  });

  it('restore: reads everything; writes no chunk and deletes nothing', async () => {
    await expectAllRestored();
    await withStore('restore', async (store) => {
      await expect(store.put('chunks/aa/x', Buffer.from('x'), { createOnly: true })).rejects.toMatchObject(denied);
      await expect(store.delete(manifests[0] ?? '')).rejects.toMatchObject(denied);
    });
  });

  it('prune: makes locks longer and deletes for good what no lock holds; the keys of the vault it never deletes', async () => {
    await withStore('prune', async (store) => {
      const chunk = (await keysOf(store, 'chunks/'))[0] ?? '';
      const untilMs = Date.now() + 40 * DAY_SECONDS * 1000;
      await store.locks?.extend(chunk, untilMs);
      expect((await store.locks?.get(chunk))?.untilMs).toBe(Math.floor(untilMs / 1000) * 1000);
      await store.put('probe/mine', Buffer.from('x'), { createOnly: true });
      const versions = await versionsOf(store);
      const mine = versions.find(({ key }) => key === 'probe/mine');
      await store.versions?.delete('probe/mine', mine?.versionId ?? '');
      expect(await store.head('probe/mine')).toBeUndefined();
      const locked = versions.find(({ key }) => key === chunk);
      await expect(store.versions?.delete(chunk, locked?.versionId ?? '')).rejects.toMatchObject({
        code: 'StoreLocked',
      });
      for (const key of ['holdfast.json', 'signers/1.json']) {
        await expect(store.delete(key)).rejects.toMatchObject(denied);
      }
    });
  });
});

describe('a thief with the credentials of a capturing host [W6]', () => {
  it('deletes, overwrites, hides, shortens, lifts: nothing is lost, every backup comes back', async () => {
    const owner = await server.open('owner');
    await server.enforce('capture');
    const before = await versionsOf(owner);
    const thief = new S3Client({
      endpoint: server.url,
      region: S3_REGION,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: server.secretOf('capture'),
    });
    const refused = { $metadata: { httpStatusCode: 403 } };
    for (const { key, versionId } of oneOfEach(before)) {
      const target = { Bucket: BUCKET, Key: `${PREFIX}/${key}` };
      const version = { ...target, VersionId: versionId };
      const soon = { Mode: 'COMPLIANCE', RetainUntilDate: new Date(Date.now() + 60_000) } as const;
      const weaker = { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + 60_000) } as const;
      const attempts: (() => Promise<unknown>)[] = [
        () => thief.send(new DeleteObjectCommand(target)),
        () => thief.send(new DeleteObjectCommand(version)),
        () => thief.send(new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true })),
        () => thief.send(new PutObjectRetentionCommand({ ...version, Retention: soon })),
        () =>
          thief.send(new PutObjectRetentionCommand({ ...version, Retention: weaker, BypassGovernanceRetention: true })),
        () => thief.send(new PutObjectLegalHoldCommand({ ...version, LegalHold: { Status: 'OFF' } })),
      ];
      for (const [index, attempt] of attempts.entries()) {
        await expect(attempt(), `attempt ${index} on ${key}`).rejects.toMatchObject(refused);
      }
    }
    const everything = before.map(({ key, versionId }) => ({ Key: `${PREFIX}/${key}`, VersionId: versionId }));
    const many = await thief.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects: everything } })).then(
      ({ Errors, Deleted }) => ({ errors: Errors?.length, deleted: Deleted?.length ?? 0 }),
      () => ({ errors: everything.length, deleted: 0 }),
    );
    expect(many).toEqual({ errors: everything.length, deleted: 0 });
    const Bucket = BUCKET;
    const suspended = { Status: 'Suspended' } as const;
    const lockRules = { ObjectLockEnabled: 'Enabled' } as const;
    const onBucket: (() => Promise<unknown>)[] = [
      () => thief.send(new DeleteBucketCommand({ Bucket })),
      () => thief.send(new PutBucketPolicyCommand({ Bucket, Policy: '{}' })),
      () => thief.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: suspended })),
      () => thief.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: lockRules })),
    ];
    for (const [index, attempt] of onBucket.entries()) {
      await expect(attempt(), `attempt ${index} on the bucket`).rejects.toMatchObject(refused);
    }
    expect(await versionsOf(owner)).toEqual(before);
    await expectAllRestored();

    await server.enforce('capture');
    // AWS refuses what has no If-None-Match; this server does not, and it hides the locked versions without losing them.
    const hidden = before.filter(({ key }) => key.startsWith('chunks/') || key.startsWith('backups/'));
    for (const { key } of hidden) {
      await thief.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${PREFIX}/${key}`, Body: 'gone' }));
    }
    expect((await versionsOf(owner)).filter(({ latest }) => !latest)).toHaveLength(hidden.length);
    thief.destroy();
    await owner.close();
    // What a vault holds is created once, so the first version of each key is the true one.
    await withStore('prune', async (store) => {
      for (const version of await versionsOf(store)) {
        const true_ = before.some(({ versionId }) => versionId === version.versionId);
        if (!true_) await store.versions?.delete(version.key, version.versionId);
      }
    });
    await expectAllRestored();
  });
});

/** The first of each room. */
function oneOfEach(versions: readonly ObjectVersion[]): ObjectVersion[] {
  return [...new Map(versions.map((version) => [version.key.split('/')[0], version] as const)).values()];
}

async function versionsOf(store: Store): Promise<ObjectVersion[]> {
  const found: ObjectVersion[] = [];
  for await (const version of store.versions?.list('') ?? []) found.push(version);
  return found;
}
