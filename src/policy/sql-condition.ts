/** Table names and conditions as operators type them, taken apart so that a condition can't be more than one. Pure. */
import { HoldfastError } from '../failures.ts';

export type Dialect = 'sqlite' | 'postgres';

const LONGEST = 10_000;

/**
 * Names separated by commas, quotes taken off: `users, "odd, name"`. A name may have a schema before it, which is left on
 * it with its dot unless it was quoted. Throws BadInput for none, twice the same, or an open quote.
 */
export function tableNames(text: string): string[] {
  const names: string[] = [];
  let at = 0;
  while (at <= text.length) {
    const found = /^\s*((?:"(?:[^"]|"")*"|[^",])+?)\s*(?:,|$)/.exec(text.slice(at));
    if (found === null) throw new HoldfastError('BadInput', `"${text}" are no table names: write users,deposits`);
    names.push(found[1]?.trim() ?? '');
    at += found[0].length;
    if (at === text.length && !found[0].endsWith(',')) break;
  }
  if (names.includes('')) throw new HoldfastError('BadInput', 'a table name is missing: write users,deposits');
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new HoldfastError('BadInput', `table ${twice} is named twice`);
  return names;
}

/** `"a""b".c` in its parts: `['a"b', 'c']`. */
export function nameParts(name: string): string[] {
  return [...name.matchAll(/"((?:[^"]|"")*)"|([^".]+)/g)].map(
    (part) => part[1]?.replaceAll('""', '"') ?? part[2] ?? '',
  );
}

/**
 * The condition of each table, undefined for all rows. Either one for all of them, or one for each after its name and a
 * colon, with semicolons between. Throws BadInput for anything that is not one expression (see `parts`), and when some
 * tables are named and others not.
 */
export function conditionsOf(
  tables: readonly string[],
  where: string | undefined,
  dialect: Dialect,
): readonly (string | undefined)[] {
  if (where === undefined || where.trim() === '') return tables.map(() => undefined);
  const found = parts(where, dialect);
  const named = found.map((part) => ({ part, prefix: prefixOf(part, tables) }));
  const [first] = named;
  // Without the semicolon that a person may have typed at its end.
  if (named.length === 1 && first?.prefix === undefined) return tables.map(() => first?.part.trim());
  const stray = named.find(({ prefix }) => prefix === undefined);
  if (stray !== undefined) {
    throw new HoldfastError('BadInput', 'the condition holds a semicolon: it must be a single expression', {
      hint: `For several tables write one for each: ${tables.map((table) => `${table}: …`).join('; ')}`,
    });
  }
  return tables.map((table) => {
    const own = named.filter(({ prefix }) => prefix === table);
    const [one] = own;
    if (one === undefined || own.length > 1) {
      throw new HoldfastError('BadInput', `table ${table} needs exactly one condition: write ${table}: …`);
    }
    return one.part.slice(one.part.indexOf(':', one.part.indexOf(table) + table.length) + 1).trim();
  });
}

function prefixOf(part: string, tables: readonly string[]): string | undefined {
  const trimmed = part.trimStart();
  return tables.find((table) => trimmed.startsWith(table) && /^\s*:(?!:)/.test(trimmed.slice(table.length)));
}

/**
 * The text cut at its semicolons. Throws BadInput for what could end the parentheses it will stand in, or hide that it
 * does: comments, unbalanced brackets, open quotes, strings with escapes, dollars.
 */
function parts(text: string, dialect: Dialect): string[] {
  if (text.length > LONGEST) throw refused(`it is longer than ${LONGEST.toLocaleString('en')} characters`);
  const found: string[] = [];
  const open: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    const quote = closingQuote(character, dialect);
    if (quote !== undefined) at = endOfQuote(text, at, quote);
    else if (character === '(' || character === '[') open.push(character === '(' ? ')' : ']');
    else if (character === ')' || character === ']') {
      if (open.pop() !== character) throw refused(`its ${character} closes nothing`);
    } else if (character === ';') {
      if (open.length > 0) throw refused('it holds a semicolon inside brackets');
      found.push(text.slice(from, at));
      from = at + 1;
    } else refuseHiding(text, at);
  }
  if (open.length > 0) throw refused(`a ${open.at(-1) ?? ')'} is missing`);
  const last = text.slice(from);
  const all = last.trim() === '' ? found : [...found, last];
  if (all.some((part) => part.trim() === '')) throw refused('it is empty');
  return all;
}

function refuseHiding(text: string, at: number): void {
  const two = text.slice(at, at + 2);
  if (two === '--' || two === '/*') throw refused('it holds a comment');
  if (text[at] === '$') throw refused('it holds a $');
  if (text[at] === '\0') throw refused('it holds a zero byte');
}

function closingQuote(character: string, dialect: Dialect): string | undefined {
  if (character === "'" || character === '"') return character;
  if (dialect === 'sqlite' && character === '`') return character;
  return dialect === 'sqlite' && character === '[' ? ']' : undefined;
}

/** A doubled quote closes and opens again, so that it needs no care of its own. */
function endOfQuote(text: string, at: number, quote: string): number {
  if (quote === "'" && /(^|[^\w"])[eE]$/.test(text.slice(0, at)))
    throw refused("it holds a string with escapes (E'…')");
  const end = text.indexOf(quote, at + 1);
  if (end === -1) throw refused(`a ${quote} is missing`);
  return end;
}

function refused(why: string): HoldfastError {
  return new HoldfastError('BadInput', `the condition must be a single expression such as user_id = 7: ${why}`);
}
