/**
 * Writing into a log. It is one chain in all stores: a record is made once, and put under its number wherever it is
 * missing, create-only, so that of two writers exactly one has the number and the other takes the next.
 */
import { HoldfastError } from '../../failures.ts';
import type { AuditHeadSeen } from '../../policy/audit-chain.ts';
import type { Store } from '../../stores/store.ts';
import { readRecord, type Signer } from '../envelope.ts';
import { getIfThere } from '../get-if-there.ts';
import { keysIn } from '../listed.ts';
import { sha256Hex } from '../names.ts';
import { auditBytes, auditKeyOf, auditLogOf, auditSchema, parseAuditKey, type AuditBody } from './record.ts';

/** Clocks of hosts and engine differ: what was written so long before it happened was not it. */
const CLOCK_SLACK_MS = 3_600_000;
/** Each loss of a number means that another writer of the same key had it. */
const ATTEMPTS = 20;

export interface AuditPlace {
  readonly name: string;
  readonly store: Store;
  /**
   * What this host remembers of its own log: two stores that are away by turns would otherwise each get another record of
   * the same number. It comes last, and does not count as written.
   */
  readonly memory?: true;
}

export interface Appended {
  readonly key: string;
  /** By name. */
  readonly stores: readonly string[];
  readonly lacking: readonly { readonly store: string; readonly why: string }[];
}

/** The numbers of each log in one store, ascending. */
export async function numbersIn(store: Pick<Store, 'list'>): Promise<Map<string, number[]>> {
  const logs = new Map<string, number[]>();
  for (const key of await keysIn(store, 'audit/')) {
    const named = parseAuditKey(key);
    if (named !== undefined) logs.set(named.log, [...(logs.get(named.log) ?? []), named.n]);
  }
  return logs;
}

/** The newest record of each log of a store. */
export async function headsIn(store: Store): Promise<AuditHeadSeen[]> {
  const heads: AuditHeadSeen[] = [];
  for (const [log, numbers] of await numbersIn(store)) {
    const n = numbers.at(-1) ?? 0;
    const bytes = await getIfThere(store, auditKeyOf(log, n));
    if (bytes !== undefined) heads.push({ log, n, sha256: sha256Hex(bytes) });
  }
  return heads;
}

/**
 * Appends an event to the signer's log. A repeat, also from another attempt that was thought dead, finds the event written
 * and brings it to the stores that lack it. Throws when no store could take it, with what kept the first from it.
 */
export async function appendAudit(
  places: readonly AuditPlace[],
  given: { readonly vaultId: string; readonly signer: Signer },
  event: AuditBody['event'],
): Promise<Appended> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const { log, read, unread } = await readLog(places, auditLogOf(given.signer.fingerprint));
    const [first] = read.filter(({ memory }) => memory !== true);
    if (first === undefined) throw unread[0]?.error ?? new HoldfastError('BadInput', 'an audit log needs a store');
    const n = (await log.find(event)) ?? log.newest + 1;
    if (n > log.newest) log.offer(n, await nextBytes(first.store, given, log, event));
    const spread = await spreadTo(read, log, n);
    if (spread === 'taken') continue;
    const lacking = unread.map(({ store, error }) => ({ store, why: error.message }));
    return { key: auditKeyOf(log.name, n), stores: spread.stores, lacking: [...spread.lacking, ...lacking] };
  }
  throw new HoldfastError('SystemBusy', `${ATTEMPTS} times another writer was first in the audit log`);
}

async function nextBytes(
  store: Store,
  { vaultId, signer }: { readonly vaultId: string; readonly signer: Signer },
  log: Log,
  event: AuditBody['event'],
): Promise<Buffer> {
  const previous = log.newest === 0 ? undefined : await log.bytes(log.newest);
  const others = (await headsIn(store)).filter((head) => head.log !== log.name);
  const at = new Date().toISOString();
  const previousSha256 = previous === undefined ? null : sha256Hex(previous);
  return auditBytes({ vaultId, n: log.newest + 1, previousSha256, heads: others, event, at }, signer);
}

