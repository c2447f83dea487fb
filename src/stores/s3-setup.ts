/** The settings of a bucket: read, and changed one by one. */
import {
  CreateBucketCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketReplicationCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  GetPublicAccessBlockCommand,
} from '@aws-sdk/client-s3';
import type { CreateBucketCommandInput, ObjectLockConfiguration, S3Client } from '@aws-sdk/client-s3';
import { planSetup } from '../policy/bucket-setup.ts';
import type { BucketChange, BucketState, BucketWishes, SetupPlan, SetupStep } from '../policy/bucket-setup.ts';
import type { SecretRef } from '../system/types.ts';
import { createS3Client } from './s3-client.ts';
import type { S3Config } from './s3-client.ts';
import { STORE_RETRIES } from './retry.ts';
import { S3Calls } from './s3-calls.ts';
import { faultOf } from './s3-errors.ts';
import { changeCommand, createBucketInput } from './s3-setup-requests.ts';

export interface BucketSettings {
  readonly label: string;
  /** Throws as a store does. */
  read(): Promise<BucketState>;
  /** A repeat is harmless. Throws as a store does. */
  make(change: BucketChange): Promise<void>;
  close(): void;
}

/** What S3 answers when a bucket has none of it. */
const ABSENT = new Set([
  'NoSuchLifecycleConfiguration',
  'ServerSideEncryptionConfigurationNotFoundError',
  'NoSuchPublicAccessBlockConfiguration',
  'ReplicationConfigurationNotFoundError',
  'ObjectLockConfigurationNotFoundError',
]);
/** What servers answer that have no such thing at all. */
const UNKNOWN = new Set(['NotImplemented', 'MethodNotAllowed', 'VersioningNotConfigured', 'XNotImplemented']);

/** Throws BadInput, and what `resolveSecret` throws. */
export async function openBucketSettings(
  config: S3Config,
  resolveSecret: (ref: SecretRef) => Promise<string>,
): Promise<BucketSettings> {
  const client = await createS3Client(config, resolveSecret);
  const calls = new S3Calls(config, client, STORE_RETRIES);
  const Bucket = config.bucket;
  const label = `bucket ${Bucket}`;
  return {
    label,
    read: async () => ((await exists(calls)) ? readAll(calls) : ABSENT_BUCKET),
    make: async (change) => {
      const send: (abortSignal: AbortSignal) => Promise<unknown> =
        change.kind === 'create'
          ? (abortSignal) => create(client, createBucketInput(config, change), abortSignal)
          : (abortSignal) => sendChange(client, changeCommand(Bucket, change), abortSignal);
      await calls.run(`set up ${change.kind}`, {}, ({ signal }) => send(signal));
    },
    close: () => client.destroy(),
  };
}

/** Makes every step, and says what was made and what is left to do. A bucket just made is looked at before it goes on. */
export async function applySetup(
  settings: BucketSettings,
  wishes: BucketWishes,
  onMade: (step: SetupStep) => void = () => undefined,
): Promise<{ made: readonly SetupStep[]; left: SetupPlan }> {
  const made: SetupStep[] = [];
  const make = async (step: SetupStep): Promise<void> => {
    await settings.make(step.change);
    made.push(step);
    onMade(step);
  };
  const [first] = planSetup(await settings.read(), wishes).steps;
  if (first?.change.kind === 'create') await make(first);
  for (const step of planSetup(await settings.read(), wishes).steps) await make(step);
  return { made, left: planSetup(await settings.read(), wishes) };
}

/** Made before, by a request whose answer was lost, it is what was asked for; what it lacks is seen when it is read. */
async function create(client: S3Client, input: CreateBucketCommandInput, abortSignal: AbortSignal): Promise<void> {
  try {
    await client.send(new CreateBucketCommand(input), { abortSignal });
  } catch (cause) {
    if (faultOf(cause).name !== 'BucketAlreadyOwnedByYou') throw cause;
  }
}

/** The client's types know one command at a time; that it is one of them is all that is needed here. */
function sendChange(client: S3Client, command: ReturnType<typeof changeCommand>, abortSignal: AbortSignal) {
  return client.send(command as unknown as GetBucketVersioningCommand, { abortSignal });
}

