import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { azurePolicy } from '../../src/policy/azure-policy.ts';
import { gcsPolicy } from '../../src/policy/gcs-policy.ts';
import { s3Policy } from '../../src/policy/s3-policy.ts';
import { POLICY_ROLES, storeRights, type PolicyRole } from '../../src/policy/store-rights.ts';

const facts = fc.record({ wal: fc.boolean(), immutable: fc.boolean(), archive: fc.boolean() });
const roles = fc.constantFrom(...POLICY_ROLES);
const input = {
  bucket: 'b',
  prefix: 'shop',
  region: 'eu-central-1',
  immutable: { mode: 'compliance', forSeconds: 2_592_000 },
} as const;
const plain = { wal: false, immutable: true, archive: false };

function statements(role: PolicyRole, more: Parameters<typeof storeRights>[0] | object = {}) {
  const { Statement } = s3Policy(storeRights({ ...plain, ...more, role }), input);
  return new Map(Statement.map((one) => [one.Sid, one]));
}

describe('rights of a role', () => {
  it('whatever the store: only the one that keeps it replaces or deletes, and never what opens the rest', () => {
    fc.assert(
      fc.property(roles, facts, (role, about) => {
        const rights = storeRights({ role, ...about });
        if (role !== 'prune') expect([...rights.replace, ...rights.delete]).toEqual([]);
        for (const kept of ['holdfast.json', 'RECOVERY.md', 'keys/x', 'signers/1.json', 'holds/x', 'sweeps/x']) {
          expect(rights.delete.some((beginning) => kept.startsWith(beginning))).toBe(false);
        }
        if (role === 'capture') {
          for (const secret of ['chunks/aa/a', 'lists/aa/a']) {
            expect(rights.read.some((beginning) => secret.startsWith(beginning))).toBe(false);
          }
        }
      }),
    );
  });
});

describe('in the language of S3 [M4]', () => {
  it('nobody may lift a lock, whatever the role; every object is under the prefix of the vault', () => {
    for (const role of POLICY_ROLES) {
      for (const { Action, Resource } of statements(role).values()) {
        expect(Action).not.toContain('s3:BypassGovernanceRetention');
        for (const arn of Resource) expect(arn).toMatch(/^arn:aws:s3:::b(\/shop\/.+)?$/);
      }
    }
  });

  it('a capturing host: creates under the condition of AWS, locks no longer than the system file says', () => {
    const found = statements('capture');
    expect(found.get('Create')).toMatchObject({
      Action: ['s3:PutObject'],
      Condition: { Null: { 's3:if-none-match': 'false' } },
    });
    expect(found.get('LockNew')).toMatchObject({
      Action: ['s3:PutObjectRetention'],
      Condition: {
        StringEquals: { 's3:object-lock-mode': 'COMPLIANCE' },
        NumericLessThanEquals: { 's3:object-lock-remaining-retention-days': '30' },
      },
    });
    expect(found.get('List')).toMatchObject({
      Resource: ['arn:aws:s3:::b'],
      Condition: { StringLike: { 's3:prefix': ['shop/*'] } },
    });
    expect([...found.keys()]).toEqual(['List', 'Read', 'Create', 'LockNew']);
    expect(found.get('Read')?.Resource).toContain('arn:aws:s3:::b/shop/holdfast.json');
    expect(statements('capture', { wal: true }).get('Read')?.Resource).toContain('arn:aws:s3:::b/shop/wal/*');
  });

  it('a vault without a prefix, another partition, a key of KMS, a principal: are in the policy', () => {
    const made = s3Policy(storeRights({ ...plain, role: 'restore', archive: true }), {
      ...input,
      prefix: '',
      region: 'cn-north-1',
      kmsKey: 'arn:aws-cn:kms:cn-north-1:1:key/k',
      principal: 'arn:aws-cn:iam::1:user/u',
    });
    expect(made.Statement.map(({ Sid }) => Sid)).toEqual(['List', 'Read', 'Create', 'LockNew', 'Thaw', 'Encryption']);
    expect(made.Statement[0]).toMatchObject({
      Resource: ['arn:aws-cn:s3:::b'],
      Principal: { AWS: 'arn:aws-cn:iam::1:user/u' },
    });
    expect(made.Statement[0]).not.toHaveProperty('Condition');
    expect(made.Statement[1]?.Resource).toEqual(['arn:aws-cn:s3:::b/*']);
  });
});

describe('in the languages of Google and Azure', () => {
  it('a capturing host: has no right to delete, which Google asks of whoever replaces, and Azure no write', () => {
    const rights = storeRights({ ...plain, role: 'capture' });
    const google = gcsPolicy(rights, { role: 'capture', bucket: 'b', prefix: 'shop' });
    const permissions = google.bindings.flatMap(({ includedPermissions }) => includedPermissions);
    expect(permissions).toEqual([
      'storage.objects.list',
      'storage.objects.get',
      'storage.objects.create',
      'storage.objects.setRetention',
    ]);
    const read = google.bindings.find(({ role }) => role.endsWith('_read'));
    expect(read?.condition?.expression).toContain(
      'resource.name.startsWith("projects/_/buckets/b/objects/shop/keys/")',
    );
    expect(google.bindings[0]?.condition?.expression).toContain('objectListPrefix');
    const azure = azurePolicy(rights, { role: 'capture', account: 'a', container: 'c', prefix: 'shop' });
    expect(azure.roleDefinition.DataActions.map((action) => action.split('/blobs/')[1])).toEqual([
      'read',
      'add/action',
    ]);
    expect(azure.condition).toContain("StringLike 'shop/keys/*'");
    expect(azure.condition).not.toContain("chunks/*' AND");
  });

  it('a restoring host of an archive in Azure: writes what it thaws, nothing else, and no condition is empty', () => {
    const rights = storeRights({ ...plain, role: 'restore', archive: true });
    const azure = azurePolicy(rights, { role: 'restore', account: 'a', container: 'c', prefix: 'shop' });
    const writes = azure.condition?.split('\nAND\n').find((one) => one.includes("/blobs/write'}"));
    expect(writes?.match(/StringLike '[^']*'/g)).toEqual(["StringLike 'shop/chunks/*'", "StringLike 'shop/lists/*'"]);
    fc.assert(
      fc.property(roles, facts, fc.constantFrom('', 'shop'), (role, about, prefix) => {
        const { condition = '' } = azurePolicy(storeRights({ role, ...about }), {
          role,
          account: 'a',
          container: 'c',
          prefix,
        });
        expect(condition).not.toMatch(/\(\s*\)/);
      }),
    );
  });

  it('the one that keeps the store: deletes under the rooms of backups only', () => {
    const rights = storeRights({ ...plain, role: 'prune' });
    const google = gcsPolicy(rights, { role: 'prune', bucket: 'b', prefix: 'shop' });
    const remove = google.bindings.find(({ role }) => role.endsWith('_delete'));
    expect(remove?.includedPermissions).toEqual(['storage.objects.delete']);
    expect(remove?.condition?.expression).not.toContain('/keys/');
    expect(JSON.stringify(google)).not.toContain('overrideUnlockedRetention');
    const azure = azurePolicy(rights, { role: 'prune', account: 'a', container: 'c', prefix: '' });
    expect(azure.roleDefinition.DataActions).toHaveLength(5);
    expect(azure.condition).toContain(
      "ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete'}",
    );
  });
});
