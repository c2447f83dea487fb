/** What leads the names of a system is given, and what all of it uses. */
import { HoldfastError } from '../failures.ts';
import { openStore, type Store } from '../stores/index.ts';
import type { DnsEntry, Route53Entry, Route53HealthEntry } from '../system/dns-types.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { SecretRef, System } from '../system/types.ts';
import { delegatedTo } from './answers.ts';
import { openZone, type Route53Zone } from './route53.ts';

/** What everything here is given. */
export interface DnsContext {
  /** The site whose host this is. */
  readonly site: string;
  readonly entries: readonly DnsEntry[];
  readonly resolveSecret: (ref: SecretRef) => Promise<string>;
  readonly openStore: (name: string) => Promise<Store>;
  readonly signal: AbortSignal;
  readonly report: (phase: string) => void;
  /** Between two looks at a change of Route 53. */
  readonly pollMs?: number;
}

/** The names of a system, with its stores and its secrets. */
export function dnsContext(system: System): Omit<DnsContext, 'signal' | 'report'> {
  return {
    site: system.site,
    entries: system.failover?.dns ?? [],
    resolveSecret,
    openStore: (name) => {
      const config = system.stores.find((store) => store.name === name);
      if (config === undefined) throw new HoldfastError('BadInput', `${system.name} has no store ${name}`);
      return openStore(config, resolveSecret);
    },
  };
}

export function titleOf(entry: DnsEntry): string {
  if (entry.kind === 'command') return entry.name;
  return entry.kind === 'route53' ? `zone ${entry.zone}` : `zone ${entry.zone} by its switch`;
}

/** Opens the entry's zone for as long as `use` runs. */
export async function withZone<T>(
  context: Pick<DnsContext, 'resolveSecret' | 'pollMs'>,
  entry: Route53Entry | Route53HealthEntry,
  use: (zone: Route53Zone) => Promise<T>,
): Promise<T> {
  const zone = await openZone(entry, context.resolveSecret, context.pollMs);
  try {
    return await use(zone);
  } finally {
    zone.close();
  }
}

/** The authoritative servers: as declared, else those that the first name is delegated to. */
export async function serversFor(
  entry: Route53Entry | Route53HealthEntry,
  context: Pick<DnsContext, 'resolveSecret' | 'signal'>,
): Promise<readonly string[]> {
  if (entry.nameservers.length > 0) return entry.nameservers;
  const [first] = entry.records;
  const found = first === undefined ? [] : await delegatedTo(first.name, entry);
  if (found.length > 0 || entry.kind === 'route53-health') return found;
  return withZone(context, entry, async (zone) => (await zone.describe(context.signal)).nameservers);
}

/** For a line of its own. */
export function firstLine(text: string): string {
  const [first = ''] = text.split('\n');
  return first.length > 120 ? `${first.slice(0, 120)}…` : first;
}
