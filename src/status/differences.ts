/**
 * What a reconciliation found, kept on the host that asked: it is data of the system, so that only counts and a digest
 * leave that host by way of the engine.
 */
import { createHash, randomBytes } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { listFiles, readJson, writeDurably } from '../docker/durable-file.ts';
import { canonicalJson } from '../policy/canonical.ts';
import type { Difference, KeptDifferences } from '../policy/check-values.ts';
import { reportsDirectory } from '../system/home.ts';

const KEPT_DAYS = 90;

const fileSchema = z.object({
  format: z.literal(1),
  /** Without it a digest of so little text could be guessed. */
  salt: z.string(),
  differences: z.array(z.object({ name: z.string(), expected: z.string(), found: z.string() })),
});

/** Of this run and this name; a repeat writes it anew. What is older than 90 days goes. */
export async function keepDifferences(
  {
    system,
    runId,
    name,
    host,
  }: { readonly system: string; readonly runId: string; readonly name: string; readonly host: string },
  differences: readonly Difference[],
): Promise<KeptDifferences> {
  const directory = path.join(reportsDirectory(system), 'reconcile');
  await removeOld(directory);
  const file = path.join(directory, `${runId}-${name}.json`.replaceAll(/[^\w.-]/g, '_'));
  const content = { format: 1, salt: randomBytes(16).toString('hex'), differences };
  await writeDurably(file, content);
  return { host, file, sha256: digestOf(content), count: differences.length };
}

async function removeOld(directory: string): Promise<void> {
  const before = Date.now() - KEPT_DAYS * 24 * 3600 * 1000;
  for (const file of await listFiles(directory, '.json')) {
    if ((await stat(file)).mtimeMs < before) await rm(file, { force: true });
  }
}

export type ReadDifferences = { readonly differences: readonly Difference[] } | { readonly why: string };

/** From this machine. `why` is half a sentence for what is not here, or not as the run left it. */
export async function readDifferences({ host, file, sha256 }: KeptDifferences): Promise<ReadDifferences> {
  const found = fileSchema.safeParse(await readJson(file).catch(() => undefined));
  if (!found.success) return { why: `they are on host ${host}, in ${file}` };
  if (digestOf(found.data) !== sha256) return { why: `${file} on host ${host} is not as the run left it` };
  return { differences: found.data.differences };
}

/** Of all of a result's reconciliations that differ, by their names. */
export async function readAllDifferences(
  reconcile: readonly { readonly name: string; readonly kept?: KeptDifferences }[],
): Promise<ReadonlyMap<string, ReadDifferences>> {
  const read = await Promise.all(
    reconcile.map(async ({ name, kept }) => (kept === undefined ? [] : [[name, await readDifferences(kept)] as const])),
  );
  return new Map(read.flat());
}

function digestOf(content: unknown): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}
