/**
 * A system as its file said last without a fault, kept beside its state on each machine: while the file is bad, monitoring
 * goes on by it, and people are told through its channels. Operations never run by it.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../failures.ts';
import { log } from '../observe/log.ts';
import { stateDirectory } from './home.ts';
import { listSystems, loadSystem } from './load.ts';
import { parseSystem } from './parse.ts';
import type { System } from './types.ts';

const keptSchema = z.object({ path: z.string(), text: z.string() });

export interface KnownSystem {
  readonly system: System;
  /** Why its file, or the register, can't be used now; `system` is then what it said before. */
  readonly fault?: FileFault;
}

export interface FileFault {
  readonly error: HoldfastError;
  /** When the version that stands in for it was kept; absent where none is known. */
  readonly keptAtMs?: number;
}

/** What this process has kept, so that nothing is written or read twice. */
const kept = new Map<string, string>();

function fileOf(system: string): string {
  return path.join(stateDirectory(system), 'last-good-system.json');
}

/** Atomic. That it can't be kept is logged: only a later fault would be judged by less. */
export async function keepLastGood({ name, sourcePath, sourceText }: System): Promise<void> {
  const text = JSON.stringify({ path: sourcePath, text: sourceText });
  const file = fileOf(name);
  // The name of the file too: a process of tests has several homes.
  if (kept.get(file) === text) return;
  try {
    if ((await readFile(file, 'utf8').catch(() => undefined)) !== text) {
      const temporary = `${file}.${randomUUID()}.tmp`;
      await writeFile(temporary, text, { mode: 0o600 });
      await rename(temporary, file);
    }
    kept.set(file, text);
  } catch (error) {
    log('system').warn({ err: error, system: name }, 'the system file as it is could not be kept for later');
  }
}

/** Undefined where none was kept, or what was kept is none of this program's version. */
async function readLastGood(name: string): Promise<{ system: System; keptAtMs: number } | undefined> {
  const file = fileOf(name);
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    const found = keptSchema.parse(JSON.parse(text));
    return { system: parseSystem(found.text, found.path), keptAtMs: mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log('system').warn({ err: error, system: name }, 'the last good system file can not be used');
    }
    return undefined;
  }
}

/**
 * The system as its file says, else as it said last. Throws UnknownSystem, and BadSystemFile where nothing stands in for a
 * bad file.
 */
export async function loadKnownSystem(name: string): Promise<KnownSystem> {
  try {
    const system = await loadSystem(name);
    await keepLastGood(system);
    return { system };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'BadSystemFile') throw error;
    const last = await readLastGood(name);
    if (last === undefined) throw error;
    return { system: last.system, fault: { error, keptAtMs: last.keptAtMs } };
  }
}

/**
 * For who has to stop what runs here though its system was taken out of the register: as it was known before. Throws
 * UnknownSystem where nothing is known of it.
 */
export async function loadEverKnownSystem(name: string): Promise<System> {
  try {
    return (await loadKnownSystem(name)).system;
  } catch (error) {
    const isUnknown = error instanceof HoldfastError && error.code === 'UnknownSystem';
    const last = isUnknown ? await readLastGood(name) : undefined;
    if (last === undefined) throw error;
    log('system').warn({ system: name }, 'the system is not registered here any more: what its file said last counts');
    return last.system;
  }
}

/** One of many: what is wrong with it is told in its place, and hides none of the others. */
export type Registered =
  | (KnownSystem & { readonly name: string })
  | { readonly name: string; readonly system?: undefined; readonly fault: FileFault };

/** Those of these names, else all that are registered here. Throws UnknownSystem. */
export async function knownSystems(names: readonly string[] = []): Promise<Registered[]> {
  const wanted = names.length > 0 ? names : (await listSystems()).map(({ name }) => name);
  return Promise.all(
    wanted.map(async (name): Promise<Registered> => {
      try {
        return { name, ...(await loadKnownSystem(name)) };
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== 'BadSystemFile') throw error;
        return { name, fault: { error } };
      }
    }),
  );
}
