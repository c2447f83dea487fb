/** The requests that change a bucket, exactly as they are sent: what no emulator shows is checked on these. */
import {
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketReplicationCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3';
import type {
  BucketLocationConstraint,
  CreateBucketCommandInput,
  LifecycleRule,
  ReplicationRule,
} from '@aws-sdk/client-s3';
import type { BucketChange } from '../policy/bucket-setup.ts';
import type { S3Config } from './s3-client.ts';

/** us-east-1 is where S3 makes buckets without being told. */
const DEFAULT_REGION = 'us-east-1';

export function createBucketInput(
  config: Pick<S3Config, 'bucket' | 'region'>,
  { lock }: { readonly lock: boolean },
): CreateBucketCommandInput {
  const elsewhere = config.region !== DEFAULT_REGION;
  return {
    Bucket: config.bucket,
    ...(elsewhere
      ? { CreateBucketConfiguration: { LocationConstraint: config.region as BucketLocationConstraint } }
      : {}),
    ...(lock ? { ObjectLockEnabledForBucket: true } : {}),
  };
}

export function changeCommand(Bucket: string, change: Exclude<BucketChange, { kind: 'create' }>) {
  switch (change.kind) {
    case 'versioning':
      return new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } });
    case 'lock': {
      const Mode = change.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
      const Rule = { DefaultRetention: { Mode, Days: change.days } } as const;
      return new PutObjectLockConfigurationCommand({
        Bucket,
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule },
      });
    }
    case 'encryption': {
      const { kmsKey } = change;
      const rule =
        kmsKey === undefined
          ? { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } }
          : {
              ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' as const, KMSMasterKeyID: kmsKey },
              // One request to KMS for many objects instead of one each.
              BucketKeyEnabled: true,
            };
      return new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules: [rule] } });
    }
    case 'public access':
      return new PutPublicAccessBlockCommand({
        Bucket,
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          IgnorePublicAcls: true,
          BlockPublicPolicy: true,
          RestrictPublicBuckets: true,
        },
      });
    case 'lifecycle':
      return new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: { Rules: change.rules as LifecycleRule[] },
      });
    case 'replication': {
      const { role, rules } = change.replication;
      return new PutBucketReplicationCommand({
        Bucket,
        ReplicationConfiguration: { Role: role, Rules: rules as ReplicationRule[] },
      });
    }
  }
}
