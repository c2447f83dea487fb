/**
 * Whether something listens where the engine is to be. The client tries a connection that is refused again and again until
 * its time is over: whoever asks whether the engine runs knows sooner.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import type { EngineTarget } from './target.ts';

const LOOK_EVERY_MS = 250;
const CONNECT_LIMIT_MS = 1_000;

/**
 * What the work comes to, unless connections were refused for all of that time while it went on: then EngineUnreachable.
 * The work is not ended by that. Work that takes no time costs no connection.
 */
export async function unlessRefused<T>(
  target: Pick<EngineTarget, 'address' | 'from'>,
  limitMs: number,
  work: Promise<T>,
): Promise<T> {
  const over = new AbortController();
  try {
    return await Promise.race([work, refusedFor(target, limitMs, over.signal)]);
  } finally {
    over.abort();
    // Where it was refused, nobody waits for the work any more.
    work.catch(() => undefined);
  }
}

async function refusedFor(
  { address, from }: Pick<EngineTarget, 'address' | 'from'>,
  limitMs: number,
  signal: AbortSignal,
): Promise<never> {
  let sinceMs: number | undefined;
  for (;;) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    const refused = await isRefused(address);
    signal.throwIfAborted();
    sinceMs = refused ? (sinceMs ?? Date.now()) : undefined;
    if (sinceMs === undefined || Date.now() - sinceMs < limitMs) continue;
    throw new HoldfastError('EngineUnreachable', `nothing listens at ${address} (${from})`, {
      details: { address, from },
    });
  }
}

/** Anything else than a refusal says nothing: a name that can't be resolved now, a network that is slow. */
async function isRefused(address: string): Promise<boolean> {
  const [, host = '', port = ''] = /^\[?([^[\]/]+?)\]?:(\d+)$/.exec(address) ?? [];
  if (port === '') return false;
  const socket = connect({ host, port: Number(port), timeout: CONNECT_LIMIT_MS });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(false));
      socket.once('timeout', () => resolve(false));
      socket.once('error', (error) => resolve((error as NodeJS.ErrnoException).code === 'ECONNREFUSED'));
    });
  } finally {
    socket.destroy();
  }
}