const ABSENT_BUCKET: BucketState = {
  exists: false,
  versioning: 'never',
  lock: 'none',
  encryption: 'none',
  publicAccess: 'open',
  lifecycle: [],
  replication: 'none',
};

/** By a question whose answer has a body: a HEAD cannot tell a missing bucket from unknown credentials. */
async function exists(calls: S3Calls): Promise<boolean> {
  const { client, bucket } = calls;
  return calls.run('look for the bucket', {}, async ({ signal }) => {
    try {
      await client.send(new GetBucketVersioningCommand({ Bucket: bucket }), { abortSignal: signal });
      return true;
    } catch (cause) {
      const { name } = faultOf(cause);
      if (name === 'NoSuchBucket') return false;
      if (UNKNOWN.has(name)) return true;
      throw cause;
    }
  });
}

async function readAll(calls: S3Calls): Promise<BucketState> {
  const { client, bucket: Bucket } = calls;
  const ask = <T, N>(what: string, none: N, read: (client: S3Client, signal: AbortSignal) => Promise<T>) =>
    asked(calls, what, none, (signal) => read(client, signal));
  return {
    exists: true,
    versioning: await ask('its versioning', 'never', async (s3, abortSignal) => {
      const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket }), { abortSignal });
      return Status === undefined ? 'never' : Status === 'Enabled' ? 'enabled' : 'suspended';
    }),
    lock: await ask('its locks', 'none', async (s3, abortSignal) => {
      const answer = await s3.send(new GetObjectLockConfigurationCommand({ Bucket }), { abortSignal });
      return lockState(answer.ObjectLockConfiguration);
    }),
    encryption: await ask('its encryption', 'none', async (s3, abortSignal) => {
      const answer = await s3.send(new GetBucketEncryptionCommand({ Bucket }), { abortSignal });
      const rule = answer.ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault;
      if (rule?.SSEAlgorithm === undefined) return 'none';
      return { algorithm: rule.SSEAlgorithm, ...(rule.KMSMasterKeyID ? { kmsKey: rule.KMSMasterKeyID } : {}) };
    }),
    publicAccess: await ask('its public access', 'open', async (s3, abortSignal) => {
      const answer = await s3.send(new GetPublicAccessBlockCommand({ Bucket }), { abortSignal });
      const block = answer.PublicAccessBlockConfiguration ?? {};
      const { BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets } = block;
      const all = [BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets];
      return all.every((flag) => flag === true) ? 'blocked' : 'open';
    }),
    lifecycle: await ask('its lifecycle', [], async (s3, abortSignal) => {
      const answer = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }), { abortSignal });
      return answer.Rules ?? [];
    }),
    replication: await ask('its replication', 'none', async (s3, abortSignal) => {
      const answer = await s3.send(new GetBucketReplicationCommand({ Bucket }), { abortSignal });
      const { Role: role = '', Rules: rules = [] } = answer.ReplicationConfiguration ?? {};
      return rules.length === 0 ? 'none' : { role, rules };
    }),
  };
}

function lockState(found: ObjectLockConfiguration = {}): Exclude<BucketState['lock'], 'untold'> {
  if (found.ObjectLockEnabled !== 'Enabled') return 'none';
  const { Mode, Days, Years } = found.Rule?.DefaultRetention ?? {};
  const days = Days ?? (Years === undefined ? undefined : Years * 365);
  if (Mode === undefined || days === undefined) return 'without default';
  return { mode: Mode === 'COMPLIANCE' ? 'compliance' : 'governance', days };
}

async function asked<T, N>(
  calls: S3Calls,
  what: string,
  none: N,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<T | N | 'untold'> {
  return calls.run(`read ${what}`, {}, async ({ signal }) => {
    try {
      return await read(signal);
    } catch (cause) {
      const { name, status } = faultOf(cause);
      if (ABSENT.has(name)) return none;
      if (UNKNOWN.has(name) || status === 501 || status === 405) return 'untold';
      throw cause;
    }
  });
}
