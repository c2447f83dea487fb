/** How long a ledger stands still for a backup: the sample stack in Docker, under load, with a ledger of the same size. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import { startSampleStack, stopSampleStack } from '../../sample/stack/stack.ts';
import { sampleSystemFile } from '../../sample/stack/system-file.ts';
import type { BackupResult } from '../../src/workflows/contract.ts';
import { dockerAnswers } from '../setup/docker.ts';

const BACKUPS = 3;
const SYSTEM = 'bench-freeze';

export interface Freeze {
  readonly what: string;
  readonly milliseconds: number;
}

/** Nothing where no Docker engine answers. */
export async function measureFreezes(options: {
  readonly scratch: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly ledgerMiB: number;
  readonly say: (text: string) => void;
}): Promise<readonly Freeze[]> {
  if (!(await dockerAnswers())) return [];
  const directory = join(options.scratch, 'freezes');
  const storePath = join(directory, 'store');
  const home = join(directory, 'home');
  for (const each of [storePath, home]) await mkdir(each, { recursive: true });
  const { ledgerMiB } = options;
  const docker = new Docker();
  options.say(`freeze of a ledger of ${ledgerMiB} MiB in Docker`);
  const stack = await startSampleStack({
    docker,
    directory: join(directory, 'stack'),
    ledgerMiB,
    transfersPerSecond: 200,
    say: options.say,
  });
  try {
    const file = join(directory, 'system.yaml');
    await writeFile(file, sampleSystemFile(stack, { storePath, system: SYSTEM }));
    const holdfast = new Holdfast(home, options.environment);
    const init = await holdfast.run('init', file);
    if (init.code !== 0) throw new Error(`holdfast init: ${init.stderr}`);
    const up = await holdfast.up('--no-ui', '--no-page', '--port', '0');
    try {
      const freezes: Freeze[] = [];
      for (let at = 1; at <= BACKUPS; at += 1) {
        const { downtimeMs = 0 } = await holdfast.ask<BackupResult>('backup', SYSTEM, 'hourly');
        const what = `backup ${at} of a ledger of ${ledgerMiB} MiB under 200 transfers a second, paused`;
        freezes.push({ what, milliseconds: downtimeMs });
      }
      return freezes;
    } finally {
      await up.stop();
    }
  } finally {
    await stopSampleStack(stack);
    await rm(directory, { recursive: true, force: true });
  }
}
