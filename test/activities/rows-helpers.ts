/** Rows put back as a person does it: by the command line, or by a workflow whose first preview is approved. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { RowsPlan, RowsResult } from '../../src/workflows/contract.ts';
import { waitingFor } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import type { Site } from './site.ts';

export interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command printed as JSON, whatever its exit code. */
export async function jsonOf<T>(site: Site, ...args: string[]): Promise<T> {
  const stdout = await site.holdfast(...args, '--json').catch((error: unknown) => {
    const { stdout: said, stderr } = error as Said;
    if (said === '') throw new Error(stderr);
    return said;
  });
  return JSON.parse(stdout) as T;
}

/** Resolves when the preview is there and waits for a person. */
export async function previewedRows(site: Site, input: object) {
  const handle = await site.start('restoreRows', input);
  await waitingFor(handle, 'approval');
  return { handle, plan: await handle.query<RowsPlan>('plan') };
}

export async function approvedRows(site: Site, input: object): Promise<{ plan: RowsPlan; result: RowsResult }> {
  const { handle, plan } = await previewedRows(site, input);
  await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
  return { plan, result: (await handle.result()) as RowsResult };
}

/**
 * Approved while somebody else holds what is to be written, the worker killed when it is about to write, and a new one
 * started when what was held is let go.
 */
export async function killedBeforeWriting(
  site: Site,
  { handle, plan }: Awaited<ReturnType<typeof previewedRows>>,
  letGo: () => Promise<void> | void,
): Promise<unknown> {
  await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
  const intent = path.join(path.dirname(plan.keysFile), 'intent');
  await eventually('it is about to write', () =>
    stat(intent).then(
      () => true,
      () => undefined,
    ),
  );
  const [, host] = site.workers();
  if (host === undefined) throw new Error('there is no host worker');
  await site.kill(host);
  await letGo();
  await site.startWorker('host');
  await site.giveBack(host, handle);
  return handle.result();
}
