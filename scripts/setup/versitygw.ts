/** The S3 server that the tests of stores run against. */
import path from 'node:path';
import { cached } from './cache.ts';
import { goBuild } from './go-build.ts';
import { VERSIONS } from './versions.ts';

/** Returns the path of the pinned versitygw, built when the cache lacks it. */
export async function versitygw(): Promise<string> {
  return cached({ name: 'versitygw', version: VERSIONS.versitygw, program: 'versitygw' }, (directory) =>
    goBuild({
      module: 'versitygw',
      pkg: 'github.com/versity/versitygw/cmd/versitygw',
      target: path.join(directory, 'versitygw'),
      otherwise: 'Install Go (https://go.dev/dl) and run this again.',
    }),
  );
}
