/** The emulator of AWS for what no S3 server has: lifecycle, encryption, public access, replication, archive classes. */
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cached } from './cache.ts';
import { findProgram, run, withRetries } from './run.ts';
import { doing, SetupError } from './say.ts';
import { VERSIONS } from './versions.ts';

const PACKAGES = path.join(import.meta.dirname, 'python', 'moto.txt');
/** Found by its own place, so that the environment works from whatever directory it is moved to. */
const PYTHON = '#!/bin/sh\nexec "$(dirname "$0")/environment/bin/python3" "$@"\n';

/** Returns a Python that has the pinned moto, in an environment made when the cache lacks it. */
export async function moto(): Promise<string> {
  return cached({ name: 'moto', version: VERSIONS.moto, program: 'python' }, async (directory) => {
    const python = findProgram('python3');
    if (python === undefined) {
      throw new SetupError('moto is a Python program, and there is no python3. Install Python 3.11 or newer.');
    }
    const environment = path.join(directory, 'environment');
    await doing('Installing moto, an emulator of AWS, with pip', async () => {
      await run(python, ['-m', 'venv', environment]);
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', PACKAGES];
      await withRetries('pip install', () => run(path.join(environment, 'bin', 'python3'), pip));
    });
    writeFileSync(path.join(directory, 'python'), PYTHON);
    chmodSync(path.join(directory, 'python'), 0o755);
  });
}
