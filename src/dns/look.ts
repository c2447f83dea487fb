/** How the names of a system stand now: what is declared for each site, where they lead, what they are answered with. */
import { HoldfastError } from '../failures.ts';
import { answerWords } from '../policy/failover/dns-answers.ts';
import { siteSeen } from '../policy/failover/dns-change.ts';
import { heldBy, plainName, recordWords, zoneName, type RecordSet } from '../policy/failover/dns-records.ts';
import type { DnsRecord, Route53Entry, Route53HealthEntry } from '../system/dns-types.ts';
import { askAll } from './answers.ts';
import { readState } from './command.ts';
import { firstLine, serversFor, titleOf, withZone, type DnsContext } from './context.ts';
import { asksLikeAChecker } from './health-switch.ts';

export interface NameLook {
  readonly name: string;
  readonly type: string;
  /** What it holds for each site, in words. */
  readonly declared: Readonly<Record<string, string>>;
  /** What its zone holds; absent: it could not be read, or is not to be. */
  readonly holds?: readonly string[];
  /** The site that it leads to; absent: none of them, or unknown. */
  readonly site?: string;
  /** By server. */
  readonly answers: Readonly<Record<string, string>>;
}

export interface EntryLook {
  readonly title: string;
  readonly kind: string;
  readonly names: readonly NameLook[];
  /** Of a command: what its `read` prints. Of a prepared switch: whether it is on. */
  readonly state?: string;
  readonly troubles: readonly string[];
}

/** Never throws for what can't be reached: it says so. */
export async function lookAtNames(context: DnsContext): Promise<EntryLook[]> {
  const looks: EntryLook[] = [];
  for (const entry of context.entries) {
    if (entry.kind !== 'command') {
      looks.push(await lookAtZone(context, entry));
      continue;
    }
    const { signal, resolveSecret, site } = context;
    const place = { site, fromSite: undefined, state: undefined };
    const read = await attempt(() => readState(entry, { place, signal, resolveSecret }));
    const state = read.value === undefined ? {} : { state: firstLine(read.value) };
    looks.push({ title: titleOf(entry), kind: entry.kind, names: [], troubles: read.troubles, ...state });
  }
  return looks;
}

async function lookAtZone(context: DnsContext, entry: Route53Entry | Route53HealthEntry): Promise<EntryLook> {
  const read = await attempt(() => withZone(context, entry, (zone) => zone.read(entry.records, context.signal)));
  const servers = await attempt(() => serversFor(entry, context));
  const names: NameLook[] = [];
  for (const record of entry.records) {
    const answers = await answersOf(record, servers.value ?? [], entry);
    names.push({ ...lookAtRecord(entry, record, read.value), answers });
  }
  const state =
    entry.kind === 'route53-health' ? { state: (await asksLikeAChecker(entry, context.signal)) ? 'on' : 'off' } : {};
  const troubles = [...read.troubles, ...servers.troubles];
  return { title: titleOf(entry), kind: entry.kind, names, troubles, ...state };
}

function lookAtRecord(
  entry: Route53Entry | Route53HealthEntry,
  record: DnsRecord,
  seen: readonly RecordSet[] | undefined,
): Omit<NameLook, 'answers'> {
  const declared = Object.fromEntries(
    Object.entries(record.sites).map(([site, held]) => [site, typeof held === 'string' ? `record set ${held}` : '']),
  );
  if (record.routing === 'simple') {
    for (const [site, held] of Object.entries(record.sites)) declared[site] = recordWords(heldBy(record, held));
  }
  const name = plainName(record.name);
  const { type } = record;
  if (seen === undefined) return { name, type, declared };
  const here = seen.filter((one) => one.name === zoneName(record.name) && one.type === type);
  const holds = here.map((one) =>
    one.setIdentifier === undefined ? recordWords(one) : `[${one.setIdentifier}] ${recordWords(one)}`,
  );
  const site = entry.kind === 'route53' ? siteSeen(record, seen) : undefined;
  return { name, type, declared, holds, ...(site === undefined ? {} : { site }) };
}

async function answersOf(
  record: DnsRecord,
  servers: readonly string[],
  entry: Route53Entry | Route53HealthEntry,
): Promise<Record<string, string>> {
  const check = { name: plainName(record.name), type: record.type, wanted: { values: [] } };
  const { answers } = await askAll([check], servers, entry);
  return Object.fromEntries(answers.map((one) => [`${one.role} ${one.server}`, answerWords(one)]));
}

async function attempt<T>(work: () => Promise<T>): Promise<{ value?: T; troubles: string[] }> {
  try {
    return { value: await work(), troubles: [] };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { troubles: [error.message] };
  }
}
