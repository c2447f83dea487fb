/** What the owner of a bucket does, with the account that may do everything. */
import {
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { S3_ACCESS_KEY, S3_REGION, S3_SECRET_KEY } from './s3-server.ts';

export function adminClient(url: string): S3Client {
  return new S3Client({
    endpoint: url,
    region: S3_REGION,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: S3_ACCESS_KEY, secretAccessKey: S3_SECRET_KEY },
  });
}

/** `locked`: with Object Lock, which brings versions; `versioned`: with versions alone. */
export async function makeBucket(client: S3Client, Bucket: string, kind: 'plain' | 'versioned' | 'locked') {
  await client.send(
    new CreateBucketCommand({ Bucket, ...(kind === 'locked' ? { ObjectLockEnabledForBucket: true } : {}) }),
  );
  if (kind !== 'versioned') return;
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
}

export async function setPolicy(client: S3Client, Bucket: string, policy: unknown): Promise<void> {
  if (policy === undefined) await client.send(new DeleteBucketPolicyCommand({ Bucket }));
  else await client.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policy) }));
}
