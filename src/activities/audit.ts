/** The audit log as a host keeps it: what workflows hand over, what the host does by itself, and by which file. */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { readJson, writeDurably } from '../docker/durable-file.ts';
import { changesOf } from '../policy/file-changes.ts';
import type { System } from '../system/index.ts';
import { sha256Hex } from '../vault/names.ts';
import { writeAudit } from '../vault/audit/write.ts';
import type { AuditActivities, AuditWritten } from './audit-types.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';

type Input = Parameters<AuditActivities['recordAudit']>[0];

export async function recordAudit(
  context: HostContext,
  { system: name, event, ownKey = false }: Input,
  run: Run,
): Promise<AuditWritten> {
  const system = await context.system(name);
  run.report({ phase: 'write the audit log' });
  const how = { directory: context.stateDirectory(name), ownKey, signal: run.signal };
  const written = await writeAudit(system, event, how);
  await tellFile(context, system, run);
  return written;
}

/** What a host has done, or is about to do, by itself. On a machine without a signer its word is a claim. */
export async function tellDone(
  context: HostContext,
  system: System,
  done: { readonly operation: string; readonly outcome: string; readonly about: string; readonly digest?: string },
  { asker, signal }: Run,
): Promise<void> {
  const event = {
    ...{ id: randomUUID(), what: 'done' as const, at: new Date().toISOString(), from: context.host },
    ...done,
    ...asker?.execution,
  };
  await writeAudit(system, event, { directory: context.stateDirectory(system.name), ownKey: true, signal });
}

const seenSchema = z.object({ sourceText: z.string() });

/**
 * By which file a host keeps a system is policy: how long backups stay, who approves, which stores there are. A change since
 * this host looked last goes to the log. What can't be written now is told in the worker's log, and tried the next time.
 */
export async function tellFile(context: HostContext, system: System, run: Run): Promise<void> {
  const { name, sourceText } = system;
  const file = path.join(context.stateDirectory(name), 'audited-system.json');
  try {
    const seen = seenSchema.safeParse(await readJson(file));
    if (seen.success && seen.data.sourceText === sourceText) return;
    const changes = seen.success ? changesOf(parse(seen.data.sourceText), parse(sourceText)) : [];
    if (changes.length > 0) {
      const about = changes.join(', ').slice(0, MOST_TEXT);
      const digest = sha256Hex(Buffer.from(sourceText));
      await tellDone(context, system, { operation: 'system file', outcome: 'changed', about, digest }, run);
    }
    await writeDurably(file, { sourceText });
  } catch (error) {
    run.signal.throwIfAborted();
    run.log.warn({ err: error }, 'a change of the system file is not in the audit log yet');
  }
}

const MOST_TEXT = 1000;
