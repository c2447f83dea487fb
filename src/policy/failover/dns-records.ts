/** Record sets of a zone: one spelling, compared, in words. Pure. */
import type { DnsHeld, SimpleRecord } from '../../system/dns-types.ts';
import { canonicalJson } from '../canonical.ts';

/** A record set as it stands in a zone. Names end with a dot, in lower case, as Route 53 lists them. */
export interface RecordSet {
  readonly name: string;
  readonly type: string;
  readonly setIdentifier?: string;
  /** Absent: an alias. */
  readonly ttlSeconds?: number;
  readonly values?: readonly string[];
  readonly alias?: { readonly zone: string; readonly name: string; readonly evaluateTargetHealth: boolean };
  readonly weight?: number;
  readonly failover?: 'PRIMARY' | 'SECONDARY';
  readonly healthCheckId?: string;
  /** Routing that is never changed here, such as `latency`. */
  readonly otherRouting?: string;
}

/** AWS's own, for aliases to its resources. */
export const ALIAS_TTL_SECONDS = 60;

/** As Route 53 lists it: lower case, a dot at the end, what is no letter, digit, `-` or `_` as its octal code. */
export function zoneName(name: string): string {
  const lower = name.toLowerCase().replaceAll('*', '\\052');
  return lower.endsWith('.') ? lower : `${lower}.`;
}

/** For people and resolvers. */
export function plainName(name: string): string {
  return name.replaceAll('\\052', '*').replace(/\.$/, '');
}

/** As it is written into a zone: texts in quotes, names with their dot. */
export function zoneValue(type: string, value: string): string {
  if (type === 'TXT') return value.startsWith('"') ? value : `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
  if (type === 'CNAME') return value.endsWith('.') ? value : `${value}.`;
  if (type === 'MX') return value.endsWith('.') || value.endsWith(' ') ? value : `${value}.`;
  return value;
}

/** The order of values means nothing; names of targets differ in case and in their last dot. */
export function sameRecordSet(one: RecordSet | null, other: RecordSet | null): boolean {
  return spelled(one) === spelled(other);
}

function spelled(record: RecordSet | null): string {
  if (record === null) return 'none';
  const { alias, values } = record;
  return canonicalJson({
    ...record,
    name: zoneName(record.name),
    ...(values === undefined ? {} : { values: values.map((value) => zoneValue(record.type, value)).toSorted() }),
    ...(alias === undefined ? {} : { alias: { ...alias, name: zoneName(alias.name) } }),
  });
}

/** What a simple record holds while the site is active. */
export function heldBy(record: SimpleRecord, held: DnsHeld): RecordSet {
  const { type } = record;
  const name = zoneName(record.name);
  if ('alias' in held) return { name, type, alias: { ...held.alias, name: zoneName(held.alias.name) } };
  return { name, type, ttlSeconds: record.ttlSeconds, values: held.values.map((value) => zoneValue(type, value)) };
}

/** So long an answer may be remembered by resolvers. */
export function ttlOf(record: RecordSet): number {
  return record.ttlSeconds ?? ALIAS_TTL_SECONDS;
}

/** Such as `203.0.113.20 (TTL 60 s)`, `alias of lb.example.net`, `weight 0`. */
export function recordWords(record: RecordSet | null): string {
  if (record === null) return 'nothing';
  const { alias, values, weight, failover, healthCheckId } = record;
  const held = alias === undefined ? (values ?? []).join(', ') : `alias of ${plainName(alias.name)}`;
  const parts = [
    ...(record.ttlSeconds === undefined ? [] : [`TTL ${record.ttlSeconds} s`]),
    ...(weight === undefined ? [] : [`weight ${weight}`]),
    ...(failover === undefined ? [] : [failover]),
    ...(healthCheckId === undefined ? [] : [`health check ${healthCheckId}`]),
    ...(record.otherRouting === undefined ? [] : [record.otherRouting]),
  ];
  return parts.length === 0 ? held : `${held} (${parts.join(', ')})`;
}

/** `ledger.example.net A`, with the set identifier where there is one. */
export function recordTitle({ name, type, setIdentifier }: RecordSet): string {
  return `${plainName(name)} ${type}${setIdentifier === undefined ? '' : ` [${setIdentifier}]`}`;
}
