/** That the stack was stopped here for another site: `sites/handed.json`, until it is known which of both goes on. */
import path from 'node:path';
import { z } from 'zod';
import { readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { HoldfastError } from '../failures.ts';
import { sitesDirectory } from './site-files.ts';

const handedSchema = z.object({
  format: z.literal(1),
  /** Which the other site asked for, and how often it had asked. */
  n: z.number().int().positive(),
  attempt: z.number().int().positive(),
  at: z.string(),
});
export type HandedFile = z.infer<typeof handedSchema>;

export async function readHanded(system: string): Promise<HandedFile | undefined> {
  const found = await readJson(handedPath(system));
  if (found === undefined) return undefined;
  const read = handedSchema.safeParse(found);
  if (read.success) return read.data;
  throw new HoldfastError('Internal', `${handedPath(system)}: ${z.prettifyError(read.error)}`);
}

/** Durable when this resolves. */
export async function writeHanded(system: string, { n, attempt }: Pick<HandedFile, 'n' | 'attempt'>): Promise<void> {
  const file: HandedFile = { format: 1, n, attempt, at: new Date().toISOString() };
  await writeDurably(handedPath(system), file);
}

/** One that is gone already is no error. */
export async function removeHanded(system: string): Promise<void> {
  await removeDurably(handedPath(system));
}

function handedPath(system: string): string {
  return path.join(sitesDirectory(system), 'handed.json');
}
