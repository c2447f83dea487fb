/** What `--keep` has left up, written down so that `--stop` ends exactly that. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Docker from 'dockerode';
import { stopUp } from '../../sample/stack/holdfast.ts';
import { argumentsOf } from '../../sample/stack/processes.ts';
import { stopSampleStack } from '../../sample/stack/stack.ts';
import { cacheDirectory } from '../../src/system/cache.ts';

export interface Kept {
  readonly directory: string;
  readonly project: string;
  readonly upPid: number;
}

const file = (): string => join(cacheDirectory(), 'demo.json');

export async function keep(kept: Kept): Promise<void> {
  await mkdir(dirname(file()), { recursive: true });
  await writeFile(file(), `${JSON.stringify(kept)}\n`);
}

/** 0 when nothing is left. */
export async function stopKept(): Promise<number> {
  if (!existsSync(file())) {
    console.log('Nothing was left up.');
    return 0;
  }
  const kept = JSON.parse(await readFile(file(), 'utf8')) as Kept;
  // A process number may belong to another program by now.
  if (argumentsOf(kept.upPid).includes('up')) await stopUp(kept.upPid);
  const directory = join(kept.directory, 'stack');
  await stopSampleStack({ docker: new Docker(), project: kept.project, directory });
  await rm(kept.directory, { recursive: true, force: true });
  await rm(file());
  console.log('Ended, and removed.');
  return 0;
}
