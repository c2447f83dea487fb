/** A sign of life to an address that expects one: its silence is an alarm that needs nothing of this machine. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { httpAsk, networkCode } from '../notify/http-ask.ts';
import { stateDirectory } from '../system/home.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { System } from '../system/types.ts';

export interface SignOfLife {
  /** Something is wrong; told where the system file asks for it. */
  readonly broken: boolean;
  readonly nowMs: number;
  readonly signal?: AbortSignal;
}

export type PingOutcome = 'told' | 'recently' | 'none';

const LIMIT_MS = 10_000;

/**
 * Asks the address by POST, as healthchecks.io and its like take it. `recently`: the same was told less than `every` ago.
 * Throws SecretMissing, and PingFailed without the address, which is a secret.
 */
export async function tellAlive(system: System, sign: SignOfLife): Promise<PingOutcome> {
  const { ping } = system.monitor ?? {};
  if (ping === undefined) return 'none';
  const words = ping.tellFailure && sign.broken ? 'fail' : 'alive';
  const file = path.join(stateDirectory(system.name), 'sign-of-life.json');
  const last = await lastTold(file);
  const agoMs = sign.nowMs - (last?.atMs ?? -Infinity);
  if (last?.words === words && agoMs >= 0 && agoMs < ping.everySeconds * 1000) return 'recently';
  await post(addressOf(await resolveSecret(ping.url), words), system.name, sign.signal);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.${process.pid}.new`, JSON.stringify({ words, atMs: sign.nowMs }), { mode: 0o600 });
  await rename(`${file}.${process.pid}.new`, file);
  return 'told';
}

/** `/fail` stands before a query. Throws BadInput for what is no web address. */
export function addressOf(text: string, words: 'alive' | 'fail'): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw noAddress();
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw noAddress();
  if (words === 'fail') url.pathname = `${url.pathname.replace(/\/+$/, '')}/fail`;
  return url;
}

function noAddress(): HoldfastError {
  return new HoldfastError('BadInput', 'the secret of monitor.ping.url is no web address', {
    hint: 'Write an address such as https://hc-ping.com/<uuid> at the place that monitor.ping.url names.',
  });
}

async function lastTold(file: string): Promise<{ words: string; atMs: number } | undefined> {
  try {
    const told: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof told !== 'object' || told === null || !('words' in told) || !('atMs' in told)) return undefined;
    return { words: String(told.words), atMs: Number(told.atMs) };
  } catch {
    // Never told, or torn: once more harms nobody.
    return undefined;
  }
}

async function post(url: URL, system: string, signal: AbortSignal | undefined): Promise<void> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  let status: number;
  try {
    ({ status } = await httpAsk(url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain;charset=UTF-8' },
      body: system,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    }));
  } catch (error) {
    signal?.throwIfAborted();
    // The error may hold the address, so that only its kind is told.
    const why = limit.aborted ? `no answer in ${LIMIT_MS / 1000} s` : (networkCode(error) ?? 'no connection');
    throw new HoldfastError('PingFailed', `the address of monitor.ping.url of ${system} could not be told: ${why}`);
  }
  if (status < 200 || status > 299) {
    throw new HoldfastError('PingFailed', `the address of monitor.ping.url of ${system} answered ${status}`);
  }
}
