/** The cache of tools outside the tree: complete or absent, one directory for a name and a version. */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { cacheDirectory } from '../../src/system/cache.ts';
import { withLock } from './lock.ts';
import { isExecutable } from './run.ts';
import { say } from './say.ts';

export interface Tool {
  readonly name: string;
  readonly version: string;
  /** The file in the tool's directory that is started. */
  readonly program: string;
}

export function toolPath(tool: Tool): string {
  return path.join(cacheDirectory(), 'tools', `${tool.name}-${tool.version}`, tool.program);
}

/**
 * Returns the cached program, or has it made: `make` fills a temporary directory, which takes its place by one rename,
 * so that an interrupted set-up leaves nothing half-made. Two set-ups at once make it once.
 */
export async function cached(tool: Tool, make: (directory: string) => Promise<void>): Promise<string> {
  const program = toolPath(tool);
  if (isExecutable(program)) return program;
  const directory = path.dirname(program);
  const lock = path.join(cacheDirectory(), 'locks', path.basename(directory));
  const waiting = (): void => say(`Another set-up makes ${tool.name} ${tool.version}; waiting for it …`);
  return withLock(lock, () => makeInPlace(tool, program, make), waiting);
}

async function makeInPlace(tool: Tool, program: string, make: (directory: string) => Promise<void>): Promise<string> {
  if (isExecutable(program)) return program;
  const directory = path.dirname(program);
  mkdirSync(path.dirname(directory), { recursive: true });
  const scratch = mkdtempSync(`${directory}.new-`);
  try {
    await make(scratch);
    if (!isExecutable(path.join(scratch, tool.program))) throw new Error(`${tool.name} was made without its program`);
    // What lies there lacks its program, so nothing can be using it.
    rmSync(directory, { recursive: true, force: true });
    renameSync(scratch, directory);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return program;
}
