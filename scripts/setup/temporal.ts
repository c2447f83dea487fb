/** The Temporal server: found (explicit path, PATH, cache), else downloaded, else built. */
import path from 'node:path';
import {
  findTemporal,
  serverVersionOf,
  TEMPORAL_CLI_VERSION,
  TEMPORAL_SERVER_VERSION,
} from '../../src/engine/tools.ts';
import { cached } from './cache.ts';
import { downloadServer } from './download.ts';
import { goBuild } from './go-build.ts';
import { doing, say } from './say.ts';

async function check(binary: string): Promise<void> {
  const version = await serverVersionOf(binary);
  if (version === TEMPORAL_SERVER_VERSION) return;
  throw new Error(`${binary} contains server ${version ?? 'of no version'} instead of ${TEMPORAL_SERVER_VERSION}`);
}

async function make(directory: string): Promise<void> {
  const target = path.join(directory, 'temporal');
  try {
    await doing(`Downloading the Temporal server ${TEMPORAL_CLI_VERSION}`, async () => {
      await downloadServer('cli', TEMPORAL_CLI_VERSION, target);
      await check(target);
    });
    return;
  } catch (error) {
    say(`  not downloaded: ${error instanceof Error ? error.message : String(error)}`);
  }
  await goBuild({
    module: 'temporal',
    pkg: 'github.com/temporalio/cli/cmd/temporal',
    target,
    ldflags: `-X github.com/temporalio/cli/temporalcli.Version=${TEMPORAL_CLI_VERSION}`,
    otherwise: `Install Go, or put the Temporal CLI ${TEMPORAL_CLI_VERSION} on PATH, or set HOLDFAST_TEMPORAL to it.`,
  });
  await check(target);
}

/** Returns the path of a server binary of the pinned version. */
export async function temporalServer(): Promise<string> {
  const found = await findTemporal();
  if (found !== undefined) return found.path;
  return cached({ name: 'temporal', version: TEMPORAL_CLI_VERSION, program: 'temporal' }, make);
}
