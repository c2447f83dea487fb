/**
 * Data directories for tests. `initdb` takes seconds, a copy of what it made takes none: one template is kept in the
 * cache of the set-up, and each copy gets a system identifier of its own, as no two clusters share one.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../../src/system/cache.ts';
import { assertTraversable, runAsServer, serverAccount } from './account.ts';

const run = promisify(execFile);
const TEMPLATE_VERSION = 1;

/** Of the role `postgres` in every cluster made here; hard on every kind of quoting on purpose. */
export const SUPERUSER_PASSWORD = `colon:back\\slash 'single' "double" %20 $HOME #ä`;

/** A directory for one server, owned by the server's account; `parent` must be one that everybody may pass through. */
export async function serverDirectory(parent = tmpdir()): Promise<string> {
  const base = await mkdtemp(join(parent, 'holdfast-pg-'));
  await chmod(base, 0o755);
  await giveToServer(base);
  assertTraversable(base);
  return base;
}

/** A new cluster at `data`: data checksums, UTF-8, locale C.UTF-8, no sync, a system identifier of its own. */
export async function newCluster(bin: string, data: string, walSegmentMiB: number): Promise<void> {
  await run('cp', ['-a', '--reflink=auto', await template(bin), data]);
  const account = serverAccount();
  if (account !== undefined) await run('chown', ['-R', `${account.uid}:${account.gid}`, data]);
  await setSystemIdentifier(data, randomBytes(8).readBigUInt64LE() >> 1n);
  // Writes the first segment of the log anew, with the identifier.
  await runAsServer(join(bin, 'pg_resetwal'), ['--force', `--wal-segsize=${walSegmentMiB}`, '-D', data]);
}

async function template(bin: string): Promise<string> {
  const version = await runAsServer(join(bin, 'initdb'), ['--version']);
  const key = version
    .replace(/[^0-9.]+/g, ' ')
    .trim()
    .split(' ')
    .join('-');
  const place = join(cacheDirectory(), 'postgres', `template-${TEMPLATE_VERSION}-${key}`);
  if (existsSync(place)) return place;
  const base = await serverDirectory();
  const staged = `${place}.${randomBytes(4).toString('hex')}`;
  try {
    const passwordFile = join(base, 'password');
    await writeFile(passwordFile, SUPERUSER_PASSWORD, { mode: 0o600 });
    await giveToServer(passwordFile);
    const locale = ['--encoding=UTF8', '--locale=C.UTF-8'];
    const args = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=trust', '--data-checksums', '--no-sync'];
    await runAsServer(join(bin, 'initdb'), [...args, ...locale, '-D', join(base, 'data')]);
    await mkdir(join(cacheDirectory(), 'postgres'), { recursive: true });
    await cp(join(base, 'data'), staged, { recursive: true, preserveTimestamps: true });
    await rename(staged, place).catch((error: unknown) => {
      // Somebody else was quicker; theirs is as good.
      if (!existsSync(place)) throw error;
    });
    return place;
  } finally {
    await rm(base, { recursive: true, force: true });
    await rm(staged, { recursive: true, force: true });
  }
}

/** Owner, when root; a no-op otherwise. */
export async function giveToServer(path: string): Promise<void> {
  const account = serverAccount();
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

/**
 * The first eight bytes of pg_control, and its checksum: a CRC-32C of everything before it, whose place depends on the
 * version and is found by looking where one fits (src/include/catalog/pg_control.h).
 */
async function setSystemIdentifier(data: string, identifier: bigint): Promise<void> {
  const path = join(data, 'global/pg_control');
  const content = await readFile(path);
  const end = checksumPlace(content);
  content.writeBigUInt64LE(identifier, 0);
  content.writeUInt32LE(crc32c(content.subarray(0, end)), end);
  const file = await open(path, 'r+');
  try {
    await file.write(content, 0, content.length, 0);
  } finally {
    await file.close();
  }
}

function checksumPlace(content: Buffer): number {
  for (let end = 200; end < 512; end += 4) {
    if (content.readUInt32LE(end) === crc32c(content.subarray(0, end))) return end;
  }
  throw new Error('The checksum of pg_control was not found; is this version known?');
}

/** CRC-32C (Castagnoli), RFC 3720 appendix B.4. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Whether a directory looks like a cluster's. */
export async function isCluster(data: string): Promise<boolean> {
  return (await stat(join(data, 'PG_VERSION')).catch(() => undefined)) !== undefined;
}
