/**
 * A lock for one host that the kernel frees when its holder dies, however it dies: a name in Linux' abstract socket
 * namespace, which only one process can have bound. See docs/decisions/freezes.md.
 */
import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { HoldfastError } from '../failures.ts';

export interface HostLock extends AsyncDisposable {
  /** Frees the name; a repeat does nothing. */
  release(): Promise<void>;
}

/** Names may be any text; the same text is the same lock for every process of this network namespace. */
export function lockAddress(name: string): string {
  return `\0holdfast/${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}

/** Binds the lock's name. Undefined when another process, or another caller in this one, has it. */
export async function bindLock(name: string, onConnection: (socket: Socket) => void): Promise<Server | undefined> {
  if (process.platform !== 'linux') {
    throw new HoldfastError('BadInput', `Captures and freezes need Linux; this host runs ${process.platform}`);
  }
  const server = createServer(onConnection);
  return await new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(lockAddress(name), () => {
      resolve(server);
    });
  });
}

/**
 * Takes the lock or throws HostBusy at once, naming the process that holds it; Temporal's retry is the waiting. The
 * lock does not keep the process alive by itself.
 */
export async function hostLock(name: string, signal?: AbortSignal): Promise<HostLock> {
  signal?.throwIfAborted();
  const since = new Date().toISOString();
  const server = await bindLock(name, (socket) => {
    // Whoever asks may be gone before the answer is written.
    socket.on('error', () => undefined);
    socket.end(`process ${process.pid} since ${since}`);
  });
  if (server === undefined) {
    const holder = await askHolder(name);
    throw new HoldfastError('HostBusy', `${name} is held by ${holder}`);
  }
  server.unref();
  let released: Promise<void> | undefined;
  const release = (): Promise<void> => {
    released ??= new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    return released;
  };
  if (signal?.aborted === true) {
    await release();
    signal.throwIfAborted();
  }
  return { release, [Symbol.asyncDispose]: release };
}

const PATIENCE_MS = 60_000;
const POLL_MS = 250;

/** The same for what is held for moments only: waits a minute for it, then throws HostBusy. */
export async function patientHostLock(name: string, signal?: AbortSignal): Promise<HostLock> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await hostLock(name, signal);
    } catch (error) {
      const busy = error instanceof HoldfastError && error.code === 'HostBusy';
      if (!busy || performance.now() > end) throw error;
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

function askHolder(name: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(lockAddress(name));
    let said = '';
    const finish = (): void => {
      socket.destroy();
      resolve(said === '' ? 'another process' : said);
    };
    socket.setTimeout(2000, finish);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      said += text.slice(0, 200);
    });
    socket.on('end', finish);
    socket.on('error', finish);
  });
}
