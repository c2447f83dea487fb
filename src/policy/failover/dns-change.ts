/**
 * What is changed in a zone so that names lead to another site: only where the zone still holds exactly what it held when
 * the plan was printed, and in a way that can be taken back. Pure.
 */
import type { DnsHeld, DnsRecord, FailoverRecord, SimpleRecord, WeightedRecord } from '../../system/dns-types.ts';
import {
  heldBy,
  plainName,
  recordTitle,
  recordWords,
  sameRecordSet,
  ttlOf,
  zoneName,
  type RecordSet,
} from './dns-records.ts';

/** Null: there is none. The same on both sides: it stays, and must be there all the same. */
export interface RecordChange {
  readonly before: RecordSet | null;
  readonly after: RecordSet | null;
}

/** What a name must be answered with. */
export interface AnswerCheck {
  readonly name: string;
  readonly type: string;
  readonly wanted: { readonly values: readonly string[] } | { readonly alias: string };
}

export interface RecordPlan {
  readonly changes: readonly RecordChange[];
  readonly answer: AnswerCheck | undefined;
  /** Why nothing may be changed. */
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
}

/** How one record comes to lead to a site, by what its zone holds. `seen` may hold other names too. */
export function planRecord(record: DnsRecord, seen: readonly RecordSet[], toSite: string): RecordPlan {
  const name = zoneName(record.name);
  const here = seen.filter((one) => zoneName(one.name) === name && one.type === record.type);
  if (!Object.hasOwn(record.sites, toSite)) {
    return refused(`${plainName(name)} ${record.type}: the system file does not say what it holds for ${toSite}`);
  }
  const strange = here.find(({ otherRouting }) => otherRouting !== undefined);
  if (strange !== undefined) {
    return refused(`${recordTitle(strange)} has ${strange.otherRouting ?? ''} routing, which is not changed here`);
  }
  switch (record.routing) {
    case 'simple':
      return planSimple(record, here, toSite);
    case 'weighted':
      return planWeighted(record, here, toSite);
    case 'failover':
      return planFailover(record, here, toSite);
  }
}

/** The site that a record leads to by what its zone holds; undefined when it is none of the declared ones. */
export function siteSeen(record: DnsRecord, seen: readonly RecordSet[]): string | undefined {
  return Object.keys(record.sites).find((site) => {
    const { refusals, changes } = planRecord(record, seen, site);
    return refusals.length === 0 && changes.every(({ before, after }) => sameRecordSet(before, after));
  });
}

function planSimple(record: SimpleRecord, here: readonly RecordSet[], toSite: string): RecordPlan {
  const [before = null, ...more] = here;
  const routed = here.find(({ setIdentifier }) => setIdentifier !== undefined);
  if (routed !== undefined || more.length > 0) {
    return refused(`${plainName(record.name)} ${record.type} has record sets with identifiers; say which \`routing\``);
  }
  const after = heldBy(record, heldAt(record, toSite));
  const known = Object.values(record.sites).map((held) => heldBy(record, held));
  const isKnown = before === null || known.some((one) => sameRecordSet(one, before));
  const title = recordTitle(after);
  return {
    changes: [{ before, after }],
    answer: answerOf(after),
    refusals: [],
    warnings: [
      ...(before === null ? [`${title} is not there yet: it is made`] : []),
      ...(isKnown ? [] : [`${title} holds ${recordWords(before)}, which the system file says of no site`]),
    ],
  };
}

function heldAt(record: SimpleRecord, site: string): DnsHeld {
  return record.sites[site] ?? { values: [] };
}

function planWeighted(record: WeightedRecord, here: readonly RecordSet[], toSite: string): RecordPlan {
  const title = `${plainName(record.name)} ${record.type}`;
  const declared = Object.values(record.sites);
  const lacking = declared.filter((set) => !here.some((one) => one.setIdentifier === set && one.weight !== undefined));
  const others = here.filter(
    ({ setIdentifier, weight }) => !declared.includes(setIdentifier ?? '') && (weight ?? 1) > 0,
  );
  const refusals = [
    ...lacking.map((set) => `${title}: there is no weighted record set ${set}`),
    ...others.map((one) => `${recordTitle(one)} has a weight and belongs to no site of the system file`),
  ];
  if (refusals.length > 0) return refused(...refusals);
  const active = record.sites[toSite];
  const changes = here.flatMap((before): RecordChange[] => {
    if (!declared.includes(before.setIdentifier ?? '')) return [];
    return [{ before, after: { ...before, weight: before.setIdentifier === active ? record.weight : 0 } }];
  });
  return { changes, answer: answerOfActive(changes, active), refusals: [], warnings: [] };
}

