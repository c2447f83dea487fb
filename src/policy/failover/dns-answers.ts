/** Whether a name is answered as it should be, and until when resolvers may still say otherwise. Pure. */
import type { AnswerCheck } from './dns-change.ts';

export interface AnswerSeen {
  readonly name: string;
  readonly type: string;
  /** `other`: answered, with something else. */
  readonly verdict: 'as wanted' | 'other' | 'no answer';
  readonly values: readonly string[];
  /** As told by the server, where it is told. */
  readonly ttlSeconds?: number;
  readonly why?: string;
}

/** `target` is what the target of an alias is answered with: an alias gives some of that. */
export function judgeAnswer(
  check: AnswerCheck,
  seen: { readonly values: readonly string[]; readonly ttlSeconds?: number },
  target?: readonly string[],
): AnswerSeen {
  const { name, type, wanted } = check;
  const values = seen.values.map((value) => spelled(type, value)).toSorted();
  const right =
    'alias' in wanted
      ? values.some((value) => (target ?? []).some((one) => spelled(type, one) === value))
      : sameList(values, wanted.values.map((value) => spelled(type, unquoted(type, value))).toSorted());
  return {
    name,
    type,
    verdict: right ? 'as wanted' : 'other',
    values,
    ...(seen.ttlSeconds === undefined ? {} : { ttlSeconds: seen.ttlSeconds }),
  };
}

/** A text is written into a zone as quoted strings, and answered as what they say one after another. */
function unquoted(type: string, value: string): string {
  if (type !== 'TXT' || !value.startsWith('"')) return value;
  const strings = [...value.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, inner = '']) => inner);
  return strings.join('').replaceAll(/\\(["\\])/g, '$1');
}

function spelled(type: string, value: string): string {
  return type === 'TXT' ? value : value.toLowerCase().replace(/\.$/, '');
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

/** From when on no resolver that keeps to the TTL gives the old answer. */
export function oldAnswerUntil(inSyncAtMs: number, oldTtlSeconds: number): string {
  return new Date(inSyncAtMs + oldTtlSeconds * 1000).toISOString();
}

/** `198.51.100.10 (TTL 60 s)`, `nothing`, `no answer (ETIMEOUT)`. */
export function answerWords({ values, ttlSeconds, verdict, why }: AnswerSeen): string {
  if (verdict === 'no answer') return `no answer (${why ?? 'unknown'})`;
  const held = values.length === 0 ? 'nothing' : values.join(', ');
  return ttlSeconds === undefined ? held : `${held} (TTL ${ttlSeconds} s)`;
}

/** What the authoritative servers say of a change, all together. */
export type AnswerVerdict =
  /** All of them, of all names. */
  | 'answered'
  /** More than half of them, of all names, and the rest is told: a server that is silent takes nothing back. */
  | 'answered by most'
  /** At least one answers something else, and those that answer as wanted are no majority. */
  | 'answered otherwise'
  /** Those that answer at all say what is wanted, and they are too few to say that it is so. */
  | 'hardly answered';

/**
 * By the authoritative servers where there are any, else by all that were asked. A server counts for what is wanted when it
 * says so of every name. Without a name to ask for all is answered.
 */
export function judgeServers(
  answers: readonly (AnswerSeen & { readonly role: string; readonly server: string })[],
): AnswerVerdict {
  const first = answers.filter(({ role }) => role === 'authoritative');
  const servers = [...Map.groupBy(first.length > 0 ? first : answers, ({ server }) => server).values()];
  const wanted = servers.filter((said) => said.every(({ verdict }) => verdict === 'as wanted'));
  if (wanted.length === servers.length) return 'answered';
  if (wanted.length * 2 > servers.length) return 'answered by most';
  const otherwise = servers.some((said) => said.some(({ verdict }) => verdict === 'other'));
  return otherwise ? 'answered otherwise' : 'hardly answered';
}
