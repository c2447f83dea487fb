/** A real S3 server for tests: versitygw on a free loopback port, over a directory that is removed at the end. */
import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { cacheDirectory } from '../../src/system/cache.ts';
import type { SecretRef, StoreAddress } from '../../src/system/types.ts';
import { startServerProcess } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

const VERSION = '1.8.0';

export const S3_ACCESS_KEY = 'holdfast-test';
export const S3_SECRET_KEY = 'holdfast-test-secret';
export const S3_REGION = 'us-east-1';

export interface S3Server extends ServerProcess {
  /** `http://127.0.0.1:…` */
  readonly url: string;
  readonly bucket: string;
  /** The directory that holds the bucket's objects as files, for tests that damage them. */
  readonly bucketPath: string;
}

export interface S3ServerOptions {
  /** Connections stay open between requests, as every service keeps them; a proxy in front has it easier without. */
  readonly keepAlive?: boolean;
  /** Buckets can keep versions and lock objects; `bucket` is made without either. */
  readonly versions?: boolean;
  /** Accounts beside the first one, which may do everything; what they may do is for bucket policies to say. */
  readonly users?: readonly S3User[];
}

export interface S3User {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface TlsFiles {
  /** Absolute paths of PEM files; the certificate must be for 127.0.0.1. */
  readonly cert: string;
  readonly key: string;
}

/**
 * Starts the server with one empty bucket, with TLS when a certificate is given. Throws with the next step when its
 * program is missing.
 */
export async function startS3Server(tls?: TlsFiles, options: S3ServerOptions = {}): Promise<S3Server> {
  const program = await findVersitygw();
  const base = await mkdtemp(join(tmpdir(), 'holdfast-s3-'));
  const bucketPath = join(base, 'data', 'vaults');
  await mkdir(bucketPath, { recursive: true });
  for (const name of ['metadata', 'versions', 'accounts']) await mkdir(join(base, name));
  if (options.users !== undefined) await writeFile(join(base, 'accounts', 'users.json'), accountsFile(options.users));
  const scheme = tls === undefined ? 'http' : 'https';
  const ca = tls === undefined ? undefined : await readFile(tls.cert);
  // A name that nobody else answers for.
  const health = `/health-${randomUUID()}`;
  const server = await startServerProcess({
    program,
    directory: base,
    env: { ROOT_ACCESS_KEY: S3_ACCESS_KEY, ROOT_SECRET_KEY: S3_SECRET_KEY },
    args: (port) => versitygwArguments({ base, tls, options, health }, port),
    answers: async (port) => (await statusOf(`${scheme}://127.0.0.1:${port}${health}`, ca)) === 200,
  });
  return { ...server, url: `${scheme}://127.0.0.1:${server.port}`, bucket: 'vaults', bucketPath };
}

/** How a system file would name a store on this server; `endpoint` may be a proxy's. */
export function s3StoreConfig(
  server: Pick<S3Server, 'url' | 'bucket'>,
  options: { name?: string; prefix: string; endpoint?: string },
): Extract<StoreAddress, { kind: 's3' }> {
  return {
    name: options.name ?? 's3',
    kind: 's3',
    bucket: server.bucket,
    prefix: options.prefix,
    region: S3_REGION,
    endpoint: options.endpoint ?? server.url,
    pathStyle: true,
    accessKeyId: { env: 'S3_ACCESS_KEY' },
    secretAccessKey: { env: 'S3_SECRET_KEY' },
  };
}

/** Resolves the secrets that `s3StoreConfig` names, and nothing else. */
export function resolveS3Secret(ref: SecretRef): Promise<string> {
  const known: Readonly<Record<string, string>> = { S3_ACCESS_KEY, S3_SECRET_KEY };
  const value = 'env' in ref ? known[ref.env] : undefined;
  return value === undefined ? Promise.reject(new Error('no such secret here')) : Promise.resolve(value);
}

/** The program by HOLDFAST_VERSITYGW, PATH or the cache of the set-up. */
async function findVersitygw(): Promise<string> {
  const explicit = process.env['HOLDFAST_VERSITYGW'];
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'versitygw'));
  const cached = join(cacheDirectory(), 'tools', `versitygw-${VERSION}`, 'versitygw');
  const candidates = explicit === undefined ? [...onPath, cached] : [explicit];
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate;
  }
  throw new Error(
    `The S3 server for tests (versitygw ${VERSION}) was not found. Run \`npm run setup -- test\` to get it.`,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface Launch {
  readonly base: string;
  readonly tls: TlsFiles | undefined;
  readonly options: S3ServerOptions;
  /** The path that it answers with 200 for. */
  readonly health: string;
}

/** The file of versitygw's internal accounts. */
function accountsFile(users: readonly S3User[]): string {
  const accounts = users.map(({ accessKey, secretKey }) => [
    accessKey,
    { access: accessKey, secret: secretKey, role: 'user', userID: 0, groupID: 0, projectID: 0 },
  ]);
  return JSON.stringify({ accessAccounts: Object.fromEntries(accounts) as unknown });
}

function versitygwArguments({ base, tls, options: wanted, health }: Launch, port: number): string[] {
  const options = ['--port', `127.0.0.1:${port}`, '--region', S3_REGION, '--health', health, '--quiet'];
  if (tls !== undefined) options.push('--cert', tls.cert, '--key', tls.key);
  if (wanted.keepAlive === true) options.push('--keep-alive');
  if (wanted.users !== undefined) options.push('--iam-dir', join(base, 'accounts'));
  // Beside the objects a delete mark outlives the last version of a key: versions keep what they say in attributes.
  const kept =
    wanted.versions === true ? ['--versioning-dir', join(base, 'versions')] : ['--sidecar', join(base, 'metadata')];
  return [...options, 'posix', ...kept, join(base, 'data')];
}

/** Undefined while nothing listens. */
function statusOf(url: string, ca: Buffer | undefined): Promise<number | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: 5_000, agent: false } as const;
    const seen = (answer: IncomingMessage) => {
      answer.resume();
      resolve(answer.statusCode);
    };
    const request = ca === undefined ? httpGet(url, options, seen) : httpsGet(url, { ...options, ca }, seen);
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
