/** A client of the engine, for the command line and whatever else starts or watches workflows. */
import { hostname, userInfo } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import { unlessRefused } from './refused.ts';
import { OWN_CLIENT } from '../policy/askers.ts';
import { engineTarget } from './target.ts';
import type { EngineTarget } from './target.ts';

const CONNECT_LIMIT_MS = 5_000;

export interface Engine extends AsyncDisposable {
  readonly client: Client;
  readonly connection: Connection;
  readonly target: EngineTarget;
  close(): Promise<void>;
}

/**
 * Connects within seconds or throws EngineUnreachable with the address and what to do. The caller closes it (or uses
 * `await using`). `refusedLimitMs`: for whoever asks whether it runs, and needs not wait until it may have started.
 */
export async function connectEngine(
  target: EngineTarget = engineTarget(),
  options: { readonly refusedLimitMs?: number } = {},
): Promise<Engine> {
  const { refusedLimitMs = CONNECT_LIMIT_MS } = options;
  const connecting = Connection.connect({ ...target.connectionOptions, connectTimeout: CONNECT_LIMIT_MS });
  let connection: Connection;
  try {
    connection = await unlessRefused(target, refusedLimitMs, connecting);
  } catch (cause) {
    // It may come after all, and nobody waits for it.
    connecting.then((late) => late.close()).catch(() => undefined);
    if (cause instanceof HoldfastError) throw cause;
    throw new HoldfastError(
      'EngineUnreachable',
      `the Temporal server at ${target.address} (${target.from}) does not answer`,
      { cause, details: { address: target.address, from: target.from } },
    );
  }
  // What the engine writes down of who asked and who approved.
  const identity = `${OWN_CLIENT}:${userHere()}@${hostname()}`;
  const client = new Client({ connection, namespace: target.namespace, identity });
  const close = (): Promise<void> => connection.close();
  return { client, connection, target, close, [Symbol.asyncDispose]: close };
}

function userHere(): string {
  const { SUDO_USER: sudoer } = process.env;
  if (sudoer !== undefined) return sudoer;
  try {
    return userInfo().username;
  } catch {
    // In a container a process may run under a number that has no name there.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
