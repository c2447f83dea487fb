/** The archives that Temporal's SDKs fetch their servers from: an address is asked for, then one file is unpacked. */
import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { run } from './run.ts';

const INFO_LIMIT_MS = 10_000;
const ARCHIVE_LIMIT_MS = 10 * 60_000;

interface ArchiveInfo {
  readonly archiveUrl: string;
  readonly fileToExtract: string;
}

function isArchiveInfo(value: unknown): value is ArchiveInfo {
  return (
    typeof value === 'object' &&
    value !== null &&
    'archiveUrl' in value &&
    typeof value.archiveUrl === 'string' &&
    'fileToExtract' in value &&
    typeof value.fileToExtract === 'string'
  );
}

async function archiveInfo(product: 'cli' | 'temporal-test-server', version: string): Promise<ArchiveInfo> {
  const query = new URLSearchParams({
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    platform: process.platform,
    format: 'tar.gz',
    'sdk-name': 'sdk-typescript',
  });
  const address = `https://temporal.download/${product}/v${version}?${query.toString()}`;
  const answer = await fetch(address, { signal: AbortSignal.timeout(INFO_LIMIT_MS) });
  if (!answer.ok) throw new Error(`${address} answers ${answer.status}`);
  const info: unknown = await answer.json();
  if (!isArchiveInfo(info)) throw new Error(`${address} answers something else than the place of an archive`);
  return info;
}

/** Fetches the program and writes it to `target`, executable. Throws when the network or the answer is not there. */
export async function downloadServer(
  product: 'cli' | 'temporal-test-server',
  version: string,
  target: string,
): Promise<void> {
  const { archiveUrl, fileToExtract } = await archiveInfo(product, version);
  const scratch = await mkdtemp(`${target}.download-`);
  try {
    const answer = await fetch(archiveUrl, { signal: AbortSignal.timeout(ARCHIVE_LIMIT_MS) });
    if (!answer.ok || answer.body === null) throw new Error(`${archiveUrl} answers ${answer.status}`);
    const archive = path.join(scratch, 'archive.tar.gz');
    await pipeline(Readable.fromWeb(answer.body), createWriteStream(archive));
    await run('tar', ['-xzf', archive, '-C', scratch, fileToExtract]);
    await chmod(path.join(scratch, fileToExtract), 0o755);
    await rename(path.join(scratch, fileToExtract), target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
