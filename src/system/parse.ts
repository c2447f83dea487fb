/** The text of a system file → System, or every problem in it with its place. Pure: no file is touched. */
import { isAlias, isMap, isSeq, LineCounter, parseDocument, visit, type Document, type Node, type Pair } from 'yaml';
import { HoldfastError } from '../failures.ts';
import { buildSystem } from './build.ts';
import { crossCheck, declaredNames } from './checks.ts';
import { KEYS, problemsOfIssues, valueAt, type PlacedProblem, type Problem, type ProblemPath } from './problems.ts';
import { systemFileSchema, type SystemFile } from './schema.ts';
import type { System } from './types.ts';

type WithKeys = SystemFile & { keys: NonNullable<SystemFile['keys']> };

/** Throws BadSystemFile with every problem at once, in the order of the file: `path:line:column: what, and instead`. */
export function parseSystem(text: string, path: string): System {
  const { file, problems } = readSystemFile(text, { keysOptional: false });
  if (problems.length > 0 || file === undefined) throw badSystemFile(path, problems);
  return buildSystem(file as WithKeys, { text, path });
}

/** What `init` needs: the file may still lack its keys. */
export function parseSystemWithoutKeys(text: string, path: string): SystemFile {
  const { file, problems } = readSystemFile(text, { keysOptional: true });
  if (problems.length > 0 || file === undefined) throw badSystemFile(path, problems);
  return file;
}

function badSystemFile(path: string, problems: readonly PlacedProblem[]): HoldfastError {
  const lines = problems.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`);
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new HoldfastError('BadSystemFile', `${count} in the system file\n${lines.join('\n')}`, {
    details: { path, problems },
  });
}

function readSystemFile(
  text: string,
  options: { keysOptional: boolean },
): { file?: SystemFile; problems: PlacedProblem[] } {
  const lines = new LineCounter();
  // Pretty errors would repeat lines of the file, and a line may hold a secret.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    logLevel: 'error',
  });
  const place = (offset: number, message: string): PlacedProblem => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1), message };
  };
  if (document.errors.length > 0) {
    return { problems: document.errors.map((error) => place(error.pos[0], yamlMessage(error.code, error.message))) };
  }
  let root: unknown;
  try {
    root = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // Aliases are resolved only now. The message names the alias, which may be a value that should have been quoted.
    if (!(error instanceof ReferenceError)) throw error;
    return { problems: [place(aliasOffset(document), 'a value that starts with * must stand in quotes')] };
  }
  const parsed = systemFileSchema.safeParse(root);
  const found: Problem[] = parsed.success
    ? crossCheck(parsed.data, declaredNames(root), options)
    : [...problemsOfIssues(parsed.error.issues, root), ...problemsOfTheRest(root, parsed.error.issues)];
  const problems = found
    .map((problem) => place(offsetOf(document, problem), problem.message))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  return parsed.success ? { file: parsed.data, problems } : { problems };
}

/**
 * What can be said of the entries whose shape is right, so that a person corrects everything at once. Nothing is said
 * when a section itself is wrong.
 */
function problemsOfTheRest(root: unknown, issues: readonly { readonly path: readonly PropertyKey[] }[]): Problem[] {
  const rest = structuredClone(root);
  for (const issue of issues) {
    const [section, name, field] = issue.path;
    if (section === undefined) removeUnknown(rest);
    else if (section === 'plans' && LONE_FIELDS.includes(String(field)))
      remove(valueAt(rest, ['plans', String(name)]), field);
    else if (name === undefined || section === 'keys') remove(rest, section);
    else remove(valueAt(rest, [String(section)]), name);
  }
  const parsed = systemFileSchema.safeParse(rest);
  return parsed.success ? crossCheck(parsed.data, declaredNames(root), { keysOptional: true }) : [];
}

/** Of plans, which can be checked without them. */
const LONE_FIELDS = ['rpo', 'limits'];

function remove(map: unknown, key: PropertyKey = ''): void {
  if (typeof map === 'object' && map !== null) Reflect.deleteProperty(map, key);
}

function removeUnknown(map: unknown): void {
  if (typeof map !== 'object' || map === null) return;
  for (const key of Object.keys(map)) if (!(KEYS['file'] ?? []).includes(key)) Reflect.deleteProperty(map, key);
}

/** The first alias that names nothing that exists. */
function aliasOffset(document: Document): number {
  let offset = 0;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function yamlMessage(code: string, message: string): string {
  const first = message.split('\n')[0] ?? message;
  if (code === 'DUPLICATE_KEY') return 'this key is there twice: remove or rename one';
  if (code === 'BAD_INDENT' || code === 'TAB_AS_INDENT')
    return 'the indentation does not fit: indent by spaces, as the lines around';
  if (code === 'BAD_ALIAS' || first.startsWith('Unresolved alias'))
    return 'a value that starts with * must stand in quotes';
  if (code === 'MISSING_CHAR') return 'a quote, bracket or colon is missing here';
  return `this is no YAML (${code.toLowerCase().replaceAll('_', ' ')}): correct the line`;
}

/** Where a problem is: its value, its key, or the nearest thing above it that exists. */
function offsetOf(document: Document, { path, atKey }: Problem): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    const current = isAlias(node) ? node.resolve(document) : node;
    const last = depth === path.length - 1;
    if (isSeq(current)) node = current.items[Number(part)];
    else if (isMap(current)) {
      const pair = current.items.find((item) => keyText(item) === part);
      if (pair === undefined) return offset;
      offset = startOf(pair.key) ?? offset;
      if (last && atKey) return offset;
      node = pair.value;
    } else return offset;
    // A map's problem is shown at its key: that is the line a person looks for.
    if (!isMap(node) || last) offset = isMap(node) ? offset : (startOf(node) ?? offset);
  }
  return offset;
}

function keyText(pair: Pair): unknown {
  return (pair.key as { value?: unknown } | null)?.value;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

export type { ProblemPath };
