/** What a check found against what it wants, and the differences that a reconciliation tells. Pure. */
import type { HttpProbe, Plain, SqlProbe } from '../system/validation-types.ts';

export interface Held {
  readonly ok: boolean;
  /** One short line; texts of a database are never in it. */
  readonly detail: string;
}

const SHOWN_CHARACTERS = 60;

/** A page's answer. `body` is the text as it came, at most what was read of it. */
export function judgePage(probe: HttpProbe, answer: { readonly status: number; readonly body: string }): Held {
  const wanted = probe.status === undefined ? 'one of 200 to 299' : String(probe.status);
  const good =
    probe.status === undefined ? answer.status >= 200 && answer.status < 300 : answer.status === probe.status;
  const wishes = Object.entries(probe.json);
  const parsed = wishes.length === 0 ? undefined : parse(answer.body);
  const bad = [
    ...(good ? [] : [`answered ${answer.status} instead of ${wanted}`]),
    ...(wishes.length > 0 && parsed === undefined ? ['the body is no JSON'] : []),
    ...(parsed === undefined ? [] : wishes.flatMap(([path, value]) => differing(parsed.value, path, value))),
    ...(probe.contains === undefined || answer.body.includes(probe.contains) ? [] : ['the text is not in the body']),
  ];
  if (bad.length > 0) return { ok: false, detail: bad.join('; ') };
  const held = wishes.map(([path, value]) => `${path} is ${shown(value)}`);
  return { ok: true, detail: [`answered ${answer.status}`, ...held].join(', ') };
}

function differing(body: unknown, path: string, wanted: Plain): string[] {
  const found = valueIn(body, path);
  if (found === wanted) return [];
  return [`${path} is ${found === undefined ? 'not there' : shown(found)} instead of ${shown(wanted)}`];
}

/** Dots between keys and indices; a key that holds a dot itself is found, too, as the whole rest of the path. */
export function valueIn(root: unknown, path: string): unknown {
  if (typeof root !== 'object' || root === null) return undefined;
  if (Object.hasOwn(root, path)) return (root as Record<string, unknown>)[path];
  const dot = path.indexOf('.');
  if (dot < 0) return undefined;
  const key = path.slice(0, dot);
  return Object.hasOwn(root, key) ? valueIn((root as Record<string, unknown>)[key], path.slice(dot + 1)) : undefined;
}

/** The rows of a query's answer: one row of one value, compared by number where the wish is a number. */
export function judgeValue(probe: SqlProbe, rows: readonly (readonly unknown[])[]): Held {
  const [first] = rows;
  if (first === undefined || rows.length !== 1 || first.length !== 1) {
    return {
      ok: false,
      detail: `answered ${rows.length} rows${first === undefined ? '' : ` of ${first.length} values`} instead of one value`,
    };
  }
  const [value] = first;
  const number = numberOf(value);
  const wishes: { readonly words: string; readonly held: boolean }[] = [];
  const { equals, atLeast, atMost, notEmpty } = probe;
  if (equals !== undefined) wishes.push({ words: `equal to ${shown(equals)}`, held: same(value, equals) });
  if (atLeast !== undefined)
    wishes.push({ words: `at least ${atLeast}`, held: number !== undefined && number >= atLeast });
  if (atMost !== undefined) wishes.push({ words: `at most ${atMost}`, held: number !== undefined && number <= atMost });
  if (notEmpty === true) wishes.push({ words: 'not empty', held: value !== null && value !== '' });
  const missed = wishes.filter(({ held }) => !held).map(({ words }) => words);
  const found = told(value);
  return missed.length === 0
    ? { ok: true, detail: `${found}, ${wishes.map(({ words }) => words).join(' and ')}` }
    : { ok: false, detail: `answered ${found}; it should be ${missed.join(' and ')}` };
}

function same(value: unknown, wanted: Plain): boolean {
  if (typeof wanted === 'number') return numberOf(value) === wanted;
  // SQLite has no truth values.
  if (typeof wanted === 'boolean' && typeof value !== 'boolean') return numberOf(value) === Number(wanted);
  return value === wanted;
}

/** Servers tell large numbers as texts. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(value)) return Number(value);
  return undefined;
}

/** A number, a truth value or nothing as it is; of a text that may be anybody's data only how long it is. */
function told(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  const number = numberOf(value);
  if (number !== undefined) return String(number);
  return typeof value === 'string' ? `a text of ${value.length} characters` : 'a value of another kind';
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function parse(body: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(body) as unknown };
  } catch {
    return undefined;
  }
}

/** Something that the restored system has otherwise than the outside truth. */
export interface Difference {
  readonly name: string;
  readonly expected: string;
  readonly found: string;
}

/** They are data: they stay on the host that found them, and this is all that leaves it by way of the engine. */
export interface KeptDifferences {
  readonly host: string;
  /** Absolute. */
  readonly file: string;
  /** Of what the file holds, as canonical JSON. */
  readonly sha256: string;
  readonly count: number;
}

/** A person reads a few; how many there are in all is counted. */
export const DIFFERENCES_TOLD = 20;
/** A file keeps this many. */
export const DIFFERENCES_KEPT = 1000;
const DIFFERENCE_CHARACTERS = 120;

/** Every line of JSON that is an object with a name is a difference; other lines are talk. */
export function differencesIn(output: string): Difference[] {
  return output.split('\n').flatMap((line) => {
    const { value } = parse(line.trim()) ?? {};
    if (typeof value !== 'object' || value === null || !('name' in value)) return [];
    const { name, expected, found } = value as Record<string, unknown>;
    return [differenceOf([name, expected, found])];
  });
}

/** What else a program said: without its differences. */
export function withoutDifferences(output: string): string {
  return output
    .split('\n')
    .filter((line) => differencesIn(line).length === 0)
    .join('\n');
}

/** From a row of a query: its name, what is expected, what was found. */
export function differenceOf(row: readonly unknown[]): Difference {
  const [name, expected, found] = row.map((value) => clipped(value));
  return { name: name ?? '', expected: expected ?? '', found: found ?? '' };
}

function clipped(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : plainText(value);
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > DIFFERENCE_CHARACTERS ? `${line.slice(0, DIFFERENCE_CHARACTERS)}…` : line;
}

function plainText(value: unknown): string {
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}
