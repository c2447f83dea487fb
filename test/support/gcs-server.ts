/** A server of Google Cloud Storage's interface for tests, on a free loopback port, with one empty bucket in memory. */
import { access, constants, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { StoreAddress } from '../../src/system/types.ts';
import { startServerProcess } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

const VERSION = '1.56.1';

export interface GcsServer extends ServerProcess {
  /** `http://127.0.0.1:…` */
  readonly url: string;
  readonly bucket: string;
}

/** `seed`: objects that are there from the start, below a directory. Throws with the next step when the program is missing. */
export async function startGcsServer(
  options: { versioning?: boolean; seed?: { directory: string; names: readonly string[] } } = {},
): Promise<GcsServer> {
  const program = await findFakeGcs();
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-gcs-'));
  const seeds = join(directory, 'seeds');
  if (options.seed !== undefined) {
    const { directory: below, names } = options.seed;
    await mkdir(join(seeds, 'vaults', below), { recursive: true });
    await Promise.all(names.map((name) => writeFile(join(seeds, 'vaults', below, name), name)));
  }
  const server = await startServerProcess({
    program,
    directory,
    args: (port) => {
      const url = `127.0.0.1:${port}`;
      const data = options.seed === undefined ? [] : ['-data', seeds];
      const where = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-public-host', url];
      return [...where, '-external-url', `http://${url}`, '-backend', 'memory', '-log-level', 'error', ...data];
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  const answer = await fetch(`${url}/storage/v1/b?project=test`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'vaults', versioning: { enabled: options.versioning ?? false } }),
  });
  // A bucket of seeds is there already.
  if (!answer.ok && answer.status !== 409)
    throw new Error(`the bucket could not be made: ${answer.status} ${await answer.text()}`);
  return { ...server, url, bucket: 'vaults' };
}

/** How a system file would name a store on this server; `endpoint` may be a proxy's. */
export function gcsStoreConfig(
  server: Pick<GcsServer, 'url' | 'bucket'>,
  options: { prefix: string; endpoint?: string },
): Extract<StoreAddress, { kind: 'gcs' }> {
  const { prefix, endpoint = server.url } = options;
  return { name: 'gcs', kind: 'gcs', bucket: server.bucket, prefix, endpoint };
}

/** The program by HOLDFAST_FAKE_GCS, PATH or the cache of the set-up. */
async function findFakeGcs(): Promise<string> {
  const explicit = process.env['HOLDFAST_FAKE_GCS'];
  const cache = process.env['HOLDFAST_CACHE'] ?? join(homedir(), '.cache', 'holdfast');
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'fake-gcs-server'));
  const cached = join(cache, 'tools', `fake-gcs-server-${VERSION}`, 'fake-gcs-server');
  for (const candidate of explicit === undefined ? [...onPath, cached] : [explicit]) {
    const executable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return candidate;
  }
  throw new Error(`The server for tests (fake-gcs-server ${VERSION}) was not found. Run \`npm run setup -- test\`.`);
}
