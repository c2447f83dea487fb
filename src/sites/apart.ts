/**
 * Backups of a site that was fenced and did not know it: they lie in the same stores, and are kept apart from the history that
 * is in force. Which generations there are is remembered, for when the authority store does not answer.
 */
import path from 'node:path';
import { z } from 'zod';
import { readJson, writeDurably } from '../docker/durable-file.ts';
import { HoldfastError } from '../failures.ts';
import { log } from '../observe/log.ts';
import { lineageOf, whyApart, type GenerationOrigin } from '../policy/failover/lineage.ts';
import type { System } from '../system/types.ts';
import { readGenerations, type GenerationRecord } from '../vault/sites/generation.ts';
import type { CatalogueEntry } from '../vault/types.ts';
import { withAuthority } from './authority.ts';
import { raced } from './raced.ts';
import { sitesDirectory } from './site-files.ts';

const ANSWER_MS = 10_000;
/** The stores of a system are read beside each other. */
const SAME_ANSWER_MS = 3000;

const knownSchema = z.object({
  format: z.literal(1),
  generations: z.array(
    z.object({
      n: z.number().int().positive(),
      origin: z
        .object({ generation: z.number().int().positive(), pointAtMs: z.number().exactOptional() })
        .exactOptional(),
    }),
  ),
});

/** As `lineageOf` takes them. */
export function originsOf(generations: readonly GenerationRecord[]): GenerationOrigin[] {
  return generations.map(({ n, origin }) => ({
    n,
    ...(origin === undefined
      ? {}
      : {
          origin: {
            generation: origin.generation,
            ...(origin.pointAt === undefined ? {} : { pointAtMs: Date.parse(origin.pointAt) }),
          },
        }),
  }));
}

/**
 * The same entries; those that are no part of the history in force say why. Of a system without a section `failover`, and where
 * no generation was ever read, none does. While the authority store does not answer, what was read last counts, or with
 * `asRemembered: false` this throws StoreUnreachable.
 */
export async function withApart(
  system: System,
  entries: readonly CatalogueEntry[],
  signal: AbortSignal | undefined,
  { asRemembered = true }: { readonly asRemembered?: boolean } = {},
): Promise<CatalogueEntry[]> {
  const points = entries.map(({ body }) => ({ generation: body.generation, pointAtMs: Date.parse(body.pointAt) }));
  const why = await whyEachApart(system, points, signal, asRemembered);
  return entries.map((entry, at) => {
    const apart = why[at];
    return apart === undefined ? entry : { ...entry, apart };
  });
}

/** Of each, in their order: why it is no part of the history in force, or undefined when it is. Otherwise as `withApart`. */
export async function whyEachApart(
  system: System,
  points: readonly { readonly generation: number; readonly pointAtMs: number }[],
  signal: AbortSignal | undefined,
  asRemembered = true,
): Promise<(string | undefined)[]> {
  const none = points.map(() => undefined);
  // Before there were generations nothing could be apart.
  if (system.failover === undefined || points.every(({ generation }) => generation === 0)) return none;
  const generations = await askedOnce(system, signal, asRemembered);
  const n = Math.max(0, ...generations.map((one) => one.n));
  if (n === 0) return none;
  const lineage = lineageOf(n, generations);
  return points.map((point) => whyApart(point, lineage));
}

const asked = new Map<string, { readonly atMs: number; readonly answer: Promise<readonly GenerationOrigin[]> }>();

async function askedOnce(
  system: System,
  signal: AbortSignal | undefined,
  asRemembered: boolean,
): Promise<readonly GenerationOrigin[]> {
  const key = `${sitesDirectory(system.name)}\n${asRemembered}\n${system.sourceText}`;
  const last = asked.get(key);
  if (last !== undefined && performance.now() - last.atMs < SAME_ANSWER_MS) return last.answer;
  const answer = generationsOf(system, asRemembered);
  asked.set(key, { atMs: performance.now(), answer });
  return signal === undefined ? answer : raced(answer, signal);
}

async function generationsOf(system: System, asRemembered: boolean): Promise<readonly GenerationOrigin[]> {
  const file = path.join(sitesDirectory(system.name), 'generations.json');
  try {
    const read = await raced(withAuthority(system, readGenerations), AbortSignal.timeout(ANSWER_MS));
    const generations = originsOf(read);
    await writeDurably(file, { format: 1, generations });
    return generations;
  } catch (error) {
    if (!asRemembered) throw unreadable(system, error);
    const known = await readJson(file);
    log('sites').warn({ err: error, system: system.name }, 'which backups are apart is judged by what was read last');
    return known === undefined ? [] : knownSchema.parse(known).generations;
  }
}

function unreadable({ name }: System, cause: unknown): HoldfastError {
  const why = cause instanceof HoldfastError ? cause.message : String(cause);
  return new HoldfastError('StoreUnreachable', `which backups of ${name} are apart can't be read: ${why}`, {
    cause,
    hint: 'What goes by that waits until the authority store answers.',
  });
}