function planFailover(record: FailoverRecord, here: readonly RecordSet[], toSite: string): RecordPlan {
  const title = `${plainName(record.name)} ${record.type}`;
  const declared = Object.values(record.sites);
  const lacking = declared.filter(
    (set) => !here.some((one) => one.setIdentifier === set && one.failover !== undefined),
  );
  const others = here.filter(({ setIdentifier }) => !declared.includes(setIdentifier ?? ''));
  const refusals = [
    ...lacking.map((set) => `${title}: there is no failover record set ${set}`),
    ...others.map((one) => `${recordTitle(one)} belongs to no site of the system file`),
  ];
  if (refusals.length > 0) return refused(...refusals);
  const active = record.sites[toSite];
  const changes = here.map((before): RecordChange => {
    const failover = before.setIdentifier === active ? ('PRIMARY' as const) : ('SECONDARY' as const);
    return { before, after: { ...before, failover } };
  });
  const primary = changes.find(({ after }) => after?.failover === 'PRIMARY')?.after;
  const unwatched = primary?.healthCheckId === undefined && primary?.alias?.evaluateTargetHealth !== true;
  return {
    changes,
    answer: answerOfActive(changes, active),
    refusals: [],
    warnings: unwatched
      ? [`${title} [${active ?? ''}] has no health check: as PRIMARY it counts as healthy always`]
      : [],
  };
}

function refused(...refusals: readonly string[]): RecordPlan {
  return { changes: [], answer: undefined, refusals, warnings: [] };
}

function answerOfActive(changes: readonly RecordChange[], set: string | undefined): AnswerCheck | undefined {
  const active = changes.find(({ after }) => after?.setIdentifier === set)?.after ?? null;
  return active === null ? undefined : answerOf(active);
}

/** What a record set is answered with while it is the one in force. */
export function answerOf({ name, type, values, alias }: RecordSet): AnswerCheck {
  const wanted = alias === undefined ? { values: values ?? [] } : { alias: plainName(alias.name) };
  return { name: plainName(name), type, wanted };
}

export interface ChangeItem {
  readonly action: 'CREATE' | 'DELETE' | 'UPSERT';
  readonly record: RecordSet;
}

export type SwapDecision =
  | { readonly kind: 'change'; readonly batch: readonly ChangeItem[] }
  /** It stands as wanted. The batch writes the same once more, for a change that never arrived everywhere. */
  | { readonly kind: 'done'; readonly batch: readonly ChangeItem[] }
  | { readonly kind: 'changed'; readonly differences: readonly string[] };

/**
 * What to send, by what the zone holds now. What is replaced is deleted with all its values and created in the same
 * batch: Route 53 refuses the whole batch when the values are others by then (API reference, ChangeResourceRecordSets:
 * "you must specify all the same values", and a batch is made as a whole or not at all), which an UPSERT would not.
 */
export function decideSwap(changes: readonly RecordChange[], now: readonly RecordSet[]): SwapDecision {
  const at = changes.map((change) => ({ change, now: current(change, now) }));
  const real = changes.filter(({ before, after }) => !sameRecordSet(before, after));
  if (at.every((one) => sameRecordSet(one.now, one.change.after))) {
    return { kind: 'done', batch: real.flatMap(({ after }) => (after === null ? [] : [item('UPSERT', after)])) };
  }
  if (at.every((one) => sameRecordSet(one.now, one.change.before))) {
    return {
      kind: 'change',
      batch: [
        ...real.flatMap(({ before }) => (before === null ? [] : [item('DELETE', before)])),
        ...real.flatMap(({ after }) => (after === null ? [] : [item('CREATE', after)])),
      ],
    };
  }
  const differences = at
    .filter((one) => !sameRecordSet(one.now, one.change.before))
    .map(({ change, now: found }) => {
      const { before } = change;
      const title = recordTitle(before ?? change.after ?? { name: '?', type: '' });
      return `${title} holds ${recordWords(found)} and held ${recordWords(before)} when the plan was made`;
    });
  return { kind: 'changed', differences };
}

function item(action: ChangeItem['action'], record: RecordSet): ChangeItem {
  return { action, record };
}

function current({ before, after }: RecordChange, now: readonly RecordSet[]): RecordSet | null {
  const key = before ?? after;
  if (key === null) return null;
  const found = now.find(
    (one) =>
      zoneName(one.name) === zoneName(key.name) && one.type === key.type && one.setIdentifier === key.setIdentifier,
  );
  return found ?? null;
}

/** The way back. */
export function reverseOf(changes: readonly RecordChange[]): RecordChange[] {
  return changes.map(({ before, after }) => ({ before: after, after: before }));
}

/** One line for each record set that changes, and one for all that stay. */
export function changeLines(changes: readonly RecordChange[]): string[] {
  const real = changes.filter(({ before, after }) => !sameRecordSet(before, after));
  if (real.length === 0) return ['all names lead there already'];
  return real.map(({ before, after }) => {
    const title = recordTitle(after ?? before ?? { name: '?', type: '' });
    return `${title}: ${recordWords(before)} → ${recordWords(after)}`;
  });
}

/** Where there was nothing, resolvers remember that for so long: the negative TTL of Route 53's own SOA records. */
const NEGATIVE_TTL_SECONDS = 900;

/** The longest that a resolver may give the old answer after the authoritative servers give the new one. */
export function oldTtlSeconds(changes: readonly RecordChange[]): number {
  const real = changes.filter(({ before, after }) => !sameRecordSet(before, after));
  return Math.max(0, ...real.map(({ before }) => (before === null ? NEGATIVE_TTL_SECONDS : ttlOf(before))));
}
