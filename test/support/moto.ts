/** An emulator of AWS for tests: moto on a free loopback port. It enforces neither policies nor all of a lock. */
import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { cacheDirectory } from '../../src/system/cache.ts';
import { join } from 'node:path';
import type { StoreAddress } from '../../src/system/types.ts';

const VERSION = '5.2.5';
const START_LIMIT_MS = 120_000;

export interface Moto {
  readonly url: string;
  stop(): Promise<void>;
}

/** Throws with the next step when it is not installed. Ends by itself when this process does. */
export async function startMoto(): Promise<Moto> {
  const python = process.env['HOLDFAST_MOTO'] ?? join(cacheDirectory(), 'tools', `moto-${VERSION}`, 'python');
  await access(python).catch(() => {
    throw new Error(`The emulator of AWS (moto ${VERSION}) was not found. Run \`npm run setup -- test\` to get it.`);
  });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  // The pipe closes when this process ends, however it ends.
  const program = `import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', '${port}'])`;
  const child = spawn(python, ['-c', program], { stdio: ['pipe', 'ignore', 'pipe'] });
  const log: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = Date.now() + START_LIMIT_MS;
  while (!(await answers(url))) {
    if (child.exitCode !== null || Date.now() > end) {
      child.kill('SIGKILL');
      throw new Error(`moto did not start: ${log.join('').slice(-2000)}`);
    }
    await delay(50);
  }
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { url, stop };
}

export function motoStoreConfig(
  moto: Moto,
  more: { bucket: string; prefix: string; storageClass?: string },
): Extract<StoreAddress, { kind: 's3' }> {
  return {
    name: 'aws',
    kind: 's3',
    region: 'us-east-1',
    endpoint: moto.url,
    pathStyle: true,
    accessKeyId: { env: 'S3_ACCESS_KEY' },
    secretAccessKey: { env: 'S3_SECRET_KEY' },
    ...more,
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
