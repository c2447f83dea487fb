/**
 * Whether a system's audit log is whole: nothing cut out, edited, put in another order, or cut off at the end, as far as
 * what is still there can show. Pure; the records' own signatures are judged before.
 */
import type { AuditEvent } from '../workflows/audit-contract.ts';

export interface AuditHeadSeen {
  readonly log: string;
  readonly n: number;
  readonly sha256: string;
}

/** A record whose signature holds. */
export interface AuditSeen extends AuditHeadSeen {
  readonly key: string;
  readonly previousSha256: string | null;
  readonly heads: readonly AuditHeadSeen[];
  readonly event: AuditEvent;
  readonly at: string;
  readonly signer: string;
  /** The signer's name by the root's word. */
  readonly author?: string;
  readonly admitted: boolean;
}

export interface AuditStoreSeen {
  readonly store: string;
  /** By key. */
  readonly records: readonly AuditSeen[];
  /** What lies there and is no record that can be trusted. */
  readonly bad: readonly { readonly key: string; readonly why: string }[];
}

/** A word from elsewhere that a log had come so far: a manifest's, or what this machine remembers. */
export interface AuditWitness extends AuditHeadSeen {
  readonly by: string;
}

export interface AuditProblem {
  /** `edited`: can't be trusted. `cut`: is missing. `unlinked`: does not follow the one before. `forked`: says two things. */
  readonly kind: 'edited' | 'cut' | 'unlinked' | 'forked';
  readonly log: string;
  readonly store?: string;
  readonly what: string;
}

export interface AuditLogJudged {
  readonly log: string;
  readonly signer: string;
  readonly author?: string;
  readonly admitted: boolean;
  readonly newest: number;
  readonly newestSha256: string;
}

export interface AuditJudged {
  readonly ok: boolean;
  readonly logs: readonly AuditLogJudged[];
  readonly problems: readonly AuditProblem[];
  /** What does not break the chain and should be known. */
  readonly notes: readonly string[];
  /** Each event once, oldest first, as it happened. */
  readonly events: readonly AuditSeen[];
}

/** A store that was away gets the newest records with the next copy; what it lacks for longer was taken from it. */
const LATE_MS = 24 * 3_600_000;

/** `unread`: names of stores that could not be read, which may hold what the others lack. */
export function judgeAuditLogs(
  stores: readonly AuditStoreSeen[],
  witnesses: readonly AuditWitness[],
  nowMs: number,
  unread: readonly string[] = [],
): AuditJudged {
  const all = stores.flatMap(({ records }) => records);
  const logs = Map.groupBy(all, ({ log }) => log);
  const judged = [...logs].map(([log, records]) => judgeLog(log, records, stores, nowMs));
  const edited = stores.flatMap(({ store, bad }) =>
    bad.map(({ key, why }): AuditProblem => ({ kind: 'edited', log: logIn(key), store, what: `${key}: ${why}` })),
  );
  const heads = all.flatMap((record) => record.heads.map((head) => ({ ...head, by: record.key })));
  const missed = unmet([...heads, ...witnesses], logs);
  const maybe = unread.length === 0 ? [] : missed.filter(({ kind }) => kind === 'cut');
  const sure = missed.filter((problem) => !maybe.includes(problem));
  const problems = [...edited, ...judged.flatMap((one) => one.problems), ...sure];
  const own = judged.map(({ summary }) => summary);
  const strangers = own.filter(({ admitted }) => !admitted);
  return {
    ok: problems.length === 0,
    logs: own,
    problems,
    notes: [
      ...judged.flatMap(({ notes }) => notes),
      ...maybe.map(({ log, what }) => `log ${log}: ${what}; ${unread.join(', ')} could not be read`),
      ...strangers.map(
        ({ log, signer }) => `log ${log} is signed by ${signer}, which the root has not admitted: a claim, no proof`,
      ),
    ],
    events: eventsOf(all),
  };
}

interface LogJudged {
  readonly summary: AuditLogJudged;
  readonly problems: readonly AuditProblem[];
  readonly notes: readonly string[];
}

