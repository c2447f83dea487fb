/** Judges data that was captured or restored, by what its owner says of it. */
import { basename, join } from 'node:path';

import type { ComponentCheck } from '../../system/types.ts';
import type { CheckReport, KindContext } from '../kinds/component.ts';
import { checkByCommand } from './command.ts';
import { checkLedger } from './ledger.ts';
import { line, reportOf } from './report.ts';
import { copyTo, fileInside, scratchDirectory } from './scratch.ts';
import { checkTigerBeetle, DEFAULT_LIMITS } from './tigerbeetle.ts';
import { binaryRunner, imageRunner } from './tigerbeetle-runner.ts';

/**
 * `directory` holds the data and is only read: what a check changes is a scratch copy. `isScratch` says that the
 * directory is one already. Verdicts are in the report; only what prevents a verdict throws.
 */
export async function checkData(
  check: ComponentCheck,
  directory: string,
  context: KindContext,
  isScratch = false,
): Promise<CheckReport> {
  switch (check.kind) {
    case 'ledger':
      return reportOf(await checkLedger(await fileInside(directory, check.file), check.image, context));
    case 'tigerbeetle':
      return await withTigerBeetle(check, directory, context, isScratch);
    case 'command': {
      if (isScratch) return reportOf(await checkByCommand(check, directory, context.signal));
      await using scratch = await scratchDirectory(context.stateDirectory);
      const copy = join(scratch.path, 'copy');
      await copyTo(directory, copy, context.signal);
      return reportOf(await checkByCommand(check, copy, context.signal));
    }
  }
}

async function withTigerBeetle(
  check: Extract<ComponentCheck, { kind: 'tigerbeetle' }>,
  directory: string,
  context: KindContext,
  isScratch: boolean,
): Promise<CheckReport> {
  if (check.binary === undefined && check.image === undefined) {
    const why = 'neither a binary nor an image of its release is configured, so nothing is known of it';
    return reportOf([line('tigerbeetle', false, why)]);
  }
  const source = await fileInside(directory, check.file);
  await using scratch = await scratchDirectory(context.stateDirectory);
  let file = source;
  if (!isScratch) {
    file = join(scratch.path, basename(source));
    await copyTo(source, file, context.signal);
  }
  const runner =
    check.binary !== undefined
      ? binaryRunner(check.binary, file, context.signal)
      : imageRunner(context.docker(), check.image ?? '', file, context.signal);
  return reportOf(await checkTigerBeetle(runner, file, { ...DEFAULT_LIMITS, signal: context.signal }));
}
