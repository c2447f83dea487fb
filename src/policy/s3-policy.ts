/** Rights in the language of AWS IAM. Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3". */
import type { Immutable } from '../system/store-types.ts';
import type { StoreRights } from './store-rights.ts';

export interface S3Statement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Principal?: { readonly AWS: string };
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface S3Policy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly S3Statement[];
}

export interface S3PolicyInput {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly region: string;
  readonly immutable?: Immutable | undefined;
  /** The ARN of the key, where the bucket is encrypted by KMS. */
  readonly kmsKey?: string | undefined;
  /** Makes it a policy of the bucket, for servers without policies of users. */
  readonly principal?: string | undefined;
}

const DAY_SECONDS = 86_400;

export function s3Policy(rights: StoreRights, input: S3PolicyInput): S3Policy {
  const base = input.prefix === '' ? '' : `${input.prefix}/`;
  const bucket = `arn:${partitionOf(input.region)}:s3:::${input.bucket}`;
  const objects = (keys: readonly string[]): string[] =>
    keys.map((key) => `${bucket}/${base}${key === '' || key.endsWith('/') ? `${key}*` : key}`);
  const statements: (S3Statement | undefined)[] = [
    listing(rights, bucket, base),
    statement('Read', reading(rights), objects(rights.read)),
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    statement('Create', ['s3:PutObject'], objects(rights.create), { Null: { 's3:if-none-match': 'false' } }),
    statement('Replace', ['s3:PutObject'], objects(rights.replace)),
    lockingNew(rights, input.immutable, objects),
    statement('ExtendLocks', rights.extendLocks ? ['s3:PutObjectRetention'] : [], objects([''])),
    statement('Delete', ['s3:DeleteObject', 's3:DeleteObjectVersion'], objects(rights.delete)),
    statement('Thaw', rights.thaw ? ['s3:RestoreObject'] : [], objects(['chunks/', 'lists/', 'sums/'])),
    encryption(rights, input.kmsKey),
  ];
  const { principal } = input;
  const allowed = statements.filter((one) => one !== undefined);
  return {
    Version: '2012-10-17',
    Statement: allowed.map((one) => (principal === undefined ? one : { ...one, Principal: { AWS: principal } })),
  };
}

function statement(
  Sid: string,
  Action: readonly string[],
  Resource: readonly string[],
  Condition?: S3Statement['Condition'],
): S3Statement | undefined {
  if (Action.length === 0 || Resource.length === 0) return undefined;
  return { Sid, Effect: 'Allow', Action, Resource, ...(Condition === undefined ? {} : { Condition }) };
}

function listing(rights: StoreRights, bucket: string, base: string): S3Statement | undefined {
  const versions = rights.delete.length > 0 ? ['s3:ListBucketVersions'] : [];
  const condition = base === '' ? undefined : { StringLike: { 's3:prefix': [`${base}*`] } };
  return statement('List', ['s3:ListBucket', ...versions], [bucket], condition);
}

function reading(rights: StoreRights): string[] {
  const versions = rights.delete.length > 0 ? ['s3:GetObjectVersion'] : [];
  const locks = rights.extendLocks ? ['s3:GetObjectRetention', 's3:GetObjectLegalHold'] : [];
  return ['s3:GetObject', ...versions, ...locks];
}

/** A put that locks needs this right, too. It reaches no further than the system file's own time, so that nobody locks for ever. */
function lockingNew(
  rights: StoreRights,
  immutable: Immutable | undefined,
  objects: (keys: readonly string[]) => string[],
): S3Statement | undefined {
  if (!rights.lock || rights.extendLocks || immutable === undefined) return undefined;
  const days = Math.ceil(immutable.forSeconds / DAY_SECONDS);
  return statement('LockNew', ['s3:PutObjectRetention'], objects(rights.create), {
    StringEquals: { 's3:object-lock-mode': immutable.mode.toUpperCase() },
    NumericLessThanEquals: { 's3:object-lock-remaining-retention-days': String(days) },
  });
}

function encryption(rights: StoreRights, kmsKey: string | undefined): S3Statement | undefined {
  if (kmsKey === undefined) return undefined;
  const writes = rights.create.length > 0 ? ['kms:GenerateDataKey'] : [];
  return statement('Encryption', [...writes, 'kms:Decrypt'], [kmsKey]);
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
