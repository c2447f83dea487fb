/** Rows put back as a person does it: by the command line, or by a workflow whose first preview is approved. */
import type { RowsPlan, RowsResult } from '../../src/workflows/contract.ts';
import { waitingFor } from '../workflows/play.ts';
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
