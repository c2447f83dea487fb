/** An emulator of AWS for tests: moto on a free loopback port. It enforces neither policies nor all of a lock. */
import { access, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory } from '../../src/system/cache.ts';
import type { StoreAddress } from '../../src/system/types.ts';
import { startServerProcess } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

const VERSION = '5.2.5';

export interface Moto extends ServerProcess {
  /** `http://127.0.0.1:…` */
  readonly url: string;
}

/** Throws with the next step when it is not installed. */
export async function startMoto(): Promise<Moto> {
  const python = process.env['HOLDFAST_MOTO'] ?? join(cacheDirectory(), 'tools', `moto-${VERSION}`, 'python');
  await access(python).catch(() => {
    throw new Error(`The emulator of AWS (moto ${VERSION}) was not found. Run \`npm run setup -- test\` to get it.`);
  });
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-moto-'));
  const urlOf = (port: number): string => `http://127.0.0.1:${port}`;
  const server = await startServerProcess({
    program: python,
    directory,
    // Files of a person's own command line must not reach it.
    env: { HOME: directory },
    args: (port) => [
      '-c',
      'import sys; from moto.server import main; main(sys.argv[1:])',
      '-H',
      '127.0.0.1',
      '-p',
      `${port}`,
    ],
    answers: (port) => answers(urlOf(port)),
  });
  return { ...server, url: urlOf(server.port) };
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
