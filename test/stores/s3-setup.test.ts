import { PutBucketLifecycleConfigurationCommand, GetBucketReplicationCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planSetup, type BucketWishes, type SetupPlan } from '../../src/policy/bucket-setup.ts';
import { openStore } from '../../src/stores/index.ts';
import { applySetup, openBucketSettings } from '../../src/stores/s3-setup.ts';
import { changeCommand, createBucketInput } from '../../src/stores/s3-setup-requests.ts';
import type { S3Config } from '../../src/stores/s3-client.ts';
import { adminClient, makeBucket } from '../support/s3-admin.ts';
import { motoStoreConfig, startMoto } from '../support/moto.ts';
import type { Moto } from '../support/moto.ts';
import { resolveS3Secret, s3StoreConfig, startS3Server } from '../support/s3-server.ts';
import type { S3Server } from '../support/s3-server.ts';

let moto: Moto;
let server: S3Server;

beforeAll(async () => {
  [moto, server] = await Promise.all([startMoto(), startS3Server(undefined, { versions: true })]);
});

afterAll(() => Promise.all([moto.stop(), server.stop()]));

/** Plans, makes every step, and plans again. */
async function setUp(config: S3Config, wishes: BucketWishes): Promise<{ before: SetupPlan; after: SetupPlan }> {
  const settings = await openBucketSettings(config, resolveS3Secret);
  try {
    const before = planSetup(await settings.read(), wishes);
    const { left } = await applySetup(settings, wishes);
    return { before, after: left };
  } finally {
    settings.close();
  }
}

const kinds = ({ steps }: SetupPlan): string[] => steps.map(({ change }) => change.kind);

describe('store setup on an emulator of AWS [M4]', () => {
  it('no bucket: everything is made, and a second run finds no difference', async () => {
    const config = motoStoreConfig(moto, { bucket: 'fresh', prefix: 'shop' });
    const immutable = { mode: 'governance', forSeconds: 86_400 * 14 } as const;
    const wishes = { prefix: 'shop', immutable, kmsKey: 'alias/backups', keepVersionsDays: 30 };
    const { before, after } = await setUp(config, wishes);
    expect(kinds(before)).toEqual(['create', 'versioning', 'lock', 'encryption', 'public access', 'lifecycle']);
    expect(after).toEqual({ steps: [], dangers: [], notes: [] });
    expect(kinds((await setUp(config, { ...wishes, keepVersionsDays: 60 })).before)).toEqual(['lifecycle']);
  });

  it('a bucket with a rule of others that deletes by age: the rule stays, and is told as a danger', async () => {
    const admin = adminClient(moto.url);
    await makeBucket(admin, 'shared', 'versioned');
    const Rules = [{ ID: 'tidy', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 90 } }] as const;
    const LifecycleConfiguration = { Rules: [...Rules] };
    await admin.send(new PutBucketLifecycleConfigurationCommand({ Bucket: 'shared', LifecycleConfiguration }));
    const config = motoStoreConfig(moto, { bucket: 'shared', prefix: 'shop' });
    const { after } = await setUp(config, { prefix: 'shop', keepVersionsDays: 30 });
    expect(after.steps).toEqual([]);
    expect(after.dangers).toEqual([expect.stringContaining('"tidy" deletes objects of the vault after 90 days')]);
    admin.destroy();
  });

  // The emulator answers every rule without its prefix and with delete marks off: what is sent is checked below.
  it('replication: is set up, and found again', async () => {
    const admin = adminClient(moto.url);
    await makeBucket(admin, 'far', 'versioned');
    const config = motoStoreConfig(moto, { bucket: 'near', prefix: '' });
    const replicate = { to: 'arn:aws:s3:::far', role: 'arn:aws:iam::123456789012:role/replicate' };
    const { before, after } = await setUp(config, { prefix: '', keepVersionsDays: 30, replicate });
    expect(kinds(before)).toContain('replication');
    expect(after.steps).toEqual([]);
    const { ReplicationConfiguration: made } = await admin.send(new GetBucketReplicationCommand({ Bucket: 'near' }));
    expect(made?.Rules?.[0]).toMatchObject({
      Destination: { Bucket: 'arn:aws:s3:::far', StorageClass: 'STANDARD_IA' },
    });
    admin.destroy();
  });
});

