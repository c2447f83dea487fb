/** System files on this machine: loading, and the register of which system lies in which file. */
import { mkdirSync } from 'node:fs';
import { readdir, readFile, realpath, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { systemsDirectory } from './home.ts';
import { parseSystem } from './parse.ts';
import { nearest } from './problems.ts';
import { NAME_PATTERN } from './schema.ts';
import type { System } from './types.ts';

export interface RegisteredSystem {
  readonly name: string;
  readonly path: string;
}

/** Reads and checks one file. Throws BadSystemFile with every problem, or when the file can't be read. */
export async function loadSystemFile(file: string): Promise<System> {
  const absolute = path.resolve(file);
  return parseSystem(await readText(absolute), absolute);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new HoldfastError('BadSystemFile', `the system file ${file} could not be read (${code})`, {
      cause,
      hint: code === 'ENOENT' ? 'Check the path; `holdfast init --example` writes a model file.' : 'Check its rights.',
    });
  }
}

/** The registered system of that name. Throws UnknownSystem, BadSystemFile. */
export async function loadSystem(name: string): Promise<System> {
  const registered = await listSystems();
  const found = registered.find((system) => system.name === name);
  if (found === undefined) throw unknownSystem(name, registered);
  const system = await loadSystemFile(found.path);
  if (system.name !== name) {
    throw new HoldfastError('BadSystemFile', `${found.path} now describes ${system.name}, not ${name}`, {
      hint: 'Register the file of each system with `holdfast init <file>`.',
    });
  }
  return system;
}

function unknownSystem(name: string, registered: readonly RegisteredSystem[]): HoldfastError {
  const names = registered.map((system) => system.name);
  const guess = nearest(name, names);
  if (names.length === 0) {
    return new HoldfastError('UnknownSystem', `no system is registered here, so there is no ${name}`, {
      hint: 'Register a system file with `holdfast init <file>`.',
    });
  }
  return new HoldfastError('UnknownSystem', `there is no system ${name} here; known: ${names.join(', ')}`, {
    ...(guess === undefined ? {} : { hint: `Did you mean ${guess}?` }),
  });
}

/**
 * Remembers where the system's file lies, so that every command knows it by name. Atomic; a repeat changes nothing,
 * another file of the same system name takes its place. Returns the loaded system.
 */
export async function registerSystem(file: string): Promise<System> {
  const absolute = await realpath(path.resolve(file)).catch(() => path.resolve(file));
  const system = await loadSystemFile(absolute);
  const directory = systemsDirectory();
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const target = path.join(directory, `${system.name}.json`);
  const temporary = `${target}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify({ path: absolute })}\n`, { mode: 0o600 });
  await rename(temporary, target);
  return system;
}

/** Every registered system, by name. Files are not opened. */
export async function listSystems(): Promise<RegisteredSystem[]> {
  const directory = systemsDirectory();
  const systems: RegisteredSystem[] = [];
  for (const entry of (await readdir(directory)).toSorted()) {
    const name = entry.replace(/\.json$/, '');
    if (!entry.endsWith('.json') || !NAME_PATTERN.test(name)) continue;
    systems.push({ name, path: pointedAt(await readText(path.join(directory, entry)), entry) });
  }
  return systems;
}

function pointedAt(text: string, entry: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const target = (parsed as { path?: unknown } | null | undefined)?.path;
  if (typeof target === 'string') return target;
  throw new HoldfastError('BadSystemFile', `the register entry ${entry} is damaged`, {
    hint: 'Register the file again with `holdfast init <file>`.',
  });
}