function judgeLog(
  log: string,
  records: readonly AuditSeen[],
  stores: readonly AuditStoreSeen[],
  nowMs: number,
): LogJudged {
  const problems: AuditProblem[] = [];
  const notes: string[] = [];
  const byNumber = Map.groupBy(records, ({ n }) => n);
  const newest = Math.max(...byNumber.keys());
  for (const [n, same] of byNumber) {
    if (new Set(same.map(({ sha256 }) => sha256)).size > 1) {
      problems.push({ kind: 'forked', log, what: `record ${n} says one thing in one store and another in another` });
    }
    const before = byNumber.get(n - 1);
    const [one] = same;
    if (n === 1 && one?.previousSha256 !== null) problems.push(unlinked(log, n));
    else if (before?.every(({ sha256 }) => sha256 !== one?.previousSha256) === true) problems.push(unlinked(log, n));
  }
  for (const { store, records: held, bad } of stores) {
    const there = new Set(held.flatMap((record) => (record.log === log ? [record.n] : [])));
    // What lies there and can't be trusted is told as that.
    for (const { key } of bad) if (logIn(key) === log) there.add(numberIn(key));
    const lacking = Array.from({ length: newest }, (_, index) => index + 1).filter((n) => !there.has(n));
    if (lacking.length === 0) continue;
    const last = Math.max(0, ...there);
    const tail = lacking.every((n) => n > last);
    const since = byNumber.get(lacking[0] ?? 0)?.[0];
    const what = `${store} lacks ${ranges(lacking)} of ${newest}`;
    if (tail && since !== undefined && nowMs - Date.parse(since.at) < LATE_MS) {
      notes.push(`log ${log}: ${what}, not older than a day; the next copy brings them`);
    } else problems.push({ kind: 'cut', log, store, what });
  }
  const [head] = byNumber.get(newest) ?? [];
  const { signer = '', author, admitted = false, sha256 = '' } = head ?? {};
  const summary = { log, signer, admitted, newest, newestSha256: sha256, ...(author === undefined ? {} : { author }) };
  return { summary, problems, notes };
}

function unlinked(log: string, n: number): AuditProblem {
  return { kind: 'unlinked', log, what: `record ${n} does not name the hash of the one before it` };
}

/** Who saw a record says that it was there: without it the end was cut off, in every store. */
function unmet(witnesses: readonly AuditWitness[], logs: ReadonlyMap<string, readonly AuditSeen[]>): AuditProblem[] {
  const told = new Map<string, AuditProblem>();
  for (const { log, n, sha256, by } of witnesses) {
    const same = logs.get(log)?.filter((record) => record.n === n) ?? [];
    if (same.some((record) => record.sha256 === sha256)) continue;
    const kind = same.length === 0 ? 'cut' : 'edited';
    const what = same.length === 0 ? 'is nowhere any more' : 'is another one now';
    told.set(`${log} ${n}`, { kind, log, what: `record ${n}, which ${by} saw, ${what}` });
  }
  return [...told.values()];
}

function eventsOf(records: readonly AuditSeen[]): AuditSeen[] {
  // An event that two hosts have written, because one did not answer in time, happened once.
  const once = new Map<string, AuditSeen>();
  for (const record of records) {
    const known = once.get(record.event.id);
    if (known === undefined || record.at < known.at) once.set(record.event.id, record);
  }
  return [...once.values()].toSorted((a, b) => order(a.event.at, b.event.at) || order(a.at, b.at) || a.n - b.n);
}

function order(a: string, b: string): number {
  return Date.parse(a) - Date.parse(b);
}

function logIn(key: string): string {
  return key.split('/')[1] ?? '';
}

function numberIn(key: string): number {
  return Number.parseInt(key.split('/')[2] ?? '', 10);
}

/** `1-3, 5`. */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const n of numbers) {
    const last = runs.at(-1);
    if (last?.[1] === n - 1) last[1] = n;
    else runs.push([n, n]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}