/** The first store decides who has a number; the others get what it, or any of them, has. */
async function spreadTo(places: readonly AuditPlace[], log: Log, n: number): Promise<Omit<Appended, 'key'> | 'taken'> {
  const stores: string[] = [];
  const lacking: { store: string; why: string }[] = [];
  let failure: HoldfastError | undefined;
  for (const place of places) {
    if (place.memory === true && stores.length === 0) break;
    try {
      const missing = log.missingIn(place, n);
      for (const number of missing) {
        const bytes = await log.bytes(number);
        const key = auditKeyOf(log.name, number);
        if ((await place.store.put(key, bytes, { createOnly: true })) === 'written') continue;
        if (sha256Hex(await place.store.get(key)) === sha256Hex(bytes)) continue;
        if (stores.length === 0) return 'taken';
        throw new HoldfastError('Untrusted', `${key} is another record there than in ${stores.join(', ')}`);
      }
      await place.store.sync();
      if (place.memory !== true) stores.push(place.name);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      failure ??= error;
      lacking.push({ store: place.name, why: error.message });
    }
  }
  if (stores.length === 0 && failure !== undefined) throw failure;
  return { stores, lacking };
}

/** One log as all stores together have it. */
class Log {
  readonly name: string;
  readonly newest: number;
  private readonly held: ReadonlyMap<AuditPlace, ReadonlySet<number>>;
  private readonly known = new Map<number, Uint8Array>();

  constructor(name: string, held: ReadonlyMap<AuditPlace, ReadonlySet<number>>) {
    this.name = name;
    this.held = held;
    this.newest = Math.max(0, ...[...held.values()].flatMap((numbers) => [...numbers]));
  }

  offer(n: number, bytes: Uint8Array): void {
    this.known.set(n, bytes);
  }

  /** Up to this number, ascending. */
  missingIn(place: AuditPlace, n: number): number[] {
    const there = this.held.get(place);
    const all = Array.from({ length: n }, (_, index) => index + 1);
    // What was cut out in the middle everywhere can't be put back; what lacks is shown by who reads the log.
    return all.filter((number) => there?.has(number) !== true && (this.known.has(number) || this.isHeld(number)));
  }

  /** Throws ObjectMissing when it vanished since it was listed. */
  async bytes(n: number): Promise<Uint8Array> {
    const known = this.known.get(n);
    if (known !== undefined) return known;
    for (const [place, numbers] of this.held) {
      const found = numbers.has(n) ? await getIfThere(place.store, auditKeyOf(this.name, n)) : undefined;
      if (found === undefined) continue;
      this.known.set(n, found);
      return found;
    }
    throw new HoldfastError('ObjectMissing', `${auditKeyOf(this.name, n)} vanished while it was read`);
  }

  /** The number under which the event is written already. Looks no further back than it can be. */
  async find({ id, at }: AuditBody['event']): Promise<number | undefined> {
    for (let n = this.newest; n > 0; n -= 1) {
      if (!this.isHeld(n)) continue;
      const body = bodyOf(auditKeyOf(this.name, n), await this.bytes(n));
      if (body?.event.id === id) return n;
      if (body !== undefined && Date.parse(body.at) < Date.parse(at) - CLOCK_SLACK_MS) return undefined;
    }
    return undefined;
  }

  private isHeld(n: number): boolean {
    return [...this.held.values()].some((numbers) => numbers.has(n));
  }
}

interface LogRead {
  readonly log: Log;
  readonly read: readonly AuditPlace[];
  readonly unread: readonly { readonly store: string; readonly error: HoldfastError }[];
}

async function readLog(places: readonly AuditPlace[], name: string): Promise<LogRead> {
  const held = new Map<AuditPlace, ReadonlySet<number>>();
  const unread: { store: string; error: HoldfastError }[] = [];
  for (const place of places) {
    try {
      const keys = await keysIn(place.store, `audit/${name}/`);
      held.set(place, new Set(keys.flatMap((key) => parseAuditKey(key)?.n ?? [])));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      unread.push({ store: place.name, error });
    }
  }
  return { log: new Log(name, held), read: [...held.keys()], unread };
}

/** Undefined for what can't be read: it is hashed as it is, and who verifies the log tells of it. */
function bodyOf(key: string, bytes: Uint8Array): AuditBody | undefined {
  try {
    return readRecord(auditSchema, bytes, key).body;
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}
