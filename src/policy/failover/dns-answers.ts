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
