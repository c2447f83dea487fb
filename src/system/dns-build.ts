/** The names of a failover with their defaults filled in. Pure. */
import { DNS_DEFAULTS, type DnsFile } from './dns-schema.ts';
import type { DnsAlias, DnsEntry, DnsHeld, DnsRecord, DnsSwitch, SimpleRecord } from './dns-types.ts';
import { durationSeconds } from './durations.ts';
import { present } from './present.ts';
import { DEFAULTS } from './schema-parts.ts';

type EntryFile = DnsFile[number];
type RecordFile = Extract<EntryFile, { kind: 'route53' }>['records'][number];
type SwitchFile = Extract<EntryFile, { kind: 'route53-health' }>['switch'];

/** The file must have passed the schema and `checkDns`. */
export function buildDns(file: DnsFile | undefined): DnsEntry[] {
  return (file ?? []).map(buildEntry);
}

function buildEntry(file: EntryFile): DnsEntry {
  switch (file.kind) {
    case 'route53':
      return {
        kind: 'route53',
        ...around(file),
        records: file.records.map(buildRecord),
        inSyncWithinSeconds: durationSeconds(file.inSyncWithin ?? DNS_DEFAULTS.inSyncWithin),
      };
    case 'route53-health': {
      const { url, search, interval, failureThreshold } = file.check;
      return {
        kind: 'route53-health',
        ...around(file),
        primary: file.primary,
        standby: file.standby,
        switch: buildSwitch(file.switch),
        check: present({
          url,
          search,
          intervalSeconds: (interval ?? DNS_DEFAULTS.checkInterval) === '10s' ? (10 as const) : (30 as const),
          failureThreshold: failureThreshold ?? DNS_DEFAULTS.failureThreshold,
        }),
        records: file.records.map(buildSimple),
      };
    }
    case 'command': {
      const { name, read, change, verify, timeout, ttl, secrets } = file;
      return present({
        kind: 'command' as const,
        name,
        read,
        change,
        verify,
        timeoutSeconds: durationSeconds(timeout ?? DNS_DEFAULTS.commandTimeout),
        ttlSeconds: durationSeconds(ttl ?? DNS_DEFAULTS.ttl),
        secrets: secrets ?? {},
      });
    }
  }
}

function around(file: Exclude<EntryFile, { kind: 'command' }>) {
  const { zone, region, endpoint, caFile, accessKeyId, secretAccessKey, resolvers, nameservers, answeredWithin } = file;
  return present({
    zone,
    region: region ?? DEFAULTS.region,
    endpoint,
    caFile,
    accessKeyId,
    secretAccessKey,
    resolvers: resolvers ?? [],
    nameservers: nameservers ?? [],
    answeredWithinSeconds: durationSeconds(answeredWithin ?? DNS_DEFAULTS.answeredWithin),
  });
}

function buildRecord(file: RecordFile): DnsRecord {
  const { name, type, routing = 'simple', weight } = file;
  if (routing === 'simple') return buildSimple(file);
  const sites = Object.fromEntries(
    Object.entries(file.sites).map(([site, held]) => [site, 'set' in held ? held.set : '']),
  );
  if (routing === 'failover') return { routing, name, type, sites };
  return { routing, name, type, sites, weight: weight ?? DNS_DEFAULTS.weight };
}

function buildSimple({ name, type, ttl, sites }: RecordFile): SimpleRecord {
  const held = Object.entries(sites).map(([site, one]): [string, DnsHeld] => [site, heldOf(one)]);
  return {
    routing: 'simple',
    name,
    type,
    ttlSeconds: durationSeconds(ttl ?? DNS_DEFAULTS.ttl),
    sites: Object.fromEntries(held),
  };
}

function heldOf(file: RecordFile['sites'][string]): DnsHeld {
  if (Array.isArray(file)) return { values: file };
  if (!('alias' in file)) return { values: [] };
  const { zone, name, evaluateTargetHealth } = file.alias;
  const alias: DnsAlias = { zone, name, evaluateTargetHealth: evaluateTargetHealth ?? false };
  return { alias };
}

function buildSwitch(file: SwitchFile): DnsSwitch {
  if (file.kind !== 'command') return file;
  const { kind, on, off, timeout } = file;
  return { kind, on, off, timeoutSeconds: durationSeconds(timeout ?? DNS_DEFAULTS.commandTimeout) };
}
