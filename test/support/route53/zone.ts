/** The record sets of a fake hosted zone: a batch is made as a whole or not at all, with what Route 53 refuses. */
import type { FakeRecord } from './evaluate.ts';
import { child, optional, textOf, xml, type Element } from './xml.ts';

export interface FakeChange {
  readonly action: string;
  readonly record: FakeRecord;
}

export function recordOf(element: Element): FakeRecord {
  const ttl = textOf(element, 'TTL');
  const weight = textOf(element, 'Weight');
  const alias = child(element, 'AliasTarget');
  const records = child(element, 'ResourceRecords');
  const values = (records?.children ?? []).map((one) => textOf(one, 'Value') ?? '');
  const field = <K extends string>(key: K, value: string | undefined) =>
    (value === undefined ? {} : { [key]: value }) as Partial<Record<K, string>>;
  return {
    name: listedName(textOf(element, 'Name') ?? ''),
    type: textOf(element, 'Type') ?? '',
    ...field('setIdentifier', textOf(element, 'SetIdentifier')),
    ...(ttl === undefined ? {} : { ttl: Number(ttl) }),
    ...(alias === undefined ? { values } : { alias: aliasOf(alias) }),
    ...(weight === undefined ? {} : { weight: Number(weight) }),
    ...field('failover', textOf(element, 'Failover')),
    ...field('healthCheckId', textOf(element, 'HealthCheckId')),
    ...field('region', textOf(element, 'Region')),
  } as FakeRecord;
}

function aliasOf(element: Element): NonNullable<FakeRecord['alias']> {
  return {
    zone: textOf(element, 'HostedZoneId') ?? '',
    name: listedName(textOf(element, 'DNSName') ?? ''),
    evaluate: textOf(element, 'EvaluateTargetHealth') === 'true',
  };
}

export function listedName(name: string): string {
  const lower = name.toLowerCase().replaceAll('*', '\\052');
  return lower.endsWith('.') ? lower : `${lower}.`;
}

export function recordXml(record: FakeRecord): string {
  const { name, type, setIdentifier, weight, region, failover, ttl, values, alias, healthCheckId } = record;
  return xml('ResourceRecordSet', [
    xml('Name', name),
    xml('Type', type),
    optional('SetIdentifier', setIdentifier),
    optional('Weight', weight),
    optional('Region', region),
    optional('Failover', failover),
    optional('TTL', ttl),
    alias === undefined
      ? xml(
          'ResourceRecords',
          (values ?? []).map((value) => xml('ResourceRecord', [xml('Value', value)])),
        )
      : xml('AliasTarget', [
          xml('HostedZoneId', alias.zone),
          xml('DNSName', alias.name),
          xml('EvaluateTargetHealth', alias.evaluate),
        ]),
    optional('HealthCheckId', healthCheckId),
  ]);
}

/** As they are listed: by the labels of the name from the right, then the type, then the set identifier. */
export function inOrder(records: readonly FakeRecord[]): FakeRecord[] {
  return records.toSorted((one, other) => compare(orderOf(one), orderOf(other)));
}

export function orderOf({ name, type, setIdentifier }: Pick<FakeRecord, 'name' | 'type' | 'setIdentifier'>): string {
  return [name.split('.').toReversed().join('.'), type, setIdentifier ?? ''].join(' ');
}

function compare(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

/** The records after a batch, or why all of it is refused. One change after another, each by what the ones before left. */
export function applyBatch(
  records: readonly FakeRecord[],
  batch: readonly FakeChange[],
  rules: { readonly domain: string; isProtected(name: string, type: string): boolean; hasCheck(id: string): boolean },
): { records: FakeRecord[] } | { refused: string } {
  const now = [...records];
  for (const { action, record } of batch) {
    const { name, type } = record;
    const title = `[name='${name}', type='${type}'${record.setIdentifier === undefined ? '' : `, set-identifier='${record.setIdentifier}'`}]`;
    const at = now.findIndex((one) => orderOf(one) === orderOf(record));
    const there = now[at];
    if (rules.isProtected(name, type)) return { refused: `RRSet ${title} is protected from changes` };
    if (!name.endsWith(`${rules.domain}.`))
      return { refused: `RRSet with DNS name ${name} is not permitted in zone ${rules.domain}.` };
    if (action === 'DELETE') {
      if (there === undefined) return { refused: `Tried to delete resource record set ${title} but it was not found` };
      if (fingerprint(there) !== fingerprint(record)) {
        return {
          refused: `Tried to delete resource record set ${title} but the values provided do not match the current values`,
        };
      }
      now.splice(at, 1);
      continue;
    }
    if (action === 'CREATE' && there !== undefined) {
      return { refused: `Tried to create resource record set ${title} but it already exists` };
    }
    const wrong = faultOf(record, rules, now);
    if (wrong !== undefined) return { refused: wrong };
    if (there === undefined) now.push(record);
    else now[at] = record;
  }
  return { records: inOrder(now) };
}

function faultOf(
  record: FakeRecord,
  rules: { hasCheck(id: string): boolean },
  now: readonly FakeRecord[],
): string | undefined {
  const { name, type, healthCheckId, setIdentifier, alias, ttl } = record;
  if (healthCheckId !== undefined && !rules.hasCheck(healthCheckId))
    return `No health check found with id: ${healthCheckId}`;
  if (alias !== undefined && ttl !== undefined) return `Invalid request: an alias has no TTL`;
  const same = now.filter((one) => one.name === name && one.type === type && one.setIdentifier !== setIdentifier);
  if (same.some((one) => (one.setIdentifier === undefined) !== (setIdentifier === undefined))) {
    return `RRSet with DNS name ${name}, type ${type} cannot be created as other RRSets exist with the same name and type`;
  }
  const roles = same.filter(({ failover }) => failover !== undefined && failover === record.failover);
  if (roles.length > 0) {
    return `RRSet with DNS name ${name}, type ${type}, SetIdentifier ${setIdentifier ?? ''} cannot be created as a ${record.failover ?? ''} exists`;
  }
  return undefined;
}

/** Values count in any order. */
function fingerprint(record: FakeRecord): string {
  return JSON.stringify(
    Object.entries({ ...record, values: record.values?.toSorted() }).toSorted(([one], [other]) => compare(one, other)),
  );
}
