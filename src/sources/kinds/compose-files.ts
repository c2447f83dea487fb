/** Which files of a project directory a Compose project is made of. */
import { readFile, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';

import { parseDocument } from 'yaml';

import { HoldfastError } from '../../failures.ts';
import { failureOf, isMissing } from '../io-errors.ts';

export interface ProjectFiles {
  /** Relative to the project directory, sorted, the Compose files first; all of them exist. */
  readonly files: readonly string[];
  /** What the Compose files name and the backup does not hold, and why. */
  readonly warnings: readonly string[];
}

/** Throws SourceMissing when a Compose file is not there, SourceCorrupt when it is no YAML. */
export async function projectFiles(directory: string, composeFiles: readonly string[]): Promise<ProjectFiles> {
  const named = new Set<string>();
  const waiting = [...composeFiles];
  const read = new Set<string>();
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    if (read.has(file)) continue;
    read.add(file);
    const found = namesIn(await parseYaml(directory, file), posix.dirname(file));
    for (const name of found.others) named.add(name);
    waiting.push(...found.composeFiles.filter((name) => isInside(name)));
    for (const name of found.composeFiles) named.add(name);
  }
  const others = [...named].filter((name) => !read.has(name)).sort();
  const { present, warnings } = await sortOut(directory, ['.env', ...others]);
  return { files: [...read, ...present], warnings };
}

async function parseYaml(directory: string, file: string): Promise<unknown> {
  const path = join(directory, file);
  try {
    const document = parseDocument(await readFile(path, 'utf8'));
    if (document.errors.length === 0) return document.toJS() as unknown;
    throw new HoldfastError('SourceCorrupt', `${path} is not YAML: ${document.errors[0]?.message ?? ''}`);
  } catch (error) {
    if (isMissing(error)) throw new HoldfastError('SourceMissing', `There is no Compose file ${path}`);
    throw failureOf(error, `read ${path}`);
  }
}

async function sortOut(
  directory: string,
  names: readonly string[],
): Promise<{ present: string[]; warnings: string[] }> {
  const present: string[] = [];
  const warnings: string[] = [];
  for (const name of names) {
    if (name.includes('$')) {
      warnings.push(`${name} is named by a variable and is not included`);
    } else if (!isInside(name)) {
      warnings.push(`${name} lies outside the project directory and is not included: name it as a component of files`);
    } else if (await isFile(join(directory, name))) {
      present.push(name);
    } else if (name !== '.env') {
      warnings.push(`${name} is named by a Compose file, but is no file`);
    }
  }
  return { present, warnings };
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw failureOf(error, `look at ${path}`);
  }
}

/** Pure: files that a Compose document names, relative to the project directory. */
export function namesIn(document: unknown, base: string): { composeFiles: string[]; others: string[] } {
  const composeFiles = list(field(document, 'include')).flatMap((entry) => list(field(entry, 'path') ?? entry));
  const others: unknown[] = [];
  for (const service of Object.values(record(field(document, 'services')))) {
    others.push(...list(field(service, 'env_file')).map((entry) => field(entry, 'path') ?? entry));
    composeFiles.push(field(field(service, 'extends'), 'file'));
  }
  for (const section of ['configs', 'secrets']) {
    for (const entry of Object.values(record(field(document, section)))) others.push(field(entry, 'file'));
  }
  const paths = (values: readonly unknown[]): string[] =>
    values.filter((value) => typeof value === 'string').map((value) => join(base, value));
  return { composeFiles: paths(composeFiles), others: paths(others) };

  function join(from: string, to: string): string {
    return to.startsWith('/') ? to : posix.normalize(posix.join(from, to));
  }
}

function isInside(name: string): boolean {
  return !name.startsWith('/') && name !== '..' && !name.startsWith('../');
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as unknown[]) : [value];
}
