/** A fake Route 53 that feeds a real name server, and the names of a system as its file declares them. */
import { buildDns } from '../../src/system/dns-build.ts';
import { dnsSchema } from '../../src/system/dns-schema.ts';
import type { DnsEntry } from '../../src/system/dns-types.ts';
import type { DnsContext } from '../../src/dns/context.ts';
import type { Begun } from '../../src/dns/swap.ts';
import { HoldfastError } from '../../src/failures.ts';
import { FakeRoute53, type FakeOptions } from '../support/route53/fake.ts';
import { startNameServer, type NameServer } from '../support/route53/name-server.ts';

export const SITES = { a: 'us-east-1', b: 'eu-west-1' } as const;
export const ADDRESS = { a: '198.51.100.10', b: '203.0.113.20' } as const;

let domains = 0;

/** One name server for all tests of a file; a zone of its own for each. */
export class DnsStage {
  readonly nameServer: NameServer;
  private readonly fakes: FakeRoute53[] = [];

  constructor(nameServer: NameServer) {
    this.nameServer = nameServer;
  }

  static async open(): Promise<DnsStage> {
    process.env['DNS_TEST_ID'] = 'AKIATEST';
    process.env['DNS_TEST_SECRET'] = 'secret';
    return new DnsStage(await startNameServer());
  }

  async route53(
    options: Omit<FakeOptions, 'domain' | 'nameServer'> = {},
  ): Promise<{ fake: FakeRoute53; domain: string }> {
    domains += 1;
    const domain = `t${domains}.example.test`;
    const fake = await FakeRoute53.start({ ...options, domain, nameServer: this.nameServer });
    this.fakes.push(fake);
    return { fake, domain };
  }

  /** As written in a file, with what every entry of these tests has. */
  entries(fake: FakeRoute53, written: readonly object[]): DnsEntry[] {
    const { address } = this.nameServer;
    const around = {
      zone: fake.zone,
      endpoint: fake.url,
      accessKeyId: { env: 'DNS_TEST_ID' },
      secretAccessKey: { env: 'DNS_TEST_SECRET' },
      nameservers: [address],
      resolvers: [address],
      answeredWithin: '60s',
    };
    return buildDns(
      dnsSchema.parse(written.map((one) => ('command' in one || 'change' in one ? one : { ...around, ...one }))),
    );
  }

  async close(): Promise<void> {
    for (const fake of this.fakes) await fake.stop();
    await this.nameServer.stop();
  }
}

export function contextOf(entries: readonly DnsEntry[], more: Partial<DnsContext> = {}): DnsContext {
  return {
    site: SITES.b,
    entries,
    resolveSecret: (ref) => Promise.resolve('env' in ref ? (process.env[ref.env] ?? '') : ''),
    openStore: () => Promise.reject(new Error('no store')),
    signal: new AbortController().signal,
    report: () => undefined,
    pollMs: 20,
    ...more,
  };
}

export function nothingBegun(): Begun {
  const begun = new Set<number>();
  return { has: (index) => begun.has(index), mark: (index) => void begun.add(index) };
}

/** The code and text of what is thrown. */
export async function failureOf(
  what: Promise<unknown>,
): Promise<{ code: string; message: string; waitingHelps: boolean }> {
  const error: unknown = await what.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof HoldfastError)) throw new Error(`expected a HoldfastError, got ${String(error)}`);
  const { code, message, waitingHelps } = error;
  return { code, message, waitingHelps };
}

export const simple = (name: string, more: object = {}): object => ({
  name,
  type: 'A',
  ttl: '30s',
  sites: { [SITES.a]: [ADDRESS.a], [SITES.b]: [ADDRESS.b] },
  ...more,
});
