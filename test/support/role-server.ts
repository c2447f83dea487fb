/** An S3 server whose accounts may do what the printed policies say: one account for each role, one vault, real locks. */
import type { S3Client } from '@aws-sdk/client-s3';
import { s3Policy, type S3Policy, type S3Statement } from '../../src/policy/s3-policy.ts';
import { POLICY_ROLES, storeRights, type PolicyRole } from '../../src/policy/store-rights.ts';
import { openStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import type { Immutable } from '../../src/system/types.ts';
import { startFaultProxy } from './fault-proxy.ts';
import type { SeenRequest } from './fault-proxy.ts';
import { adminClient, makeBucket, setPolicy } from './s3-admin.ts';
import { S3_REGION, s3StoreConfig, startS3Server } from './s3-server.ts';

export const BUCKET = 'roles';
export const PREFIX = 'shop';

export interface RoleServer extends AsyncDisposable {
  readonly admin: S3Client;
  /** Where the account's requests go without passing the proxy that knows the condition. */
  readonly url: string;
  /** Every request that reached the proxy. */
  readonly seen: readonly SeenRequest[];
  /** From now on this role's account may do what its policy says, and the others nothing. */
  enforce(role: PolicyRole): Promise<void>;
  /** With its policy in force, and behind a proxy that enforces `s3:if-none-match`, as AWS documents it: this server does not know the condition. */
  open(role: PolicyRole | 'owner'): Promise<Store>;
  secretOf(role: PolicyRole): { accessKeyId: string; secretAccessKey: string };
}

const KNOWN_CONDITIONS = ['s3:prefix'];

export async function startRoleServer(immutable: Immutable): Promise<RoleServer> {
  const users = POLICY_ROLES.map((role) => ({ accessKey: `holdfast-${role}`, secretKey: `secret-of-${role}` }));
  const server = await startS3Server(undefined, { versions: true, users });
  const proxy = await startFaultProxy(server.url);
  const admin = adminClient(server.url);
  await makeBucket(admin, BUCKET, 'locked');
  // One at a time: the server keeps a policy in an attribute of at most 4 KiB.
  const enforce = (role: PolicyRole): Promise<void> =>
    setPolicy(admin, BUCKET, {
      Version: '2012-10-17',
      Statement: printed(role, immutable).Statement.map(withoutUnknown),
    });
  const capture = 'holdfast-capture/';
  proxy.always(({ method, url, headers }) => {
    const puts = method === 'PUT' && !url.includes('?retention');
    const bound = headers.authorization?.includes(`Credential=${capture}`) === true;
    return puts && bound && headers['if-none-match'] === undefined
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined;
  });
  const secretOf = (role: PolicyRole) => ({
    accessKeyId: `holdfast-${role}`,
    secretAccessKey: `secret-of-${role}`,
  });
  return {
    admin,
    url: server.url,
    seen: proxy.seen,
    secretOf,
    enforce,
    open: async (role) => {
      if (role !== 'owner') await enforce(role);
      const config = { ...s3StoreConfig(server, { prefix: PREFIX, endpoint: proxy.url }), bucket: BUCKET, immutable };
      const owner = { accessKeyId: 'holdfast-test', secretAccessKey: 'holdfast-test-secret' };
      const login = role === 'owner' ? owner : secretOf(role);
      return openStore(config, (ref) =>
        Promise.resolve('env' in ref && ref.env === 'S3_ACCESS_KEY' ? login.accessKeyId : login.secretAccessKey),
      );
    },
    async [Symbol.asyncDispose]() {
      admin.destroy();
      await proxy.close();
      await server.stop();
    },
  };
}

export function printed(role: PolicyRole, immutable: Immutable): S3Policy {
  const rights = storeRights({ role, wal: false, immutable: true, archive: false });
  return s3Policy(rights, {
    bucket: BUCKET,
    prefix: PREFIX,
    region: S3_REGION,
    immutable,
    principal: `holdfast-${role}`,
  });
}

/** versitygw refuses a policy with a condition it does not know. */
function withoutUnknown({ Condition, ...statement }: S3Statement): object {
  const keys = Object.values(Condition ?? {}).flatMap((one) => Object.keys(one));
  const known = keys.every((key) => KNOWN_CONDITIONS.includes(key)) && Condition !== undefined;
  return known ? { ...statement, Condition } : statement;
}
