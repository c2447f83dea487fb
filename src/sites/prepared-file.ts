/**
 * What this machine has restored ahead of a failover: `<state directory>/sites/prepared.json`, and `preparing.json` while it
 * is at it. Small files that are whole or absent after any crash.
 */
import path from 'node:path';
import { z } from 'zod';
import { readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { sitesDirectory } from './site-files.ts';

const partSchema = z.object({
  name: z.string(),
  backup: z.string(),
  manifestKey: z.string(),
  store: z.string(),
  pointAt: z.string().exactOptional(),
  recoverTo: z.string().exactOptional(),
});

const markSchema = z.object({
  exists: z.boolean(),
  sizeBytes: z.number().exactOptional(),
  newestChangeMs: z.number().exactOptional(),
});

const preparedSchema = z.object({
  format: z.literal(1),
  /** Under which generation of another site. */
  generation: z.number().int().positive(),
  /** By this machine's clock, for people. */
  at: z.string(),
  parts: z.array(partSchema),
  marks: z.record(z.string(), markSchema),
  containers: z.string(),
  /** The restores that made containers, which are to be started. */
  restoreIds: z.array(z.string()),
});
export type PreparedFile = z.infer<typeof preparedSchema>;

const preparingSchema = z.object({
  format: z.literal(1),
  restoreId: z.string(),
  generation: z.number().int().positive(),
  /** Components whose live place held nothing but what was restored ahead before. */
  former: z.array(z.string()),
  restoreIds: z.array(z.string()),
});
export type PreparingFile = z.infer<typeof preparingSchema>;

/** Undefined also for a file that can't be made out: then nothing is prepared. */
export async function readPrepared(system: string): Promise<PreparedFile | undefined> {
  return preparedSchema.safeParse(await readJson(preparedPath(system))).data;
}

export async function writePrepared(system: string, prepared: Omit<PreparedFile, 'format'>): Promise<void> {
  await writeDurably(preparedPath(system), { format: 1, ...prepared } satisfies PreparedFile);
}

/** From now on nothing is prepared here, also after a crash. */
export async function forgetPrepared(system: string): Promise<void> {
  await removeDurably(preparedPath(system));
}

export async function readPreparing(system: string): Promise<PreparingFile | undefined> {
  return preparingSchema.safeParse(await readJson(preparingPath(system))).data;
}

export async function writePreparing(system: string, preparing: Omit<PreparingFile, 'format'>): Promise<void> {
  await writeDurably(preparingPath(system), { format: 1, ...preparing } satisfies PreparingFile);
}

export async function forgetPreparing(system: string): Promise<void> {
  await removeDurably(preparingPath(system));
}

function preparedPath(system: string): string {
  return path.join(sitesDirectory(system), 'prepared.json');
}

function preparingPath(system: string): string {
  return path.join(sitesDirectory(system), 'preparing.json');
}
