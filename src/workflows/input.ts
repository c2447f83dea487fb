/** What people type is checked in a workflow's first lines, so that a typing error ends the run and says why. */
import { failure } from './failure.ts';

interface Field {
  readonly type: 'string' | 'number' | 'boolean';
  readonly required?: true;
  readonly oneOf?: readonly string[];
  /** What the text must look like, with words for people. */
  readonly like?: { readonly pattern: RegExp; readonly words: string };
}

export type Fields<T> = { readonly [K in keyof Required<T>]: Field };

/** A name of a system, plan, store or component: never a path, never empty. */
export const NAME: Field = {
  type: 'string',
  like: { pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, words: 'letters, digits, dot, dash and underscore' },
};

/**
 * The input as one flat object of known fields, or BadInput with every problem at once and the list of what is allowed.
 * A missing or `null` input counts as an empty object; a field that is `null` or '' counts as not given.
 */
export function parseInput<T extends object>(operation: string, input: unknown, fields: Fields<T>): T {
  const allowed = Object.keys(fields).join(', ');
  if (input !== null && input !== undefined && (typeof input !== 'object' || Array.isArray(input))) {
    throw failure('BadInput', `${operation} takes one JSON object. Its fields are: ${allowed}.`);
  }
  const given = Object.entries(input ?? {}).filter(([, value]) => value !== null && value !== '');
  const known = fields as Record<string, Field>;
  const problems = given.flatMap(([name, value]) => problemsOf(name, value, known));
  const missing = Object.entries(known).filter(
    ([name, field]) => field.required === true && !given.some(([present]) => present === name),
  );
  problems.push(...missing.map(([name]) => `"${name}" is required`));
  if (problems.length > 0) {
    throw failure('BadInput', `${operation}: ${problems.join('; ')}. Its fields are: ${allowed}.`);
  }
  return Object.fromEntries(given) as T;
}

function problemsOf(name: string, value: unknown, fields: Record<string, Field>): string[] {
  if (!Object.hasOwn(fields, name)) return [`"${name}" is not a field`];
  const field = fields[name];
  if (field === undefined) return [];
  if (typeof value !== field.type) return [`"${name}" must be a ${field.type}`];
  if (field.type === 'number' && !(Number.isFinite(value) && Number(value) >= 0)) {
    return [`"${name}" must be zero or more`];
  }
  if (field.oneOf !== undefined && !field.oneOf.includes(String(value))) {
    return [`"${name}" must be one of ${field.oneOf.join(', ')}`];
  }
  if (field.like !== undefined && !field.like.pattern.test(String(value))) {
    return [`"${name}" must consist of ${field.like.words}`];
  }
  return [];
}
