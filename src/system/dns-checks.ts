/** What the schema of a failover's names can't say: what each routing needs of its sites, and names that exist. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import type { DnsFile } from './dns-schema.ts';
import type { ProblemPath } from './problems.ts';
import { reportUnknown, type Report } from './report.ts';

type EntryFile = DnsFile[number];
type RecordFile = Extract<EntryFile, { kind: 'route53' }>['records'][number];

interface Names {
  readonly stores: readonly string[];
  readonly sites: readonly string[];
}

/** `at` is where the list stands, such as ['failover', 'dns']. */
export function checkDns(file: DnsFile, at: ProblemPath, names: Names, report: Report): void {
  file.forEach((entry, index) => {
    const path = [...at, index];
    if (entry.kind === 'command') return;
    if ((entry.accessKeyId === undefined) !== (entry.secretAccessKey === undefined)) {
      report(path, '`accessKeyId` and `secretAccessKey` belong together: add the missing one');
    }
    entry.records.forEach((record, place) => {
      checkRecord(record, [...path, 'records', place], report);
      for (const site of Object.keys(record.sites)) {
        reportUnknown([...path, 'records', place, 'sites', site], 'site', site, names.sites, report);
      }
      const first = entry.records.findIndex(({ name, type }) => name === record.name && type === record.type);
      if (first !== place) report([...path, 'records', place], `${record.name} ${record.type} is there twice`);
    });
    if (entry.kind === 'route53-health') checkHealth(entry, path, names, report);
  });
}

function checkRecord(record: RecordFile, path: ProblemPath, report: Report): void {
  const { routing = 'simple', sites, ttl, weight } = record;
  const names = Object.keys(sites);
  if (names.length < 2) report([...path, 'sites'], 'name at least two sites: there is nothing to change between else');
  if (routing === 'failover' && names.length > 2) {
    report([...path, 'sites'], 'a PRIMARY and a SECONDARY: name two sites, or use `routing: weighted`');
  }
  if (routing !== 'simple' && ttl !== undefined) {
    report([...path, 'ttl'], 'the record sets keep the TTL that they have: leave it out');
  }
  if (routing !== 'weighted' && weight !== undefined) report([...path, 'weight'], 'only with `routing: weighted`');
  for (const [site, held] of Object.entries(sites)) {
    const at = [...path, 'sites', site];
    const isSet = !Array.isArray(held) && 'set' in held;
    if (routing === 'simple' && isSet) report(at, 'write values or an alias, or say which `routing` the sets have');
    if (routing !== 'simple' && !isSet) {
      report(at, `with \`routing: ${routing}\` write { set: <set identifier> }: what it holds stays as it is`);
    }
    if (Array.isArray(held)) checkValues(record, held, at, report);
  }
  const sets = Object.values(sites).flatMap((held) => (!Array.isArray(held) && 'set' in held ? [held.set] : []));
  if (new Set(sets).size < sets.length) report([...path, 'sites'], 'each site needs a record set of its own');
}

function checkValues({ type }: RecordFile, values: readonly string[], at: ProblemPath, report: Report): void {
  if (type === 'CNAME' && values.length > 1) report(at, 'a CNAME has one value');
  values.forEach((value, index) => {
    if (type === 'A' && !isIPv4(value)) report([...at, index], 'write an IPv4 address, or choose another type');
    if (type === 'AAAA' && !isIPv6(value)) report([...at, index], 'write an IPv6 address, or choose another type');
  });
}

function checkHealth(
  entry: Extract<EntryFile, { kind: 'route53-health' }>,
  path: ProblemPath,
  { stores, sites: all }: Names,
  report: Report,
): void {
  const { primary, standby } = entry;
  reportUnknown([...path, 'primary'], 'site', primary, all, report);
  reportUnknown([...path, 'standby'], 'site', standby, all, report);
  if (primary === standby) report([...path, 'standby'], 'the standby is another site than the primary');
  entry.records.forEach(({ sites, routing, type }, index) => {
    const at = [...path, 'records', index];
    if (routing !== undefined) report([...at, 'routing'], 'leave it out: these are failover record sets always');
    if (type === 'TXT' || type === 'MX') report([...at, 'type'], 'write A, AAAA or CNAME');
    for (const site of [primary, standby]) {
      if (!Object.hasOwn(sites, site)) report([...at, 'sites'], `say what it holds for \`${site}\``);
    }
    const others = Object.keys(sites).filter((site) => site !== primary && site !== standby);
    for (const site of others) report([...at, 'sites', site], 'it leads to `primary` or `standby` only: leave it out');
  });
  if (entry.switch.kind === 'store') {
    reportUnknown([...path, 'switch', 'store'], 'store', entry.switch.store, stores, report);
  }
}
