/**
 * Rights in the language of Google Cloud: custom roles, and bindings of them with conditions on a bucket that has uniform
 * access. Creating without the right to delete cannot replace: overwriting needs storage.objects.delete.
 * https://cloud.google.com/storage/docs/access-control/iam-json, https://cloud.google.com/iam/docs/conditions-overview
 */
import type { StoreRights } from './store-rights.ts';

export interface GcsBinding {
  /** A custom role's id, to be made with these permissions. */
  readonly role: string;
  readonly includedPermissions: readonly string[];
  readonly condition?: { readonly title: string; readonly expression: string };
}

export interface GcsPolicy {
  readonly bucket: string;
  readonly bindings: readonly GcsBinding[];
}

export function gcsPolicy(rights: StoreRights, input: { role: string; bucket: string; prefix: string }): GcsPolicy {
  const { role, bucket, prefix } = input;
  const base = prefix === '' ? '' : `${prefix}/`;
  const under = (keys: readonly string[]): string | undefined =>
    underAny(
      bucket,
      keys.map((key) => base + key),
    );
  const name = (what: string): string => `holdfast_${role}_${what}`;
  const bindings = [
    binding(name('list'), ['storage.objects.list'], listCondition(base)),
    binding(name('read'), ['storage.objects.get', ...restores(rights)], under(rights.read), rights.read),
    binding(name('create'), ['storage.objects.create', ...locks(rights)], under(rights.create), rights.create),
    binding(
      name('replace'),
      ['storage.objects.create', 'storage.objects.delete'],
      under(rights.replace),
      rights.replace,
    ),
    binding(name('delete'), ['storage.objects.delete'], under(rights.delete), rights.delete),
    // Extends; storage.objects.overrideUnlockedRetention, which shortens, is in no role.
    binding(
      name('locks'),
      ['storage.objects.update', 'storage.objects.setRetention'],
      under(['']),
      rights.extendLocks ? [''] : [],
    ),
  ];
  return { bucket, bindings: bindings.filter((one) => one !== undefined) };
}

function binding(
  role: string,
  includedPermissions: readonly string[],
  expression: string | undefined,
  keys: readonly string[] = [''],
): GcsBinding | undefined {
  if (keys.length === 0) return undefined;
  const condition = expression === undefined ? {} : { condition: { title: role, expression } };
  return { role, includedPermissions, ...condition };
}

function locks(rights: StoreRights): string[] {
  return rights.lock ? ['storage.objects.setRetention'] : [];
}

/** Versions of objects are read by the same right; archive classes are read without being asked for. */
function restores(rights: StoreRights): string[] {
  return rights.extendLocks ? ['storage.buckets.get'] : [];
}

function underAny(bucket: string, names: readonly string[]): string | undefined {
  if (names.includes('')) return undefined;
  const start = `projects/_/buckets/${bucket}/objects/`;
  return names.map((name) => `resource.name.startsWith(${JSON.stringify(start + name)})`).join(' || ');
}

function listCondition(base: string): string | undefined {
  if (base === '') return undefined;
  const asked = "api.getAttribute('storage.googleapis.com/objectListPrefix', '')";
  return `${asked}.startsWith(${JSON.stringify(base)})`;
}
