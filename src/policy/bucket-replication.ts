/** Cross-region replication of a vault: replicas in infrequent access, and no delete mark ever follows. */
import type { BucketWishes, SetupStep } from './bucket-setup.ts';

/** As S3 has it (ReplicationConfiguration of the API reference, the version with filters). */
export interface ReplicationRule {
  readonly ID?: string | undefined;
  readonly Status: string | undefined;
  readonly Priority?: number | undefined;
  readonly Prefix?: string | undefined;
  readonly Filter?: { readonly Prefix?: string | undefined } | undefined;
  readonly DeleteMarkerReplication?: { readonly Status?: string | undefined } | undefined;
  readonly Destination: { readonly Bucket: string | undefined; readonly StorageClass?: string | undefined } | undefined;
}

export interface Replication {
  readonly role: string;
  readonly rules: readonly ReplicationRule[];
}

export function planReplication(
  now: Replication | 'none' | 'untold',
  { prefix, replicate, kmsKey }: BucketWishes,
  notes: string[],
): SetupStep | undefined {
  if (replicate === undefined) return undefined;
  if (now === 'untold')
    notes.push('This server does not replicate to another bucket; name the other bucket as a store of its own.');
  if (kmsKey !== undefined)
    notes.push('Replicas of what SSE-KMS encrypts need a key at their place: set replication up by hand.');
  if (now === 'untold' || kmsKey !== undefined) return undefined;
  const there = now === 'none' ? [] : now.rules;
  const ID = `holdfast ${prefix === '' ? 'vault' : prefix}`;
  const others = there.filter((rule) => rule.ID !== ID);
  if (now !== 'none' && now.role !== replicate.role && others.length > 0) {
    notes.push(`The bucket replicates with the role ${now.role} already, and a bucket has only one: use that role.`);
    return undefined;
  }
  const mine = there.find((rule) => rule.ID === ID);
  const taken = others.map(({ Priority = 0 }) => Priority);
  const rule: ReplicationRule = {
    ID,
    Status: 'Enabled',
    Priority: mine?.Priority ?? Math.max(0, ...taken) + 1,
    Filter: { Prefix: prefix === '' ? '' : `${prefix}/` },
    DeleteMarkerReplication: { Status: 'Disabled' },
    Destination: { Bucket: replicate.to, StorageClass: 'STANDARD_IA' },
  };
  if (now !== 'none' && now.role === replicate.role && mine !== undefined && same(mine, rule)) return undefined;
  return {
    change: { kind: 'replication', replication: { role: replicate.role, rules: [...others, rule] } },
    now: mine === undefined ? 'not replicated' : `replicated to ${mine.Destination?.Bucket ?? 'nowhere'}, otherwise`,
    then: `replicated to ${replicate.to}, infrequent access, without delete marks`,
  };
}

function same(a: ReplicationRule, b: ReplicationRule): boolean {
  const essence = (rule: ReplicationRule): unknown[] => [
    rule.Status,
    rule.Filter?.Prefix ?? rule.Prefix ?? '',
    // Rules without a filter are of the first version, which replicates delete marks.
    rule.DeleteMarkerReplication?.Status ?? (rule.Filter === undefined ? 'Enabled' : 'Disabled'),
    rule.Destination?.Bucket,
    rule.Destination?.StorageClass,
  ];
  return JSON.stringify(essence(a)) === JSON.stringify(essence(b));
}
