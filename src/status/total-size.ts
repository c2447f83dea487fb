/** What a system takes in each store: counted by listing all of it, seldom, and remembered in the state directory. */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { log } from '../observe/log.ts';
import { openStore } from '../stores/index.ts';
import { stateDirectory } from '../system/home.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { StoreConfig, System } from '../system/types.ts';
import { answeredInTime, COUNT_LIMIT_MS } from './asked-once.ts';

const totalSchema = z.object({ bytes: z.number(), atMs: z.number() });
export type TotalSize = Readonly<z.infer<typeof totalSchema>>;
/** A count that failed is remembered too, so that a store that is too large for the time isn't listed all the time. */
const rememberedSchema = z.object({ total: totalSchema.exactOptional(), triedAtMs: z.number(), tookMs: z.number() });
type Remembered = z.infer<typeof rememberedSchema>;

const LEAST_AGE_MS = 3_600_000;
/** Listing takes at most about a hundredth of the time. */
const REST = 100;

/** By store; those that can't be listed now have what was counted before, if anything was. */
export async function totalSizes(system: System, nowMs: number, signal: AbortSignal): Promise<Map<string, TotalSize>> {
  const counted = await Promise.all(
    system.stores.map(async (config) => [config.name, await totalOf(system, config, nowMs, signal)] as const),
  );
  return new Map(counted.flatMap(([name, total]) => (total === undefined ? [] : [[name, total] as const])));
}

async function totalOf(
  system: System,
  config: StoreConfig,
  nowMs: number,
  signal: AbortSignal,
): Promise<TotalSize | undefined> {
  const file = path.join(stateDirectory(system.name), `total-${config.name}.json`);
  const known = await remembered(file);
  const restMs = Math.max(LEAST_AGE_MS, (known?.tookMs ?? 0) * REST);
  if (known !== undefined && known.triedAtMs <= nowMs && nowMs - known.triedAtMs < restMs) return known.total;
  const beganMs = performance.now();
  const asked = `the count of store ${config.name} of ${system.name}`;
  const total = await answeredInTime(asked, COUNT_LIMIT_MS, () => count(config, nowMs, signal)).catch(
    (error: unknown) => {
      // A store that can't be read is a finding of those who need to read it; a number that is old is still a number.
      log('status').warn({ err: error, system: system.name }, `store ${config.name} could not be counted`);
      return undefined;
    },
  );
  const newest = total ?? known?.total;
  const tookMs = Math.round(performance.now() - beganMs);
  const kept: Remembered = { triedAtMs: nowMs, tookMs, ...(newest === undefined ? {} : { total: newest }) };
  await remember(file, kept).catch((error: unknown) => {
    // Only counted again: that a disk is full is found by others, who must get that far.
    log('status').warn({ err: error, file }, 'what was counted could not be kept');
  });
  return newest;
}

async function remember(file: string, kept: Remembered): Promise<void> {
  const fresh = `${file}.${randomUUID()}.new`;
  try {
    await writeFile(fresh, JSON.stringify(kept), { mode: 0o600 });
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

async function remembered(file: string): Promise<Remembered | undefined> {
  try {
    return rememberedSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // Not there, or torn: it is counted again.
    return undefined;
  }
}

async function count(config: StoreConfig, nowMs: number, signal: AbortSignal): Promise<TotalSize> {
  const store = await openStore(config, resolveSecret);
  try {
    let bytes = 0;
    for await (const { sizeBytes } of store.list('', { signal })) bytes += sizeBytes;
    return { bytes, atMs: nowMs };
  } finally {
    await store.close();
  }
}
