/** Ports on loopback: the usual one, a free one, or exactly the one that was asked for. */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';

const LOOPBACK = '127.0.0.1';
const POLL_MS = 200;
/** A server that is just ending gives its port back within this time. */
const RELEASE_LIMIT_MS = 10_000;

/** Binds the port for a moment; returns the number, or undefined when something else has it. 0 means any. */
async function probe(port: number): Promise<number | undefined> {
  const server = createServer();
  const bound = await new Promise<number | undefined>((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : undefined);
    });
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return bound;
}

export async function freePort(): Promise<number> {
  const port = await probe(0);
  if (port === undefined) throw new HoldfastError('PortTaken', 'no port on loopback is free');
  return port;
}

/** The preferred port when it is free, else any. */
export async function preferPort(preferred: number): Promise<number> {
  return (await probe(preferred)) ?? (await freePort());
}

/** Waits while the port is just being released. Throws PortTaken when somebody keeps it. */
export async function requirePort(port: number, limitMs = RELEASE_LIMIT_MS): Promise<number> {
  const end = Date.now() + limitMs;
  for (;;) {
    if ((await probe(port)) !== undefined) return port;
    if (Date.now() >= end) {
      throw new HoldfastError('PortTaken', `port ${port} on ${LOOPBACK} is used by another program`, {
        details: { port },
      });
    }
    await sleep(POLL_MS);
  }
}
