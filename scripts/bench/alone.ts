/**
 * One capture, restore or verification as a program of its own: what the host worker does, without Temporal.
 *   node scripts/bench/alone.ts backup SYSTEM | restore SYSTEM DIRECTORY | verify SYSTEM
 */
import { randomUUID } from 'node:crypto';
import { beginCapture, commitCapture } from '../../src/activities/capture.ts';
import { captureGroup } from '../../src/activities/capture-group.ts';
import { createHostContext } from '../../src/activities/host-context.ts';
import type { HostContext } from '../../src/activities/host-context.ts';
import { restoreBeside } from '../../src/activities/restore.ts';
import type { Run } from '../../src/activities/shell.ts';
import { findBackup, verifyBackup } from '../../src/activities/verify.ts';
import { log } from '../../src/observe/log.ts';

const HOST = 'local';
const STORE = 'vault';
const COMPONENT = 'data';

const run: Run = {
  signal: new AbortController().signal,
  report: () => undefined,
  attempt: 1,
  log: log('bench'),
};

async function backup(context: HostContext, system: string): Promise<void> {
  const captureId = randomUUID();
  const place = { system, store: STORE };
  const ticket = await beginCapture(context, { ...place, plan: 'all', captureId, startedAtMs: Date.now() }, run);
  const quiesce = { mode: 'none', budgetSeconds: 0 } as const;
  const group = { host: HOST, components: [COMPONENT], quiesce };
  const input = { ...place, ticket, group, freezeId: captureId, purpose: 'backup' } as const;
  const captured = await captureGroup(context, input, run);
  await commitCapture(context, { ...place, ticket, purpose: 'backup', ...captured });
}

async function restore(context: HostContext, system: string, target: string): Promise<void> {
  const { store, manifestKey } = await findBackup(context, { system, backup: 'latest' }, run);
  const restoreId = randomUUID();
  const input = { system, store, manifestKey, component: COMPONENT, paths: [], target, restoreId };
  await restoreBeside(context, input, run);
}

async function verify(context: HostContext, system: string): Promise<void> {
  const { store, manifestKey } = await findBackup(context, { system, backup: 'latest' }, run);
  const proof = await verifyBackup(context, { system, store, manifestKey, level: 'content' }, run);
  if (!proof.ok) throw new Error(`the backup is bad: ${JSON.stringify(proof.bad)}`);
}

async function main(what: string | undefined, system: string, target: string): Promise<void> {
  const context = createHostContext(HOST);
  try {
    if (what === 'backup') await backup(context, system);
    else if (what === 'restore') await restore(context, system, target);
    else if (what === 'verify') await verify(context, system);
    else throw new Error('usage: alone.ts backup SYSTEM | restore SYSTEM DIRECTORY | verify SYSTEM');
  } finally {
    await context.close();
  }
}

const [what, system = '', target = ''] = process.argv.slice(2);
await main(what, system, target);