describe('store setup on a server with real locks [W6]', () => {
  it('the default that it makes: holds what is put without a lock of its own; what the server lacks is told', async () => {
    const config = { ...s3StoreConfig(server, { prefix: 'shop' }), bucket: 'made' };
    const immutable = { mode: 'compliance', forSeconds: 86_400 } as const;
    const { before, after } = await setUp(config, { prefix: 'shop', immutable, keepVersionsDays: 30 });
    expect(kinds(before).slice(0, 2)).toEqual(['create', 'versioning']);
    expect(kinds(before)).toContain('lock');
    expect(after.steps).toEqual([]);
    expect(after.notes.join(' ')).toContain('no lifecycle rules');
    const store = await openStore(config, resolveS3Secret);
    await store.put('chunks/aa/a', Buffer.from('x'), { createOnly: true });
    for await (const { key, versionId } of store.versions?.list('') ?? []) {
      await expect(store.versions?.delete(key, versionId)).rejects.toMatchObject({ code: 'StoreLocked' });
    }
    await store.close();
  });

  it('without rights on the bucket: is refused, and nothing is guessed', async () => {
    const settings = await openBucketSettings(
      { ...s3StoreConfig(server, { prefix: 'shop' }), bucket: server.bucket },
      () => Promise.resolve('wrong'),
    );
    await expect(settings.read()).rejects.toMatchObject({ code: 'StoreDenied' });
    settings.close();
  });
});

// The API reference's requests, for what no emulator enforces: S3 itself encrypts, blocks and makes buckets by region.
describe('the requests of store setup', () => {
  it('are those of the API reference', () => {
    expect(createBucketInput({ bucket: 'b', region: 'us-east-1' }, { lock: false })).toEqual({ Bucket: 'b' });
    expect(createBucketInput({ bucket: 'b', region: 'eu-central-1' }, { lock: true })).toEqual({
      Bucket: 'b',
      CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' },
      ObjectLockEnabledForBucket: true,
    });
    expect(changeCommand('b', { kind: 'lock', mode: 'compliance', days: 30 }).input).toEqual({
      Bucket: 'b',
      ObjectLockConfiguration: {
        ObjectLockEnabled: 'Enabled',
        Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 30 } },
      },
    });
    expect(changeCommand('b', { kind: 'encryption', kmsKey: 'alias/k' }).input).toEqual({
      Bucket: 'b',
      ServerSideEncryptionConfiguration: {
        Rules: [
          {
            ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'alias/k' },
            BucketKeyEnabled: true,
          },
        ],
      },
    });
    const replicate = { to: 'arn:aws:s3:::far', role: 'arn:aws:iam::1:role/r' };
    const state = { exists: true, versioning: 'enabled', lock: 'none', encryption: { algorithm: 'AES256' } } as const;
    const rest = { publicAccess: 'blocked', lifecycle: 'untold', replication: 'none' } as const;
    const [step] = planSetup({ ...state, ...rest }, { prefix: 'shop', keepVersionsDays: 30, replicate }).steps;
    const change = step?.change;
    expect(change?.kind === 'replication' ? changeCommand('b', change).input : undefined).toEqual({
      Bucket: 'b',
      ReplicationConfiguration: {
        Role: 'arn:aws:iam::1:role/r',
        Rules: [
          {
            ID: 'holdfast shop',
            Status: 'Enabled',
            Priority: 1,
            Filter: { Prefix: 'shop/' },
            DeleteMarkerReplication: { Status: 'Disabled' },
            Destination: { Bucket: 'arn:aws:s3:::far', StorageClass: 'STANDARD_IA' },
          },
        ],
      },
    });
    expect(changeCommand('b', { kind: 'public access' }).input).toEqual({
      Bucket: 'b',
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        IgnorePublicAcls: true,
        BlockPublicPolicy: true,
        RestrictPublicBuckets: true,
      },
    });
  });
});
