/**
 * Prometheus and Alertmanager of Debian 12, for the tests of metrics and alert rules: their packages are unpacked into a
 * directory of their own, so that neither runs as a service. The programs need nothing but the C library.
 */
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { cached, toolPath } from './cache.ts';
import { unpackDebian } from './debian.ts';
import { doing, say } from './say.ts';

/** Debian's mirrors keep the newest fix of a release only, so none is pinned further. */
const TOOL = { name: 'prometheus', version: '2.42', program: 'prometheus' } as const;
const PROGRAMS = ['prometheus', 'promtool', 'prometheus-alertmanager', 'amtool'];

/**
 * Returns the directory of the programs, made when the cache lacks it (45 MB to download, seconds); undefined, with the
 * reason said, where it can't be had: then the tests that need them are skipped, and fail where CI is set.
 */
export async function prometheus(): Promise<string | undefined> {
  try {
    return path.dirname(await cached(TOOL, make));
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    say(`Prometheus is not there (${reason ?? ''}): tests of alert rules are skipped.`);
    return undefined;
  }
}

/** What a set-up made, for tests that are started without one. */
export function prometheusHere(): string | undefined {
  const program = toolPath(TOOL);
  return existsSync(program) ? path.dirname(program) : undefined;
}

async function make(directory: string): Promise<void> {
  await doing('Fetching Prometheus and Alertmanager from Debian 12, for tests', () =>
    unpackDebian({ release: 'bookworm', packages: ['prometheus', 'prometheus-alertmanager'] }, directory),
  );
  for (const name of ['etc', 'lib', 'usr/lib', 'usr/share', 'var']) {
    rmSync(path.join(directory, name), { recursive: true, force: true });
  }
  for (const name of PROGRAMS) symlinkSync(path.join('usr/bin', name), path.join(directory, name));
}
