/** The workflow code as one bundle, made once for each content: bundling costs seconds, a file costs nothing. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { cacheDirectory } from '../system/cache.ts';
import { sdkLogger } from './sdk-runtime.ts';

const SOURCE = path.resolve(import.meta.dirname, '..');
const LOCK_FILE = path.resolve(SOURCE, '..', 'package-lock.json');
/** What workflow code can contain: the rooms it may import, and the single files beside them. */
const ROOMS = ['workflows', 'policy', 'system', 'observe'];
const BUNDLES_KEPT = 5;

async function typescriptFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true }).catch(() => []);
  return entries.filter((entry) => entry.endsWith('.ts')).map((entry) => path.join(directory, entry));
}

async function contentHash(): Promise<string> {
  const single = (await readdir(SOURCE)).filter((entry) => entry.endsWith('.ts'));
  const rooms = await Promise.all(ROOMS.map((room) => typescriptFiles(path.join(SOURCE, room))));
  const files = [...single.map((entry) => path.join(SOURCE, entry)), ...rooms.flat(), LOCK_FILE].sort();
  const hash = createHash('sha256');
  for (const file of files) {
    const content = await readFile(file);
    hash.update(`${path.relative(SOURCE, file)} ${content.length}\n`).update(content);
  }
  return hash.digest('hex').slice(0, 32);
}

async function forgetOld(directory: string): Promise<void> {
  const bundles = (await readdir(directory)).filter((entry) => entry.endsWith('.js'));
  const aged = await Promise.all(
    bundles.map(async (entry) => {
      const file = path.join(directory, entry);
      const facts = await stat(file).catch(() => undefined);
      return { file, usedAtMs: facts?.mtimeMs ?? 0 };
    }),
  );
  const old = aged.sort((one, other) => other.usedAtMs - one.usedAtMs).slice(BUNDLES_KEPT);
  await Promise.all(old.map(({ file }) => rm(file, { force: true })));
}

/**
 * Returns the file for `Worker.create({ workflowBundle })`. Two processes at once may both make it; each puts a
 * complete file in place by one rename.
 */
export async function workflowBundle(): Promise<{ codePath: string }> {
  const directory = path.join(cacheDirectory(), 'bundles');
  const codePath = path.join(directory, `${await contentHash()}.js`);
  const now = new Date();
  try {
    await utimes(codePath, now, now);
    return { codePath };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(SOURCE, 'workflows', 'index.ts'),
    logger: sdkLogger(),
  });
  await mkdir(directory, { recursive: true });
  const scratch = `${codePath}.${process.pid}`;
  await writeFile(scratch, code);
  await rename(scratch, codePath);
  await forgetOld(directory);
  return { codePath };
}
