/** Lifecycle rules: the one of a vault, and those of others that would touch what backups are made of. */

/** As S3 has it (LifecycleRule of the API reference); what is not read here is kept as it is. */
export interface LifecycleRule {
  readonly ID?: string | undefined;
  readonly Status: string | undefined;
  readonly Prefix?: string | undefined;
  readonly Filter?:
    | {
        readonly Prefix?: string | undefined;
        readonly Tag?: object | undefined;
        readonly And?:
          { readonly Prefix?: string | undefined; readonly Tags?: readonly object[] | undefined } | undefined;
      }
    | undefined;
  readonly Expiration?:
    | {
        readonly Days?: number | undefined;
        readonly Date?: Date | undefined;
        readonly ExpiredObjectDeleteMarker?: boolean | undefined;
      }
    | undefined;
  readonly Transitions?: readonly { readonly StorageClass?: string | undefined }[] | undefined;
  readonly NoncurrentVersionExpiration?: { readonly NoncurrentDays?: number | undefined } | undefined;
  readonly AbortIncompleteMultipartUpload?: { readonly DaysAfterInitiation?: number | undefined } | undefined;
}

const UPLOAD_DAYS = 7;
const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE'];

/** Touches no current version: an old chunk may belong to the newest backup. */
export function ownRule({ prefix, keepVersionsDays }: { prefix: string; keepVersionsDays: number }): LifecycleRule {
  return {
    ID: `holdfast ${prefix === '' ? 'vault' : prefix}`,
    Status: 'Enabled',
    Filter: { Prefix: prefix === '' ? '' : `${prefix}/` },
    Expiration: { ExpiredObjectDeleteMarker: true },
    NoncurrentVersionExpiration: { NoncurrentDays: keepVersionsDays },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: UPLOAD_DAYS },
  };
}

export function sameRule(a: LifecycleRule, b: LifecycleRule): boolean {
  return JSON.stringify(essence(a)) === JSON.stringify(essence(b));
}

function essence(rule: LifecycleRule): unknown[] {
  return [
    rule.Status,
    prefixOf(rule),
    hasTags(rule),
    rule.Expiration?.Days ?? rule.Expiration?.Date ?? null,
    rule.Expiration?.ExpiredObjectDeleteMarker ?? false,
    rule.NoncurrentVersionExpiration?.NoncurrentDays ?? null,
    rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation ?? null,
    rule.Transitions ?? [],
  ];
}

/** One sentence for each rule in force that would delete or freeze current objects of the vault by their age. */
export function dangersOf(rules: readonly LifecycleRule[], prefix: string): string[] {
  const vault = prefix === '' ? '' : `${prefix}/`;
  return rules.filter((rule) => rule.Status === 'Enabled' && reaches(rule, vault)).flatMap((rule) => dangerOf(rule));
}

function dangerOf(rule: LifecycleRule): string[] {
  const name = `the lifecycle rule ${JSON.stringify(rule.ID ?? 'without a name')}`;
  const { Days: days, Date: date } = rule.Expiration ?? {};
  const expires = days !== undefined || date !== undefined;
  const when = days === undefined ? `on ${date?.toISOString() ?? ''}` : `after ${days} days`;
  const frozen = (rule.Transitions ?? [])
    .map(({ StorageClass = '' }) => StorageClass)
    .filter((one) => ARCHIVES.includes(one));
  return [
    ...(expires ? [`${name} deletes objects of the vault ${when}: an old chunk may belong to the newest backup`] : []),
    ...(frozen.length > 0
      ? [`${name} moves objects of the vault to ${frozen.join(', ')}: use a store of its own with that class`]
      : []),
  ];
}

/** Objects of a vault carry no tags, so a rule that asks for one reaches none. */
function reaches(rule: LifecycleRule, vault: string): boolean {
  const prefix = prefixOf(rule);
  return !hasTags(rule) && (prefix.startsWith(vault) || vault.startsWith(prefix));
}

function prefixOf(rule: LifecycleRule): string {
  return rule.Filter?.Prefix ?? rule.Filter?.And?.Prefix ?? rule.Prefix ?? '';
}

function hasTags({ Filter: filter }: LifecycleRule): boolean {
  return filter?.Tag !== undefined || (filter?.And?.Tags ?? []).length > 0;
}
