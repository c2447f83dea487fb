/** The server of Google Cloud Storage's interface that the tests of stores run against. */
import path from 'node:path';
import { cached } from './cache.ts';
import { goBuild } from './go-build.ts';
import { VERSIONS } from './versions.ts';

/** Returns the path of the pinned fake-gcs-server, built when the cache lacks it. */
export async function fakeGcs(): Promise<string> {
  return cached({ name: 'fake-gcs-server', version: VERSIONS.fakeGcs, program: 'fake-gcs-server' }, (directory) =>
    goBuild({
      module: 'fake-gcs-server',
      pkg: 'github.com/fsouza/fake-gcs-server',
      target: path.join(directory, 'fake-gcs-server'),
      otherwise: 'Install Go (https://go.dev/dl) and run this again.',
    }),
  );
}
