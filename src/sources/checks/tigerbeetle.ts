/**
 * TigerBeetle's own checks, in the one order that works on the image of a running replica: an open port proves nothing,
 * and the full integrity check calls a good crash image bad as long as no server has recovered it.
 */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { line, tail } from './report.ts';
import type { CheckLine } from './report.ts';
import { parseSuperblock } from './superblock.ts';
import type { Superblock } from './superblock.ts';
import type { Answer, RunningServer, TigerBeetleRunner } from './tigerbeetle-runner.ts';

export interface TigerBeetleLimits {
  readonly inspectMs: number;
  /** The integrity check reads everything, and hangs on some damage. */
  readonly integrityMs: number;
  /** From the start of the server to its first answer. */
  readonly startMs: number;
  readonly signal: AbortSignal;
}

export const DEFAULT_LIMITS = { inspectMs: 60_000, integrityMs: 30 * 60_000, startMs: 5 * 60_000 } as const;

/** The server says so when it has recovered; listening comes long before and may be all that ever comes. */
const NORMAL = /transition_to_normal/;

/**
 * `hostFile` is the scratch copy that the runner works on; it is changed: starting a newer release upgrades it. Stops at
 * the first check that fails.
 */
export async function checkTigerBeetle(
  runner: TigerBeetleRunner,
  hostFile: string,
  limits: TigerBeetleLimits,
): Promise<CheckLine[]> {
  const checks: CheckLine[] = [];
  const superblock = await readSuperblock(runner, hostFile, limits, checks);
  if (superblock === undefined) return checks;
  const grid = superblock.manifestBlocks === 0 ? ['--skip-grid'] : [];
  const before = await runner.run(['inspect', 'integrity', '--skip-wal', ...grid, runner.file], limits.integrityMs);
  checks.push(integrityLine('integrity without the log', before));
  if (!good(before)) return checks;
  checks.push(...(await serveAndAsk(runner, superblock, limits)));
  if (checks.some((check) => !check.ok)) return checks;
  const after = await runner.run(['inspect', 'integrity', ...grid, runner.file], limits.integrityMs);
  checks.push(integrityLine('integrity after recovery', after));
  return checks;
}

async function readSuperblock(
  runner: TigerBeetleRunner,
  hostFile: string,
  limits: TigerBeetleLimits,
  checks: CheckLine[],
): Promise<Superblock | undefined> {
  const answer = await runner.run(['inspect', 'superblock', runner.file], limits.inspectMs);
  if (!good(answer)) {
    checks.push(line('superblock', false, ending(answer)));
    return undefined;
  }
  const parsed = parseSuperblock(answer.output);
  if ('missing' in parsed) {
    checks.push(line('superblock', false, `no agreeing copies of ${parsed.missing.join(', ')}`));
    return undefined;
  }
  const { found } = parsed;
  const sizeBytes = BigInt((await stat(hostFile)).size);
  const facts = `cluster ${found.cluster}, sequence ${found.sequence}, commit ${found.commitMax}, release ${found.release}`;
  const single = found.replicaCount === 1;
  const whole = found.storageSize <= sizeBytes;
  checks.push(
    line('superblock', true, facts),
    line(
      'one replica',
      single,
      single ? '1' : `${found.replicaCount}: an old file is never put back into a cluster; use \`tigerbeetle recover\``,
    ),
    line('size', whole, `${found.storageSize} bytes in use of ${sizeBytes}`),
  );
  return single && whole ? found : undefined;
}

async function serveAndAsk(
  runner: TigerBeetleRunner,
  superblock: Superblock,
  limits: TigerBeetleLimits,
): Promise<CheckLine[]> {
  const until = performance.now() + limits.startMs;
  await using server = await runner.serve(['start', '--development', '--addresses={address}', runner.file]);
  const normal = await becomesNormal(server, until, limits.signal);
  if (!normal.ok) return [line('starts', false, normal.why)];
  const answered = await ask(server, superblock, until, limits.signal);
  return [line('starts', true, 'reached normal operation'), line('answers', answered.ok, answered.why)];
}

async function becomesNormal(
  server: RunningServer,
  until: number,
  signal: AbortSignal,
): Promise<{ ok: boolean; why: string }> {
  for (;;) {
    signal.throwIfAborted();
    // Asked before the output is read: what a dying server said last is not missed.
    const alive = await server.alive();
    const said = await server.output();
    if (NORMAL.test(said)) return { ok: true, why: '' };
    if (!alive) return { ok: false, why: `the server ended: ${tail(said)}` };
    if (performance.now() > until) return { ok: false, why: `listens, but never serves: ${tail(said)}` };
    await sleep(100, undefined, { signal });
  }
}

/** Any answer to a real query will do: an account that is not there is an answer too. */
async function ask(
  server: RunningServer,
  superblock: Superblock,
  until: number,
  signal: AbortSignal,
): Promise<{ ok: boolean; why: string }> {
  const args = ['repl', `--cluster=${superblock.cluster}`, `--addresses=${server.address}`];
  const command = '--command=lookup_accounts id=1;';
  for (;;) {
    signal.throwIfAborted();
    const leftMs = Math.max(1000, until - performance.now());
    const answer = await server.query([...args, command], Math.min(leftMs, 30_000));
    if (good(answer)) return { ok: true, why: tail(answer.output, 100) };
    if (performance.now() > until) return { ok: false, why: ending(answer) };
    await sleep(250, undefined, { signal });
  }
}

function integrityLine(name: string, answer: Answer): CheckLine {
  return line(name, good(answer), good(answer) ? 'good' : ending(answer));
}

function good(answer: Answer): boolean {
  return answer.exitCode === 0 && !answer.timedOut;
}

function ending(answer: Answer): string {
  const how = answer.timedOut ? 'not finished in time' : `exit ${answer.exitCode ?? 'by a signal'}`;
  return `${how}: ${tail(answer.output)}`;
}
