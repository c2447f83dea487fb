/** The rights of a role on one store, in its provider's language, and what a person has to know of them. */
import { azurePolicy, type AzurePolicy } from '../policy/azure-policy.ts';
import { gcsPolicy, type GcsPolicy } from '../policy/gcs-policy.ts';
import { s3Policy, type S3Policy } from '../policy/s3-policy.ts';
import { storeRights, type PolicyRole } from '../policy/store-rights.ts';
import type { System } from '../system/types.ts';
import type { BucketStore } from './bucket-store.ts';

interface Asked {
  readonly role: PolicyRole;
  readonly principal?: string;
  readonly kmsKey?: string;
}

const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE', 'INTELLIGENT_TIERING', 'ARCHIVE'];

export function policyOf(system: System, store: BucketStore, asked: Asked): S3Policy | GcsPolicy | AzurePolicy {
  const { role, principal, kmsKey } = asked;
  const { immutable, storageClass = '' } = store;
  const rights = storeRights({
    role,
    wal: hasWal(system),
    immutable: immutable !== undefined,
    archive: ARCHIVES.includes(storageClass.toUpperCase()),
  });
  const prefix = store.prefix.replace(/^\/+|\/+$/g, '');
  switch (store.kind) {
    case 's3':
      return s3Policy(rights, { bucket: store.bucket, prefix, region: store.region, immutable, kmsKey, principal });
    case 'gcs':
      return gcsPolicy(rights, { role, bucket: store.bucket, prefix });
    case 'azure':
      return azurePolicy(rights, { role, account: store.account, container: store.container, prefix });
  }
}

export function policyNotes(store: BucketStore, { role }: Asked): string[] {
  const notes: string[] = [];
  if (role === 'capture') {
    notes.push('With it a host writes and lists, reads records only, and neither replaces nor deletes.');
  }
  if (role === 'prune')
    notes.push('Give it to the host that maintains the store alone, as `maintainer` in the system file.');
  if (role === 'restore')
    notes.push('A host that also captures, as for the backup before a restore, needs both policies.');
  if (store.kind === 's3' && store.endpoint !== undefined) {
    notes.push(
      'Servers other than AWS may not know the condition s3:if-none-match; `holdfast doctor` tries what holds.',
    );
  }
  if (store.kind === 'gcs') {
    notes.push('Make the roles, then bind each to the service account on the bucket (uniform bucket-level access).');
  }
  if (store.kind === 'azure' && role === 'restore' && store.storageClass?.toUpperCase() === 'ARCHIVE') {
    notes.push(
      'Azure asks of whoever thaws the right to write: it covers chunks/ and lists/. Take it away afterwards.',
    );
  }
  if (store.kind === 'azure') notes.push('Fill in <subscription> and <group>; assign the role with the condition.');
  return notes;
}

function hasWal(system: System): boolean {
  return system.components.some(
    (component) => component.kind === 'postgres' && component.method === 'base' && component.wal !== undefined,
  );
}
