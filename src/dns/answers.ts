/** What names are answered with: at the authoritative servers, which know first, and at resolvers, which remember. */
import { Resolver, lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import type { AnswerCheck } from '../policy/failover/dns-change.ts';
import { judgeAnswer, judgeServers, type AnswerSeen, type AnswerVerdict } from '../policy/failover/dns-answers.ts';
import type { DnsAsked } from '../system/dns-types.ts';

const QUERY_TIMEOUT_MS = 2000;
const QUERY_TRIES = 2;
const POLL_MS = 1000;
const LOOKS_AT_SILENCE = 3;
const DNS_PORT = 53;
/** In c-ares' words: it was answered, and there is none. */
const NONE = new Set(['ENOTFOUND', 'ENODATA']);

export interface ServerAnswer extends AnswerSeen {
  /** `authoritative` or `resolver`. */
  readonly role: 'authoritative' | 'resolver';
  /** As it was named. */
  readonly server: string;
}

export interface Answers {
  readonly verdict: AnswerVerdict;
  readonly answers: readonly ServerAnswer[];
}

/**
 * The servers that a name's zone is delegated to, found at resolvers by asking for the NS records of the name and of what
 * is above it. Empty when nobody says.
 */
export async function delegatedTo(name: string, asked: Pick<DnsAsked, 'resolvers'>): Promise<string[]> {
  const resolver = await resolverOf(asked.resolvers);
  const labels = name.replace(/\.$/, '').split('.');
  for (let from = 0; from < labels.length - 1; from += 1) {
    try {
      const found = await resolver.resolveNs(labels.slice(from).join('.'));
      if (found.length > 0) return found.toSorted();
    } catch (error) {
      if (!NONE.has(codeOf(error))) return [];
    }
  }
  return [];
}

/** Asks once: each authoritative server, and each resolver, for each name. `servers` are the authoritative ones. */
export async function askAll(
  checks: readonly AnswerCheck[],
  servers: readonly string[],
  asked: Pick<DnsAsked, 'resolvers'>,
): Promise<Answers> {
  const resolvers = asked.resolvers.length > 0 ? asked.resolvers.map((one) => [one]) : [[]];
  const places = [
    ...servers.map((server) => ({ role: 'authoritative' as const, server, addresses: [server] })),
    ...resolvers.map((addresses) => ({
      role: 'resolver' as const,
      server: addresses[0] ?? "this machine's",
      addresses,
    })),
  ];
  const answers = await Promise.all(
    places.flatMap(({ role, server, addresses }) =>
      checks.map(async (check) => ({ role, server, ...(await askOne(check, addresses, asked)) })),
    ),
  );
  return { verdict: judgeServers(answers), answers };
}

/**
 * Until all authoritative servers answer as wanted, or the time is over: then what they said last. Where most do and the rest
 * is silent, which it may stay for days, so many looks are enough.
 */
export async function awaitAnswers(
  checks: readonly AnswerCheck[],
  servers: readonly string[],
  asked: DnsAsked,
  options: { readonly signal: AbortSignal; readonly report?: (phase: string) => void; readonly withinMs?: number },
): Promise<Answers> {
  const endMs = performance.now() + (options.withinMs ?? asked.answeredWithinSeconds * 1000);
  for (let looks = 1; ; looks += 1) {
    options.signal.throwIfAborted();
    const answers = await askAll(checks, servers, asked);
    const { verdict } = answers;
    const enough = verdict === 'answered by most' && looks >= LOOKS_AT_SILENCE && !isContradicted(answers);
    if (verdict === 'answered' || enough || performance.now() >= endMs) return answers;
    options.report?.('the name servers do not all answer as they should yet');
    await sleep(POLL_MS, undefined, { signal: options.signal });
  }
}

function isContradicted({ answers }: Answers): boolean {
  return answers.some(({ role, verdict }) => role === 'authoritative' && verdict === 'other');
}

async function askOne(
  check: AnswerCheck,
  addresses: readonly string[],
  asked: Pick<DnsAsked, 'resolvers'>,
): Promise<AnswerSeen> {
  try {
    const seen = await query(await resolverOf(addresses), check.name, check.type);
    // What an alias leads to is known to resolvers only, and changes by itself.
    const target = 'alias' in check.wanted ? await targetOf(check.wanted.alias, check.type, asked) : undefined;
    return judgeAnswer(check, seen, target);
  } catch (error) {
    return { name: check.name, type: check.type, verdict: 'no answer', values: [], why: codeOf(error) };
  }
}

async function targetOf(name: string, type: string, asked: Pick<DnsAsked, 'resolvers'>): Promise<readonly string[]> {
  return (await query(await resolverOf(asked.resolvers), name, type)).values;
}

async function query(
  resolver: Resolver,
  name: string,
  type: string,
): Promise<{ values: readonly string[]; ttlSeconds?: number }> {
  try {
    switch (type) {
      case 'A':
        return timed(await resolver.resolve4(name, { ttl: true }));
      case 'AAAA':
        return timed(await resolver.resolve6(name, { ttl: true }));
      case 'CNAME':
        return { values: await resolver.resolveCname(name) };
      case 'TXT':
        return { values: (await resolver.resolveTxt(name)).map((chunks) => chunks.join('')) };
      case 'MX':
        return { values: (await resolver.resolveMx(name)).map(({ priority, exchange }) => `${priority} ${exchange}`) };
      default:
        throw new HoldfastError('BadInput', `records of the type ${type} can't be asked for`);
    }
  } catch (error) {
    if (NONE.has(codeOf(error))) return { values: [] };
    throw error;
  }
}

function timed(records: readonly { address: string; ttl: number }[]): { values: string[]; ttlSeconds?: number } {
  const values = records.map(({ address }) => address);
  return records.length === 0 ? { values } : { values, ttlSeconds: Math.max(...records.map(({ ttl }) => ttl)) };
}

/** Servers are addresses, or names that this machine finds; none: this machine's own. */
async function resolverOf(servers: readonly string[]): Promise<Resolver> {
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  if (servers.length > 0) resolver.setServers(await Promise.all(servers.map(addressOf)));
  return resolver;
}

async function addressOf(server: string): Promise<string> {
  const { host, port } = hostAndPort(server);
  const address = isIP(host) === 0 ? (await lookup(host)).address : host;
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

function hostAndPort(server: string): { host: string; port: number } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(server);
  if (bracketed !== null) return { host: bracketed[1] ?? '', port: Number(bracketed[2] ?? DNS_PORT) };
  const plain = /^([^:]+):(\d+)$/.exec(server);
  if (plain !== null) return { host: plain[1] ?? '', port: Number(plain[2]) };
  return { host: server, port: DNS_PORT };
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : error instanceof Error ? error.message : String(error);
}
