/** Object stores on this machine in place of a cloud's: the same interfaces, on loopback, gone at the end. */
import { adminClient, makeBucket } from '../../test/support/s3-admin.ts';
import { AZURE_KEY, startAzureServer } from '../../test/support/azure-server.ts';
import { startGcsServer } from '../../test/support/gcs-server.ts';
import { S3_ACCESS_KEY, S3_REGION, S3_SECRET_KEY, startS3Server } from '../../test/support/s3-server.ts';
import type { Cleanup } from '../cleanup.ts';

/** What is set in a store of the system file. */
export type StoreChanges = Readonly<Record<string, unknown>>;

export interface Bucket {
  readonly bucket: string;
  readonly region: string;
  readonly locked?: boolean;
}

export interface S3Stores {
  readonly endpoint: string;
  readonly stores: Record<string, StoreChanges>;
  readonly environment: Record<string, string>;
  /** For the SDK's own chain: break glass knows no system file yet. */
  readonly forBreakGlass: Record<string, string>;
}

/** One server for every S3 store of a system. `environment` is what the named variables must hold. */
export async function s3Stores(
  cleanup: Cleanup,
  buckets: Readonly<Record<string, Bucket>>,
  variables: { readonly id: readonly string[]; readonly secret: readonly string[] },
): Promise<S3Stores> {
  const server = await startS3Server(undefined, { keepAlive: true, versions: true });
  cleanup.add(() => server.stop());
  const admin = adminClient(server.url);
  const made = new Map(Object.values(buckets).map(({ bucket, locked }) => [bucket, locked === true]));
  for (const [bucket, locked] of made) await makeBucket(admin, bucket, locked ? 'locked' : 'plain');
  admin.destroy();
  const stores = Object.fromEntries(
    Object.entries(buckets).map(([name, { region }]) => [
      name,
      { endpoint: server.url, region: S3_REGION, place: region } satisfies StoreChanges,
    ]),
  );
  const environment = Object.fromEntries([
    ...variables.id.map((name) => [name, S3_ACCESS_KEY]),
    ...variables.secret.map((name) => [name, S3_SECRET_KEY]),
  ]) as Record<string, string>;
  const forBreakGlass = {
    AWS_ACCESS_KEY_ID: S3_ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: S3_SECRET_KEY,
    AWS_REGION: S3_REGION,
  };
  return { endpoint: server.url, stores, environment, forBreakGlass };
}

/** Its emulator asks nobody who he is. */
export async function gcsStore(cleanup: Cleanup): Promise<StoreChanges> {
  const server = await startGcsServer();
  cleanup.add(() => server.stop());
  return { endpoint: server.url, bucket: server.bucket, credentials: undefined };
}

export async function azureStore(
  cleanup: Cleanup,
  variable: string,
): Promise<{ store: StoreChanges; environment: Record<string, string> }> {
  const server = await startAzureServer();
  cleanup.add(() => server.stop());
  const { url: endpoint, account, container } = server;
  return { store: { endpoint, account, container }, environment: { [variable]: AZURE_KEY } };
}
