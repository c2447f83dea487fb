/** Whether names are as the system file needs them, before anybody needs them: every difference. Pure. */
import type { DnsHeld, Route53Entry, Route53HealthEntry, SimpleRecord } from '../../system/dns-types.ts';
import { planRecord, siteSeen, type RecordChange } from './dns-change.ts';
import { heldBy, plainName, recordTitle, recordWords, sameRecordSet, zoneName, type RecordSet } from './dns-records.ts';

/** A health check as it is, in the words of its configuration. */
export interface CheckSettings {
  readonly type: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly search?: string;
  readonly intervalSeconds: number;
  readonly failureThreshold: number;
  readonly inverted: boolean;
  readonly disabled: boolean;
}

/** What the health check of a prepared switch must be. */
export function declaredCheck({ check }: Pick<Route53HealthEntry, 'check'>): CheckSettings {
  const url = new URL(check.url);
  const secure = url.protocol === 'https:';
  const matches = check.search === undefined ? '' : '_STR_MATCH';
  return {
    type: `${secure ? 'HTTPS' : 'HTTP'}${matches}`,
    host: url.hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    ...(check.search === undefined ? {} : { search: check.search }),
    intervalSeconds: check.intervalSeconds,
    failureThreshold: check.failureThreshold,
    inverted: true,
    disabled: false,
  };
}

/** Empty when it is as declared. */
export function checkDifferences(declared: CheckSettings, seen: CheckSettings): string[] {
  return (Object.keys({ ...declared, ...seen }) as (keyof CheckSettings)[])
    .filter((key) => declared[key] !== seen[key])
    .map((key) => `${WORDS[key]} is ${said(seen[key])}, and has to be ${said(declared[key])}`);
}

const WORDS: Readonly<Record<keyof CheckSettings, string>> = {
  type: 'type',
  host: 'host',
  port: 'port',
  path: 'path',
  search: 'text to find',
  intervalSeconds: 'interval in seconds',
  failureThreshold: 'failure threshold',
  inverted: 'inverted',
  disabled: 'disabled',
};

function said(value: string | number | boolean | undefined): string {
  return value === undefined ? 'none' : String(value);
}

/** The two record sets of a prepared name. Their set identifiers are the names of the sites. */
export function preparedSets(
  entry: Pick<Route53HealthEntry, 'primary' | 'standby'>,
  record: SimpleRecord,
  healthCheckId: string,
): [RecordSet, RecordSet] {
  const held = (site: string): RecordSet => heldBy(record, record.sites[site] ?? NOTHING);
  return [
    { ...held(entry.primary), setIdentifier: entry.primary, failover: 'PRIMARY', healthCheckId },
    { ...held(entry.standby), setIdentifier: entry.standby, failover: 'SECONDARY' },
  ];
}

const NOTHING: DnsHeld = { values: [] };

export interface PreparedSeen {
  readonly records: readonly RecordSet[];
  /** Of the ids that the PRIMARY record sets name; undefined: there is no such check. */
  readonly checks: ReadonlyMap<string, CheckSettings | undefined>;
}

/** Every difference of a prepared switch from what is declared. */
export function auditPrepared(entry: Route53HealthEntry, { records, checks }: PreparedSeen): string[] {
  const declared = declaredCheck(entry);
  return entry.records.flatMap((record) => {
    const here = setsOf(record, records);
    const primary = here.find(({ setIdentifier }) => setIdentifier === entry.primary);
    const id = primary?.healthCheckId ?? '';
    const wanted = preparedSets(entry, record, id);
    const lacking = wanted.flatMap((one) => {
      const found = here.find(({ setIdentifier }) => setIdentifier === one.setIdentifier) ?? null;
      if (sameRecordSet(found, one)) return [];
      return [`${recordTitle(one)} is ${recordWords(found)}, and has to be ${recordWords(one)}`];
    });
    const others = here
      .filter((one) => !wanted.some(({ setIdentifier }) => setIdentifier === one.setIdentifier))
      .map((one) => `${recordTitle(one)} is beside them, with ${recordWords(one)}`);
    return [...lacking, ...others, ...auditCheck(record, id, declared, checks)];
  });
}

function auditCheck(
  record: SimpleRecord,
  id: string,
  declared: CheckSettings,
  checks: PreparedSeen['checks'],
): string[] {
  const title = `${plainName(record.name)} ${record.type}`;
  if (id === '') return [`${title}: its PRIMARY has no health check`];
  const seen = checks.get(id);
  if (seen === undefined) return [`${title}: there is no health check ${id}`];
  return checkDifferences(declared, seen).map((difference) => `health check ${id} of ${title}: ${difference}`);
}

export interface Preparation {
  /** Undefined: a check has to be made first, and its id takes the place of NEW_CHECK. */
  readonly healthCheckId: string | undefined;
  readonly changes: readonly RecordChange[];
  readonly refusals: readonly string[];
}

/** Stands for the check that is made with the records. */
export const NEW_CHECK = 'new';

/** What makes a switch as declared: one check for all its names, and in one batch the record sets in the place of what is there. */
export function planPrepared(entry: Route53HealthEntry, { records, checks }: PreparedSeen): Preparation {
  const declared = declaredCheck(entry);
  const healthCheckId = [...checks].find(
    ([, seen]) => seen !== undefined && checkDifferences(declared, seen).length === 0,
  )?.[0];
  const refusals: string[] = [];
  const changes = entry.records.flatMap((record): RecordChange[] => {
    const here = setsOf(record, records);
    const wanted = preparedSets(entry, record, healthCheckId ?? NEW_CHECK);
    const others = here.filter(
      ({ setIdentifier }) =>
        setIdentifier !== undefined && setIdentifier !== entry.primary && setIdentifier !== entry.standby,
    );
    refusals.push(...others.map((one) => `${recordTitle(one)} is there, and belongs to no site of the system file`));
    const alone = here.filter(({ setIdentifier }) => setIdentifier === undefined);
    return [
      ...alone.map((before) => ({ before, after: null })),
      ...wanted.map((after) => ({
        before: here.find(({ setIdentifier }) => setIdentifier === after.setIdentifier) ?? null,
        after,
      })),
    ];
  });
  return { healthCheckId, changes, refusals };
}

/** With the id of the check that was made. */
export function withCheck(changes: readonly RecordChange[], id: string): RecordChange[] {
  return changes.map(({ before, after }) => ({
    before,
    after: after?.healthCheckId === NEW_CHECK ? { ...after, healthCheckId: id } : after,
  }));
}

function setsOf(record: SimpleRecord, records: readonly RecordSet[]): RecordSet[] {
  return records.filter((one) => one.name === zoneName(record.name) && one.type === record.type);
}

/** What keeps record sets from following the active site, and what they hold that no site has. */
export function auditRecords(
  entry: Route53Entry,
  records: readonly RecordSet[],
  guarded: readonly { readonly name: string; readonly type: string }[],
): string[] {
  const found = entry.records.flatMap((record) => {
    const refusals = Object.keys(record.sites).flatMap((site) => planRecord(record, records, site).refusals);
    if (refusals.length > 0 || siteSeen(record, records) !== undefined) return refusals;
    const here = records.filter((one) => one.name === zoneName(record.name) && one.type === record.type);
    const held = here.length === 0 ? 'nothing' : here.map(recordWords).join('; ');
    return [`${plainName(record.name)} ${record.type} holds ${held}, as the system file says of no site`];
  });
  const protections = guarded.map(({ name, type }) => `${plainName(name)} ${type} is protected from changes`);
  return [...new Set([...found, ...protections])];
}
