/** System files on this machine: loading and registering them. */
import { mkdirSync } from 'node:fs';
import { realpath, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { systemsDirectory } from './home.ts';
import { parseSystem } from './parse.ts';
import { nearest } from './problems.ts';
import { listSystems, readText, type RegisteredSystem } from './register.ts';
import type { System } from './types.ts';

export { listSystems, type RegisteredSystem } from './register.ts';

/** Reads and checks one file. Throws BadSystemFile with every problem, or when the file can't be read. */
export async function loadSystemFile(file: string): Promise<System> {
  const absolute = path.resolve(file);
  return parseSystem(await readText(absolute), absolute);
}

/** The registered system of that name. Throws UnknownSystem, BadSystemFile. */
export async function loadSystem(name: string): Promise<System> {
  const registered = await listSystems();
  const found = registered.find((system) => system.name === name);
  if (found === undefined) throw unknownSystem(name, registered);
  const file = pathOf(found);
  const system = await loadSystemFile(file);
  if (system.name !== name) {
    throw new HoldfastError('BadSystemFile', `${file} now describes ${system.name}, not ${name}`, {
      hint: 'Register the file of each system with `holdfast init <file>`.',
    });
  }
  return system;
}

/** Throws BadSystemFile where the entry is damaged. */
export function pathOf({ name, path: file, damaged }: RegisteredSystem): string {
  if (file !== undefined) return file;
  throw damaged ?? new HoldfastError('BadSystemFile', `the register does not tell where the file of ${name} lies`);
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
