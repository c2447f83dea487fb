/** Which system is described by which file on this machine. Apart from loading, so that commands can ask quickly. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { systemsDirectory } from './home.ts';

export interface RegisteredSystem {
  readonly name: string;
  /** Of its file; absent where the entry does not tell it any more. */
  readonly path?: string;
  /** Why the entry can't be used: its system is registered all the same. */
  readonly damaged?: HoldfastError;
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

/** Every registered system, by name, those with a damaged entry too: nobody else's are hidden. Files are not opened. */
export async function listSystems(): Promise<RegisteredSystem[]> {
  const directory = systemsDirectory();
  const systems: RegisteredSystem[] = [];
  for (const entry of (await readdir(directory)).toSorted()) {
    const name = entry.replace(/\.json$/, '');
    if (!entry.endsWith('.json') || !isSystemName(name)) continue;
    systems.push(await readEntry(directory, entry, name));
  }
  return systems;
}

async function readEntry(directory: string, entry: string, name: string): Promise<RegisteredSystem> {
  const file = path.join(directory, entry);
  try {
    return { name, path: pointedAt(await readFile(file, 'utf8'), file) };
  } catch (error) {
    if (error instanceof HoldfastError) return { name, damaged: error };
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const what = `the register entry ${file} could not be read (${code})`;
    return { name, damaged: new HoldfastError('BadSystemFile', what, { cause: error, hint: REGISTER_AGAIN }) };
  }
}

const REGISTER_AGAIN = 'Register the system file again: holdfast init <file>; nothing that exists is overwritten.';

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
  throw new HoldfastError('BadSystemFile', `the register entry ${entry} is damaged`, { hint: REGISTER_AGAIN });
}
