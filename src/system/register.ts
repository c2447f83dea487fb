/** Which system is described by which file on this machine. Apart from loading, so that commands can ask quickly. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { systemsDirectory } from './home.ts';

export interface RegisteredSystem {
  readonly name: string;
  readonly path: string;
}

/** Throws BadSystemFile with the path and the reason. */
export async function readText(file: string): Promise<string> {
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

/** Every registered system, by name. Files are not opened. */
export async function listSystems(): Promise<RegisteredSystem[]> {
  const directory = systemsDirectory();
  const systems: RegisteredSystem[] = [];
  for (const entry of (await readdir(directory)).toSorted()) {
    const name = entry.replace(/\.json$/, '');
    if (!entry.endsWith('.json') || !isSystemName(name)) continue;
    systems.push({ name, path: pointedAt(await readText(path.join(directory, entry)), entry) });
  }
  return systems;
}

/** As the schema has it. */
function isSystemName(name: string): boolean {
  return /^[a-z][a-z0-9-]{0,62}$/.test(name);
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
